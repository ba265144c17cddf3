Feature: A14, A15, A16 expressions

  Scenario Outline: No output is null, of several the first counts (A14)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a14, version: '1.0.0' }
      do:
        - step: { set: { value: '${ <expression> }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      value: <value>
      """

    Examples:
      | expression                  | value     |
      | empty                       | null      |
      | 1, 2                        | 1         |
      | 1, error("never asked")     | 1         |
      | [1, 2]                      | [ 1, 2 ]  |
      | first(range(5; 10))         | 5         |
      | [ empty ]                   | []        |

  Scenario: Several outputs are warned about, with a proposal (A14)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a14-warning, version: '1.0.0' }
      do:
        - step: { set: { value: '${ .list[] }' } }
      """
    Then the workflow should be accepted with warning V41 at line 3

  Scenario Outline: A wrapper inside a longer text is refused (A15)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a15, version: '1.0.0' }
      do:
        - step: { set: { value: '<text>' } }
      """
    Then the workflow should be refused with V23 at line 3

    Examples:
      | text                  |
      | Hello ${ .name }      |
      | ${ .a } and ${ .b }   |
      | ${{ .name }}          |
      | {{ .name }}           |

  Scenario Outline: Positions that are always expressions, with the wrapper or without (A16)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a16, version: '1.0.0' }
      do:
        - step: { <step> }
      """
    And given the workflow input is:
      """yaml
      n: 1
      list: [ 1 ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """

    Examples:
      | step                                                                            | output     |
      | if: .n == 1, set: { a: 1 }                                                      | { a: 1 }   |
      | if: '${ .n == 1 }', set: { a: 1 }                                               | { a: 1 }   |
      | input: { from: .n }, set: '${ . }'                                              | 1          |
      | input: { from: '${ .n }' }, set: '${ . }'                                       | 1          |
      | set: { a: 1 }, output: { as: .a }                                               | 1          |
      | set: { a: 1 }, output: { as: ' ${ .a } ' }                                      | 1          |
      | for: { in: .list }, do: [ { x: { set: { i: '${ $item }' } } } ]                 | { i: 1 }   |
      | for: { in: '${ .list }' }, do: [ { x: { set: { i: '${ $item }' } } } ]          | { i: 1 }   |

  Scenario: Elsewhere a text without wrapper is text, with a warning if it looks like a path
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a16-text, version: '1.0.0' }
      do:
        - step: { set: { value: .user.name } }
      """
    Then the workflow should be accepted with warning V40 at line 3
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      value: .user.name
      """

  Scenario Outline: A bomb is an expression error, and soon
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: bomb, version: '1.0.0' }
      do:
        - bad: { set: { value: '${ <bomb> }' } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/bad
      """

    Examples:
      | bomb                                                   |
      | def f: f; f                                            |
      | def f: def g: f; g; f                                  |
      | [range(infinite)]                                      |
      | "x" * 1e9                                              |
      | null \| .[400000000] = 1                               |
      | reduce range(1000000) as $i (null; [.])                |
      | "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" \| test("(a+)+$") |
      | [limit(1e9; repeat(1))]                                |
      | last(range(1e12))                                      |
