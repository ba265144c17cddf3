Feature: K15 set

  Scenario: A map replaces the data
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k15, version: '1.0.0' }
      do:
        - first: { set: { a: '${ .n + 1 }', b: [ '${ .n }', text ], c: { d: '${ .nothing }' } } }
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
      c: { d: null }
      """

  Scenario Outline: One expression replaces the data, whatever it yields
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k15-expression, version: '1.0.0' }
      do:
        - first: { set: '<set>' }
      """
    And given the workflow input is:
      """yaml
      n: 9007199254740993
      list: [ 1, 2 ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """

    Examples:
      | set                    | output              |
      | ${ .n }                | 9007199254740993    |
      | ${ .n + 1 }            | 9007199254740994    |
      | ${ .list }             | [ 1, 2 ]            |
      | ${ "text" }            | text                |
      | ${ null }              | null                |
      | ${ true }              | true                |
      | ${ .list[] }           | 1                   |
      | ${ empty }             | null                |
      | ${ {a: .list[1]} }     | { a: 2 }            |
      | ${ "${ .n }" }         | '${ .n }'           |

  Scenario: Text that arrives at run time is never evaluated
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k15-data, version: '1.0.0' }
      do:
        - copy: { set: { text: '${ .text }', nested: '${ {a: [.text]} }' } }
        - again: { set: '${ . }' }
      """
    And given the workflow input is:
      """yaml
      text: '${ 1 + 1 }'
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      text: '${ 1 + 1 }'
      nested: { a: [ '${ 1 + 1 }' ] }
      """

  Scenario Outline: What set refuses
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k15-refused, version: '1.0.0' }
      do:
        - first: { set: <set> }
      """
    Then the workflow should be refused with <code> at line 3

    Examples:
      | set                | code |
      | plain text         | V06  |
      | 5                  | V06  |
      | [ 1 ]              | V06  |
      | {}                 | V06  |
      | { a: 'Hi ${ .n }' } | V23 |
