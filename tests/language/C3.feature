Feature: C3 URI templates

  Scenario Outline: Members of the task's input, percent-encoded
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c3, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'https://shop.test/<template>' } }
      """
    And given the workflow input is:
      """yaml
      id: 7
      name: a b/c?d&ü
      flag: true
      none: null
      price: 1.5
      """
    And the server answers GET <path> with status 200
    When the workflow is executed
    Then the workflow should complete
    And the server should get 1 request of GET <path>

    Examples:
      | template           | path                      |
      | pets/{id}          | /pets/7                   |
      | {name}             | /a%20b%2Fc%3Fd%26%C3%BC   |
      | x/{flag}/y         | /x/true/y                 |
      | x{missing}y        | /xy                       |
      | x{none}y           | /xy                       |
      | {price}            | /1.5                      |
      | a?id={id}&n={name} | /a?id=7&n=a%20b%2Fc%3Fd%26%C3%BC |

  Scenario Outline: Objects and arrays have no place in a URI
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c3-container, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'https://shop.test/{value}' } }
      """
    And given the workflow input is:
      """yaml
      value: <value>
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/ask
      """
    And the server should get 0 requests

    Examples:
      | value    |
      | { a: 1 } |
      | [ 1 ]    |
