Feature: E14 queue

  @core
  Scenario: A job goes to the queue that the task names
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e14-queue, version: '1.0.0' }
      do:
        - ask: { call: worker.resize, with: { width: 5 }, metadata: { tutti: { queue: gpu } } }
      """
    And the function worker.resize never answers
    When the workflow is executed
    Then the run should be running
    And the history should have 1 job.scheduled

  Scenario Outline: What is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e14-refused, version: '1.0.0' }
      do:
        - a: { <task>, metadata: { tutti: { <metadata> } } }
      """
    Then the workflow should be refused with <code>

    Examples:
      | task                 | metadata       | code |
      | call: worker.a       | queue: GPU     | V06  |
      | call: worker.a       | queue: a.b     | V06  |
      | call: worker.a       | queue: 5       | V06  |
      | call: worker.a       | queue: tools   | V30  |
      | set: { a: 1 }        | queue: gpu     | V30  |
      | call: worker.a       | onOpen: hold   | V05  |
