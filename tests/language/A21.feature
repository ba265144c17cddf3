Feature: A21 a timeout is an absolute deadline

  @core
  Scenario: Waiting and restarts do not stretch it
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a21, version: '1.0.0' }
      do:
        - group:
            do: [ { one: { wait: PT40S } }, { two: { wait: PT40S } } ]
            timeout: { after: PT1M }
      """
    When the workflow is executed
    And 30 seconds pass
    And the engine is killed and restarted
    And 29 seconds pass
    Then the run should be waiting
    When 1 second passes
    Then the workflow should fault with error:
      """yaml
      status: 408
      instance: /do/0/group
      """
    And the run should have taken 60 seconds
    And the task two should be cancelled

  @core
  Scenario: The deadline of a run
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a21-run, version: '1.0.0' }
      use: { timeouts: { minute: { after: PT1M } } }
      timeout: minute
      do:
        - attempt: { try: [ { pause: { wait: PT2M } } ], catch: { do: [ { never: { set: { x: 1 } } } ] } }
      """
    When the workflow is executed
    And the engine is killed and restarted
    Then the workflow should fault with error:
      """yaml
      status: 408
      """
    And the run should have taken 60 seconds
    And the task never should not run

  @core
  Scenario: A timeout by an expression, of the task's input
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a21-expression, version: '1.0.0' }
      do:
        - pause: { wait: PT1H, timeout: { after: '${ {seconds: .n} }' } }
      """
    And given the workflow input is:
      """yaml
      n: 7
      """
    When the workflow is executed
    Then the workflow should fault
    And the run should have taken 7 seconds
