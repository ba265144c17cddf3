Feature: C5 OAuth 2

  @http
  Scenario: A token is fetched once, and replaced when it is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c5-token, version: '1.0.0' }
      use:
        secrets: [ client ]
        authentications: { id: { oauth2: { use: client } } }
      do:
        - one: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/1', authentication: { use: id } } } }
        - two:
            call: http
            with:
              method: get
              endpoint: { uri: 'https://shop.test/2', authentication: { use: id } }
              headers: { X-Same: '${ $authorization.parameter }' }
        - three: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/3', authentication: { use: id } } } }
      """
    And the server answers POST https://id.test/oauth2/token with status 200 1 times:
      """yaml
      { access_token: first-token, token_type: Bearer, expires_in: 3600 }
      """
    And the server answers POST https://id.test/oauth2/token with status 200:
      """yaml
      { access_token: second-token, token_type: Bearer, expires_in: 3600 }
      """
    And the server answers GET /1 with status 200
    And the server answers GET /2 with status 200
    And the server answers GET /3 with status 401 1 times
    And the server answers GET /3 with status 200
    When the workflow is executed
    Then the workflow should complete
    And the server should get 6 requests
    And request 1 should be:
      """yaml
      method: POST
      host: id.test
      body: grant_type=client_credentials&client_id=tutti&client_secret=secret-of-tutti
      """
    And request 2 should be:
      """yaml
      path: /1
      headers: { authorization: Bearer first-token }
      """
    And request 3 should be:
      """yaml
      path: /2
      headers: { authorization: Bearer first-token, x-same: first-token }
      """
    And request 6 should be:
      """yaml
      path: /3
      headers: { authorization: Bearer second-token }
      """

  @http
  Scenario: A token endpoint that is found by its authority
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c5-oidc, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - ask:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.test/1
                authentication:
                  oidc:
                    authority: https://id.test/realm
                    issuers: [ 'https://id.test/realm' ]
                    grant: password
                    username: ann
                    password: '${ $secrets.token }'
                    scopes: [ read, write ]
      """
    And the server answers GET https://id.test/realm/.well-known/openid-configuration with status 200:
      """yaml
      { issuer: 'https://id.test/realm', token_endpoint: 'https://id.test/give' }
      """
    And the server answers POST https://id.test/give with status 200:
      """yaml
      { access_token: a-token, token_type: Bearer, expires_in: 3600 }
      """
    And the server answers GET /1 with status 200
    When the workflow is executed
    Then the workflow should complete
    And request 2 should be:
      """yaml
      body: grant_type=password&scope=read%20write&username=ann&password=token-of-the-shop
      """
    And request 3 should be:
      """yaml
      headers: { authorization: Bearer a-token }
      """

  @http
  Scenario: A token endpoint that refuses
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c5-refused, version: '1.0.0' }
      do:
        - ask:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.test/1
                authentication: { oauth2: { authority: 'https://id.test', client: { id: a, secret: wrong-secret } } }
      """
    And the server answers POST https://id.test/oauth2/token with status 401:
      """yaml
      { error: invalid_client }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/authentication
      status: 401
      """
    And the error should say 'invalid_client'
    And the server should get 1 request

  @http
  Scenario Outline: A token for a token from a secret: <grant>
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c5-for-a-token, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - ask:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.test/1
                authentication:
                  oauth2:
                    authority: https://id.test/<place>
                    grant: <grant>
                    subject: { token: '${ $secrets.token }', type: 'urn:x:y' }
      """
    And the server answers POST https://id.test/<place>/oauth2/token with status 200:
      """yaml
      { access_token: a-token, token_type: Bearer, expires_in: 3600 }
      """
    And the server answers GET /1 with status 200
    When the workflow is executed
    Then the workflow should complete
    And request 1 should be:
      """yaml
      body: <body>
      """
    And request 2 should be:
      """yaml
      headers: { authorization: Bearer a-token }
      """

    Examples:
      | place         | grant                                           | body                                                     |
      | again         | refresh_token                                   | grant_type=refresh_token&refresh_token=token-of-the-shop |
      | exchange      | urn:ietf:params:oauth:grant-type:token-exchange | grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=token-of-the-shop&subject_token_type=urn%3Ax%3Ay |

  @http
  Scenario: A grant that needs a person is registered, and its call is no call
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c5-person, version: '1.0.0' }
      do:
        - ask:
            call: http
            with: { method: get, endpoint: { uri: 'https://shop.test/1', authentication: { oauth2: { authority: 'https://id.test', grant: authorization_code } } } }
      """
    Then the workflow should be accepted with warning V05 at line 5, column 133
    And the finding should say 'needs a person'
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/configuration
      instance: /do/0/ask
      """
    And the error should say 'authorization_code'
    And the server should get 0 requests
