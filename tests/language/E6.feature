Feature: E6 priorities

  @http
  Scenario Outline: Of the document, the task, the start
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e6-<name>, version: '1.0.0', metadata: { tutti: { <document> } } }
      do:
        - one: { listen: { to: { one: { with: { type: never } } } } }
      """
    And the start request says:
      """yaml
      <start>
      """
    When the workflow is executed
    Then the run's 'priority' should be:
      """yaml
      <priority>
      """

    Examples:
      | name    | priority | document    | start           |
      | default | 5        |             | { labels: { a: b } } |
      | own     | 7        | priority: 7 | { labels: { a: b } } |
      | start   | 2        | priority: 7 | { priority: 2 } |
      | nought  | 0        | priority: 0 | { labels: { a: b } } |

  Scenario Outline: What is no priority
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e6-wrong, version: '1.0.0' }
      do:
        - one: { set: { n: 1 }, metadata: { tutti: { priority: <priority> } } }
      """
    Then the workflow should be refused with V06

    Examples:
      | priority |
      | 10       |
      | -1       |
      | high     |
      | 1.5      |
