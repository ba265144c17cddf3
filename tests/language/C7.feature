Feature: C7 errors

  Scenario Outline: Kinds and their status
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c7, version: '1.0.0' }
      do:
        - group: { do: [ { bad: <task> } ] }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/<kind>
      status: <status>
      instance: /do/0/group/do/0/bad
      """

    Examples:
      | task                                                                                                    | kind       | status |
      | { set: { a: '${ 1 + "x" }' } }                                                                          | expression | 400    |
      | { input: { schema: { format: json, document: { type: object, required: [ x ] } } }, set: { a: 1 } }     | validation | 400    |
      | { set: { a: 1 }, output: { schema: { format: json, document: { required: [ b ] } } } }                  | validation | 400    |
      | { set: { a: 1 }, export: { as: '.', schema: { format: json, document: { required: [ b ] } } } }         | validation | 400    |
      | { wait: P1D, timeout: { after: { milliseconds: 20 } } }                                                 | timeout    | 408    |
      | { call: http, with: { method: get, endpoint: 'https://shop.test/none' } }                               | communication | 404 |
      | { call: http, with: { method: get, endpoint: '${ "no url" }' } }                                        | configuration | 400 |

  Scenario: The detail of an expression says what failed
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c7-detail, version: '1.0.0' }
      do:
        - bad: { set: { a: '${ .n + "x" }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      title: Expression error
      """
    And the error should say 'number (1) and string ("x") cannot be added'

  Scenario: A workflow that times out
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c7-timeout, version: '1.0.0' }
      timeout: { after: { milliseconds: 30 } }
      do:
        - pause: { wait: P1D }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout
      status: 408
      """
