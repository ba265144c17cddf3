Feature: K16 wait

  @core
  Scenario: A wait costs time and passes its input on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k16, version: '1.0.0' }
      do:
        - pause: { wait: P30D }
        - after: { set: '${ . + { after: true } }' }
      """
    And given the workflow input is:
      """yaml
      a: 1
      """
    When the workflow is executed
    Then the run should be waiting
    When 29 days pass
    And the engine is killed and restarted
    Then the run should be waiting
    When 1 day passes
    Then the run should be completed
    And the workflow should complete with output:
      """yaml
      a: 1
      after: true
      """
    And the run should have taken 30 days

  Scenario: A short wait in real time
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k16-short, version: '1.0.0' }
      do:
        - pause: { wait: { milliseconds: 30 } }
        - after: { set: { after: true } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      after: true
      """
    And after should run after pause

  Scenario: A wait that is cancelled
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k16-cancelled, version: '1.0.0' }
      do:
        - pause: { wait: P30D }
      """
    When the workflow is executed
    Then the run should be waiting
    When the run is cancelled
    Then the workflow should be cancelled
    And the task pause should be cancelled

  Scenario: A wait of nothing
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k16-zero, version: '1.0.0' }
      do:
        - pause: { wait: PT0S }
        - after: { set: { after: true } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      after: true
      """
