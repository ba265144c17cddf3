Feature: K1 call http

  Scenario Outline: Methods go out as they are, in any case
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-methods, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: '<method>', endpoint: 'https://shop.test/pets' } }
      """
    And the server answers <sent> https://shop.test/pets with status 200:
      """yaml
      ok: true
      """
    When the workflow is executed
    Then the workflow should complete
    And the server should get 1 request of <sent> https://shop.test/pets

    Examples:
      | method | sent    |
      | get    | GET     |
      | GET    | GET     |
      | post   | POST    |
      | Put    | PUT     |
      | PATCH  | PATCH   |
      | delete | DELETE  |
      | OPTIONS | OPTIONS |

  Scenario: Endpoint as a template, as an expression, and as an object
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-endpoints, version: '1.0.0' }
      do:
        - template: { call: http, with: { method: get, endpoint: 'https://shop.test/pets/{id}' }, output: { as: '{ id: 8, a: . }' } }
        - expression: { call: http, with: { method: get, endpoint: '${ "https://shop.test/pets/\(.id)" }' }, output: { as: '{ id: 9, a: $input.a, b: . }' } }
        - object: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/pets/{id}' } }, output: { as: '{ a: $input.a, b: $input.b, c: . }' } }
      """
    And given the workflow input is:
      """yaml
      id: 7
      """
    And the server answers GET /pets/7 with status 200:
      """yaml
      seven
      """
    And the server answers GET /pets/8 with status 200:
      """yaml
      { n: 8 }
      """
    And the server answers GET /pets/9 with status 200:
      """yaml
      [ 9 ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      a: seven
      b: { n: 8 }
      c: [ 9 ]
      """

  Scenario: Headers, query and body
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-parts, version: '1.0.0' }
      do:
        - order:
            call: http
            with:
              method: post
              endpoint: https://shop.test/orders
              headers: { X-Shop: main, X-User: '${ .user }' }
              query: { dry: 'no', tag: '${ "a&b=\(.user)" }' }
              body: { amount: '${ .amount }', list: [ '${ .amount + 1 }', text ] }
      """
    And given the workflow input is:
      """yaml
      user: Ann
      amount: 12
      """
    And the server answers POST /orders with status 201:
      """yaml
      id: o-1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      id: o-1
      """
    And request 1 should be:
      """yaml
      method: POST
      host: shop.test
      path: /orders
      query: { dry: 'no', tag: a&b=Ann }
      headers: { x-shop: main, x-user: Ann, content-type: application/json }
      body: { amount: 12, list: [ 13, text ] }
      """

  Scenario: Headers and query as expressions
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-expressions, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'https://shop.test/x', headers: '${ .h }', query: '${ .q }' } }
      """
    And given the workflow input is:
      """yaml
      h: { X-A: one }
      q: { b: two words }
      """
    And the server answers GET /x with status 204
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      null
      """
    And request 1 should be:
      """yaml
      headers: { x-a: one }
      query: { b: two words }
      """

  Scenario: A text goes out as text
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-text, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: post, endpoint: 'https://shop.test/x', body: '${ .text }' } }
      """
    And given the workflow input is:
      """yaml
      text: some words
      """
    And the server answers POST /x with status 200
    When the workflow is executed
    Then the workflow should complete
    And request 1 should be:
      """yaml
      headers: { content-type: text/plain; charset=utf-8 }
      body: some words
      """

  Scenario Outline: The three forms of output
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-output, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'https://shop.test/x', output: <form> }, output: { as: '<take>' } }
      """
    And the server answers GET /x with status 200:
      """yaml
      a: 1
      """
    And its answer has the header 'X-Trace' 't-1'
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """

    Examples:
      | form     | take                                  | output                          |
      | content  | .                                     | { a: 1 }                        |
      | raw      | .                                     | eyJhIjoxfQ==                    |
      | response | .statusCode                           | 200                             |
      | response | .content                              | { a: 1 }                        |
      | response | { m: .request.method, u: .request.uri } | { m: GET, u: 'https://shop.test/x' } |
      | response | [.headers \| with_entries(.key \|= ascii_downcase) \| ."x-trace"] | [ t-1 ] |

  Scenario: What calls itself JSON and is none stays text
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-nojson, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'https://shop.test/x' } }
      """
    And the server answers GET /x with status 200:
      """yaml
      "{ no json"
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      "{ no json"
      """

  Scenario: A redirect is an error unless it is allowed
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-redirect, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'https://shop.test/old' } }
      """
    And the server answers GET /old with status 302
    And its answer has the header 'Location' 'https://shop.test/new'
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/communication
      status: 302
      instance: /do/0/ask
      """
    And the server should get 1 request

  Scenario: A redirect is followed if it is allowed
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-follow, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'https://shop.test/old', redirect: true } }
      """
    And the server answers GET /old with status 302
    And its answer has the header 'Location' 'https://shop.test/new'
    And the server answers GET /new with status 200:
      """yaml
      here
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      here
      """
    And the server should get 2 requests

  Scenario Outline: Basic and bearer authentication, inline and by name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-authentication, version: '1.0.0' }
      use:
        authentications:
          reader: { basic: { username: ann, password: open } }
          token: { bearer: { token: '${ .token }' } }
      do:
        - ask: { call: http, with: { method: get, endpoint: { uri: 'https://shop.test/x', authentication: <authentication> } } }
      """
    And given the workflow input is:
      """yaml
      token: t-1
      """
    And the server answers GET /x with status 200
    When the workflow is executed
    Then the workflow should complete
    And request 1 should be:
      """yaml
      headers: { authorization: '<header>' }
      """

    Examples:
      | authentication                                  | header             |
      | { basic: { username: ann, password: open } }    | Basic YW5uOm9wZW4= |
      | { bearer: { token: t-1 } }                      | Bearer t-1         |
      | { bearer: { token: '${ .token }' } }            | Bearer t-1         |
      | { use: reader }                                 | Basic YW5uOm9wZW4= |
      | { use: token }                                  | Bearer t-1         |

  Scenario Outline: A status outside of 200 to 299 is an error with that status
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-status, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'https://shop.test/x' } }
      """
    And the server answers GET /x with status <status>
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/<kind>
      status: <status>
      instance: /do/0/ask
      """
    And the server should get 1 request

    Examples:
      | status | kind           |
      | 400    | communication  |
      | 401    | authentication |
      | 403    | authorization  |
      | 404    | communication  |
      | 408    | timeout        |
      | 418    | communication  |
      | 500    | communication  |
      | 503    | communication  |
      | 504    | timeout        |

  Scenario: A write carries the same idempotency key in every attempt
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-key, version: '1.0.0' }
      do:
        - pay:
            call: http
            with: { method: post, endpoint: 'https://shop.test/pay', body: {} }
            metadata: { tutti: { idempotencyKey: '${ "pay-1" }', retry: { limit: { attempt: { count: 1 } } } } }
      """
    And the server answers POST /pay with status 503 1 times
    And the server answers POST /pay with status 200:
      """yaml
      paid: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      paid: true
      """
    And the server should get 2 requests of POST /pay
    And request 1 should be:
      """yaml
      headers: { idempotency-key: pay-1/do/0/pay }
      """
    And request 2 should be:
      """yaml
      headers: { idempotency-key: pay-1/do/0/pay }
      """

  Scenario Outline: What a call needs is checked
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-refused, version: '1.0.0' }
      do:
        - ask: { call: http, with: <with> }
      """
    Then the workflow should be refused with <code> at line 3

    Examples:
      | with                                                               | code |
      | { endpoint: 'https://a.test' }                                     | V06  |
      | { method: get }                                                    | V06  |
      | { method: get, endpoint: 'https://a.test', url: x }                | V04  |
      | { method: get, endpoint: 'https://a.test', headers: { X: 1 } }     | V06  |
      | { method: get, endpoint: 'https://a.test', query: { x: true } }    | V06  |
      | { method: get, endpoint: 'https://a.test', output: json }          | V06  |
      | { method: get, endpoint: { uri: 'https://a.test', authentication: { use: none } } } | V13 |
