Feature: A23 what the schema of the language lets pass and is refused

  Scenario Outline: <what>
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a23, version: '1.0.0' }
      do: <tasks>
      """
    Then the workflow should be refused with <code> at line 2
    And there should be 1 findings

    Examples:
      | what                        | code | tasks                                                                                        |
      | two tasks of one name       | V10  | [ { a: { set: { x: 1 } } }, { a: { set: { x: 1 } } } ]                                       |
      | then to nowhere             | V11  | [ { a: { set: { x: 1 }, then: nowhere } } ]                                                  |
      | a task named exit           | V12  | [ { exit: { set: { x: 1 } } } ]                                                              |
      | an unknown policy           | V13  | [ { a: { try: [], catch: { retry: calm } } } ]                                               |
      | an unknown function         | V14  | [ { a: { call: nobody } } ]                                                                  |
      | a variable that hides       | V15  | [ { a: { for: { each: input, in: '[]' }, do: [] } } ]                                        |
      | two defaults                | V16  | [ { a: { switch: [ { b: { then: end } }, { c: { then: end } } ] } } ]                        |
      | an expression without end   | V20  | [ { a: { if: .x and, set: { x: 1 } } } ]                                                     |
      | a variable from elsewhere   | V21  | [ { a: { if: $output, set: { x: 1 } } } ]                                                    |
      | a function of the system    | V22  | [ { a: { if: env.HOME, set: { x: 1 } } } ]                                                   |
      | an expression inside a text | V23  | [ { a: { set: { x: 'Hi ${ .name }' } } } ]                                                   |
