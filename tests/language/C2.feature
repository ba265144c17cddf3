Feature: C2 endpoints and external resources

  Scenario Outline: An endpoint is <form>
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c2-endpoint, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: <endpoint> } }
      """
    And given the workflow input is:
      """yaml
      id: a/b
      where: https://shop.test/pets/7
      """
    And the server answers GET /pets/7 with status 200:
      """yaml
      name: Rex
      """
    And the server answers GET /pets/a%2Fb with status 200:
      """yaml
      name: Tom
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      name: <name>
      """

    Examples:
      | form                           | endpoint                                          | name |
      | a text                         | 'https://shop.test/pets/7'                        | Rex  |
      | a template                     | 'https://shop.test/pets/{id}'                     | Tom  |
      | an expression                  | '${ .where }'                                     | Rex  |
      | an expression that builds it   | '${ "https://shop.test/pets/\(.id \| @uri)" }'    | Tom  |
      | a map                          | { uri: 'https://shop.test/pets/7' }               | Rex  |
      | a map with a template          | { uri: 'https://shop.test/pets/{id}' }            | Tom  |
      | a map with an expression       | { uri: '${ .where }' }                            | Rex  |

  Scenario: An endpoint with authentication
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c2-authentication, version: '1.0.0' }
      do:
        - ask:
            call: http
            with: { method: get, endpoint: { uri: 'https://shop.test/pets/7', authentication: { bearer: { token: '${ "t-\(.id)" }' } } } }
      """
    And given the workflow input is:
      """yaml
      id: 5
      """
    And the server answers GET /pets/7 with status 204
    When the workflow is executed
    Then the workflow should complete
    And request 1 should be:
      """yaml
      headers: { authorization: Bearer t-5 }
      """

  Scenario Outline: An endpoint that comes to be no URI is an error of the task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c2-none, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: '${ .where }' } }
      """
    And given the workflow input is:
      """yaml
      where: <where>
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: <type>
      status: 400
      instance: /do/0/ask
      """

    Examples:
      | where     | type                                                                |
      | pets/7    | https://serverlessworkflow.io/spec/1.0.0/errors/configuration       |
      | 7         | https://serverlessworkflow.io/spec/1.0.0/errors/configuration       |
      | null      | https://serverlessworkflow.io/spec/1.0.0/errors/configuration       |

  Scenario Outline: An endpoint or a resource that is none is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c2-refused, version: '1.0.0' }
      do:
        - ask: { call: <call> }
      """
    Then the workflow should be refused with <code> at line 3
    And the finding should say '<words>'

    Examples:
      | call                                                                                   | code | words                |
      | http, with: { method: get, endpoint: /pets }                                           | V06  | absolute URI         |
      | http, with: { method: get, endpoint: 7 }                                               | V06  | is needed here, not a number |
      | http, with: { method: get, endpoint: { url: 'https://x' } }                            | V04  | not a property       |
      | http, with: { method: get, endpoint: { uri: 'https://x/{a' } }                         | V06  | URI template         |
      | openapi, with: { document: 'https://x', operationId: o }                               | V06  | a resource is a map  |
      | openapi, with: { document: { name: d }, operationId: o }                               | V06  | needs `endpoint`     |

  Scenario: A resource is a name and an endpoint
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c2-resource, version: '1.0.0' }
      do:
        - one: { call: openapi, with: { document: { name: pets, endpoint: 'https://shop.test/openapi.json' }, operationId: find } }
        - two: { call: openapi, with: { document: { endpoint: { uri: 'https://shop.test/openapi.json' } }, operationId: find } }
      """
    Then the workflow should be accepted
