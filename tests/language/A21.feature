@core
Feature: A21 timeouts are absolute deadlines

  Scenario: A restart does not stretch the timeout of a task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a21-task, version: '1.0.0' }
      do:
        - attempt:
            try: [ { wait: { listen: { to: { one: { with: { type: a21.never } } } }, timeout: { after: PT100S } } } ]
            catch: { errors: { with: { status: 408 } }, do: [ { late: { set: { late: true } } } ] }
      """
    When the workflow is executed
    And 60 seconds pass
    And the engine is killed and restarted
    And 39 seconds pass
    Then the run should be waiting
    When 1 seconds pass
    Then the workflow should complete with output:
      """yaml
      late: true
      """
    And the run should have taken 100 seconds

  Scenario: Neither does it stretch that of the run
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a21-run, version: '1.0.0' }
      timeout: { after: PT100S }
      do: [ { a: { wait: PT60S } }, { b: { wait: PT60S } } ]
      """
    When the workflow is executed
    And 50 seconds pass
    And the engine is killed and restarted
    Then the workflow should fault with error:
      """yaml
      status: 408
      """
    And the run should have taken 100 seconds

  Scenario: Neither does a pause of the run
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a21-paused, version: '1.0.0' }
      do: [ { a: { wait: PT1H, timeout: { after: PT100S } } } ]
      """
    When the workflow is executed
    And the run is suspended
    And 150 seconds pass
    And the run is resumed
    Then the workflow should fault with error:
      """yaml
      status: 408
      instance: /do/0/a
      """
