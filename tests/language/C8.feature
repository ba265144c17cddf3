Feature: C8 phases

  Scenario: A run that waits, is cancelled, and whose task is, too
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c8, version: '1.0.0' }
      do:
        - first: { set: { a: 1 } }
        - hold: { wait: PT1H }
      """
    When the workflow is executed
    Then the run should be waiting
    And the task first should be completed
    When the run is cancelled
    Then the workflow should cancel
    And the history should have in this order:
      | task.completed | first |
      | task.started   | hold  |
      | task.cancelled | hold  |
      | run.cancelled  |       |
