Feature: W8 use.secrets, use.catalogs, A18 $secrets

  Scenario: A secret goes out with a call, and what is stored of it is hidden
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-sent, version: '1.0.0' }
      use: { secrets: [ token, login ] }
      do:
        - ask:
            call: http
            input: { from: '{ path: "x", user: $secrets.login.username }' }
            with:
              method: post
              endpoint: https://shop.test/{path}
              headers: { X-Token: '${ "key \($secrets.token)" }' }
              query: { user: '${ .user }' }
              body: { password: '${ $secrets.login.password | @base64 }' }
              output: response
      output: { as: .request.headers }
      """
    And the server answers POST /x?user=ann with status 200
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'X-Token' property with value:
      """yaml
      key ***
      """
    And request 1 should be:
      """yaml
      headers: { x-token: key token-of-the-shop }
      query: { user: ann }
      body: { password: cGFzc3dvcmQtb2YtYW5u }
      """

  Scenario: A call that is sent again has the secret again
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-again, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - ask:
            call: http
            with: { method: post, endpoint: 'https://shop.test/x', body: '${ $secrets.token }' }
            metadata: { tutti: { retry: { delay: { milliseconds: 10 }, limit: { attempt: { count: 2 } } } } }
      """
    And the server answers POST /x with status 503 1 times
    And the server answers POST /x with status 200
    When the workflow is executed
    Then the workflow should complete
    And the server should get 2 requests
    And request 1 should be:
      """yaml
      body: token-of-the-shop
      """
    And request 2 should be:
      """yaml
      body: token-of-the-shop
      """

  Scenario: What becomes data is hidden, also what is computed of it
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-data, version: '1.0.0' }
      use: { secrets: [ token, login ] }
      do:
        - keep: { set: { text: '${ $secrets.token }', map: '${ $secrets.login }', half: '${ $secrets.token[0:5] }', number: '${ $secrets.token | tonumber }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      text: '***'
      map: { username: '***', password: '***' }
      half: '***'
      number: '***'
      """

  Scenario: Conditions ask the secret itself
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-condition, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - no: { if: '$secrets.token == "***"', set: { a: wrong } }
        - choose: { switch: [ { yes: { when: '$secrets.token == "token-of-the-shop"', then: right } } ] }
        - never: { set: { a: never } }
        - right: { set: { a: right } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      a: right
      """

  Scenario Outline: A secret that is missing is an error, and nothing is sent
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-missing, version: '1.0.0' }
      use: { secrets: [ absent ] }
      do:
        - ask: { <task> }
      """
    And the server answers POST /x with status 200
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/authorization
      status: 403
      instance: /do/0/ask
      """
    And the error should say 'absent'
    And the server should get 0 requests

    Examples:
      | task                                                                                                                            |
      | call: http, with: { method: post, endpoint: 'https://shop.test/x', body: '${ $secrets.absent }' }                               |
      | call: http, with: { method: post, endpoint: { uri: 'https://shop.test/x', authentication: { bearer: { use: absent } } } }       |
      | call: http, input: { from: $secrets.absent }, with: { method: post, endpoint: 'https://shop.test/x' }                           |
      | set: { a: '${ $secrets.absent }' }                                                                                              |
      | if: $secrets.absent, set: { a: 1 }                                                                                              |

  Scenario: A secret that is not declared is a finding
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-undeclared, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - ask: { if: '$secrets.tokne', set: { a: '${ $secrets.token }' } }
      """
    Then the workflow should be refused with V13 at line 4
    And the fix should say 'did you mean `token`?'

  Scenario: A secret that would be stored is warned about
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-stored, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - ask: { set: { a: '${ $secrets.token }' } }
      """
    Then the workflow should be accepted with warning V44 at line 4

  Scenario: A function of a catalog is a task, with another function of it inside
    Given the server answers GET https://shelf.test/c/functions/greet/1.2.0/function.yaml with status 200:
      """yaml
      input: { schema: { document: { type: object, required: [ name ] } } }
      output: { schema: { document: { required: [ text ] } } }
      do:
        - line: { call: 'join:1.0.0@shelf', with: { a: Hello, b: '${ .name }' } }
        - out: { set: { text: '${ .joined }', of: '${ $workflow.input.who }' } }
      """
    And the server answers GET https://shelf.test/c/functions/join/1.0.0/function.yaml with status 200:
      """yaml
      set: { joined: '${ "\(.a) \(.b)" }' }
      """
    And a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-catalog, version: '1.0.0' }
      use: { catalogs: { shelf: { endpoint: 'https://shelf.test/c/' } } }
      do:
        - one: { call: 'greet:1.2.0@shelf', with: { name: '${ .who }' } }
        - two: { call: 'https://shelf.test/c/functions/join/1.0.0/function.yaml', with: { a: '${ .text }', b: '!' } }
      """
    And given the workflow input is:
      """yaml
      who: Ada
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      joined: Hello Ada !
      """
    And the task /do/0/one/call/greet/do/0/line/call/join should run 1 times

  Scenario: What a function of a catalog demands of its arguments holds in the run as well
    Given the server answers GET https://shelf.test/functions/greet/1/function.yaml with status 200:
      """yaml
      input: { schema: { document: { type: object, properties: { name: { type: string } } } } }
      set: { ok: true }
      """
    And a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-arguments, version: '1.0.0' }
      use: { catalogs: { shelf: { endpoint: { uri: 'https://shelf.test' } } } }
      do: [ { one: { call: 'greet:1@shelf', with: { name: '${ 5 }' } } } ]
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/one/call/greet
      """

  Scenario Outline: What of a catalog is refused
    Given the server answers GET https://shelf.test/functions/greet/1.0.0/function.yaml with status 200:
      """yaml
      <function>
      """
    And a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w8-refused, version: '1.0.0' }
      use: { catalogs: { shelf: { endpoint: 'https://shelf.test' } } }
      do: [ { one: { call: '<call>', with: { name: 5 } } } ]
      """
    Then the workflow should be refused with <code> at line 3
    And the finding should say '<words>'

    Examples:
      | function                                                                                  | call              | code | words                               |
      | set: { a: 1 }                                                                             | greet:1.0.0@shlf  | V13  | no catalog `shlf`                   |
      | set: { a: 1 }                                                                             | greet@shelf       | V14  | needs its version                   |
      | set: { a: 1 }                                                                             | greet:2.0.0@shelf | V14  | does not give the function          |
      | { input: { schema: { document: { properties: { name: { type: string } } } } }, set: { } } | greet:1.0.0@shelf | V14  | `name`                              |
      | { do: [ { again: { call: 'greet:1.0.0@shelf' } } ] }                                      | greet:1.0.0@shelf | V14  | call itself                         |
      | { wait: { minute: 5 } }                                                                   | greet:1.0.0@shelf | V07  | function.yaml:1:                    |
      | { hello: 5 }                                                                              | greet:1.0.0@shelf | V05  | no task `hello`                     |
