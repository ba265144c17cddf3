Feature: W4 use.authentications

  Scenario: A policy that several calls name, with credentials from a secret
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w4-named, version: '1.0.0' }
      use:
        secrets: [ login, token ]
        authentications:
          ann: { basic: { use: login } }
          shop: { bearer: { token: '${ $secrets.token }' } }
      do:
        - one: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/1', authentication: { use: ann } } } }
        - two: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/2', authentication: { use: ann } } } }
        - three: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/3', authentication: { use: shop } } } }
      """
    And the server answers GET /1 with status 200
    And the server answers GET /2 with status 200
    And the server answers GET /3 with status 200
    When the workflow is executed
    Then the workflow should complete
    And request 1 should be:
      """yaml
      headers: { authorization: 'Basic YW5uOnBhc3N3b3JkLW9mLWFubg==' }
      """
    And request 2 should be:
      """yaml
      headers: { authorization: 'Basic YW5uOnBhc3N3b3JkLW9mLWFubg==' }
      """
    And request 3 should be:
      """yaml
      headers: { authorization: Bearer token-of-the-shop }
      """

  Scenario: A policy that is not declared is a finding
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w4-undeclared, version: '1.0.0' }
      use: { authentications: { reader: { bearer: { token: t } } } }
      do:
        - ask: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/1', authentication: { use: raeder } } } }
      """
    Then the workflow should be refused with V13 at line 4
    And the fix should say 'did you mean `reader`?'

  Scenario: A policy that nobody names is warned about
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w4-unused, version: '1.0.0' }
      use: { authentications: { reader: { bearer: { token: t } } } }
      do: []
      """
    Then the workflow should be accepted with warning V43 at line 2
