Feature: K15 set

  Scenario: A map replaces the data
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k15, version: '1.0.0' }
      do:
        - first: { set: { a: '${ .n + 1 }', b: [ '${ .n }', text ] } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      a: 2
      b: [ 1, text ]
      """
