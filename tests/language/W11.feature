Feature: W11 evaluate

  Scenario: In mode strict a text without wrapper is a text
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w11-strict, version: '1.0.0' }
      evaluate: { language: jq, mode: strict }
      do:
        - a: { set: { sum: .n + 1, wrapped: '${ .n + 1 }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      sum: .n + 1
      wrapped: 2
      """

  Scenario: In mode loose every expression is evaluated, and what fails stays the text it is
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w11-loose, version: '1.0.0' }
      evaluate: { mode: loose }
      do:
        - a: { set: { sum: .n + 1, words: Hello you, wrapped: '${ .n + 1 }', fails: .n.x, list: [ .n * 3 ] } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      sum: 2
      words: Hello you
      wrapped: 2
      fails: .n.x
      list: [ 3 ]
      """

  Scenario: Mode loose is warned about
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w11-warned, version: '1.0.0' }
      evaluate: { mode: loose }
      do: []
      """
    Then the workflow should be accepted with warning V43 at line 2, column 19

  Scenario: Another language is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w11-js, version: '1.0.0' }
      evaluate: { language: js }
      do: []
      """
    Then the workflow should be refused with V05 at line 2, column 23
