Feature: C4 authentication

  Scenario Outline: Credentials from a secret
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c4-secret, version: '1.0.0' }
      use: { secrets: [ token, login ] }
      do:
        - first: { if: $secrets, set: { a: 1 } }
        - ask: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/x', authentication: <authentication> } } }
      """
    And the server answers GET /x with status 200
    When the workflow is executed
    Then the workflow should complete
    And request 1 should be:
      """yaml
      headers: { authorization: '<header>' }
      """

    Examples:
      | authentication                                                     | header                               |
      | { basic: { use: login } }                                          | Basic YW5uOnBhc3N3b3JkLW9mLWFubg==   |
      | { basic: { username: bob, password: '${ $secrets.token }' } }      | Basic Ym9iOnRva2VuLW9mLXRoZS1zaG9w   |
      | { bearer: { use: token } }                                         | Bearer token-of-the-shop             |
      | { bearer: { token: '${ $secrets.login.password }' } }              | Bearer password-of-ann               |

  Scenario: $authorization is known to the call, and hidden where it is stored
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c4-authorization, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - ask:
            call: http
            with:
              method: get
              endpoint: { uri: 'https://shop.test/x', authentication: { bearer: { use: token } } }
              headers: { X-Same: '${ "\($authorization.scheme) \($authorization.parameter)" }' }
            output: { as: $authorization }
      """
    And the server answers GET /x with status 200
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      scheme: Bearer
      parameter: '***'
      """
    And request 1 should be:
      """yaml
      headers: { authorization: Bearer token-of-the-shop, x-same: Bearer token-of-the-shop }
      """

  Scenario: An answer that says the credentials again is hidden
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c4-echo, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - ask: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/x', authentication: { bearer: { use: token } } } } }
      """
    And the server answers GET /x with status 200:
      """yaml
      you: sent token-of-the-shop
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      you: sent ***
      """

  @http
  Scenario: A digest answers its challenge
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c4-digest, version: '1.0.0' }
      use: { secrets: [ login ] }
      do:
        - ask: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/x', authentication: { digest: { use: login } } } } }
      """
    And the server answers GET /x with status 401 1 times
    And its answer has the header 'WWW-Authenticate' 'Digest realm="shop", nonce="n"'
    And the server answers GET /x with status 200
    When the workflow is executed
    Then the workflow should complete
    And the server should get 2 requests
    And request 2 should be:
      """yaml
      headers: { authorization: 'Digest username="ann", realm="shop", nonce="n", uri="/x", response="7a4f57c85a930a6b4bf23c669cfe3715", algorithm=MD5' }
      """

  @http
  Scenario: Credentials that are refused are an error
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c4-refused, version: '1.0.0' }
      use: { secrets: [ login ] }
      do:
        - ask: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/x', authentication: { digest: { use: login } } } } }
      """
    And the server answers GET /x with status 401
    And its answer has the header 'WWW-Authenticate' 'Digest realm="shop", nonce="n"'
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/authentication
      status: 401
      """
    And the server should get 2 requests
