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
      | call: worker.a       | onOpen: wait   | V06  |
      | call: worker.a       | onOpen: true   | V06  |
      | set: { a: 1 }        | onOpen: hold   | V30  |
      | call: worker.a       | limit: { concurrency: 0 } | V06  |
      | call: worker.a       | limit: { concurrency: two } | V06  |
      | call: worker.a       | limit: {}      | V06  |
      | call: worker.a       | limit: { rate: { count: 1 } } | V06  |
      | call: worker.a       | limit: { rate: { count: 1, per: PT0.5S } } | V06  |
      | call: worker.a       | limit: { rate: { count: 1, per: P2D } } | V06  |
      | call: worker.a       | limit: { key: '${ .customer }', max: 3 } | V04  |
      | set: { a: 1 }        | limit: { concurrency: 1 } | V30  |

  Scenario Outline: What to do while a breaker is open changes nothing while it is closed
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e14-open, version: '1.0.0' }
      do:
        - ask: { call: shop.ask, metadata: { tutti: { onOpen: <word> } } }
      """
    And the function shop.ask answers:
      """yaml
      done: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      done: true
      """

    Examples:
      | word |
      | hold |
      | fail |
