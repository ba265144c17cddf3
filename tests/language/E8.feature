Feature: E8 retry of a task

  Scenario Outline: As if the one task stood in a try with that retry
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e8-<name>, version: '1.0.0' }
      use: { retries: { steady: { delay: { milliseconds: 1 }, limit: { attempt: { count: 2 } } } } }
      do:
        - before: { call: http, with: { method: get, endpoint: 'http://shop.test/before' } }
        - ask: { <task>, metadata: { tutti: { retry: <retry> } } }
      """
    And the server answers GET /before with status 200
    And the server answers GET /price with status 500 2 times
    And the server answers GET /price with status 200:
      """yaml
      price: 7
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      price: 7
      """
    And the server should get 3 requests of GET /price
    And the server should get 1 request of GET /before

    Examples:
      | name   | retry  | task |
      | call   | steady | call: http, with: { method: get, endpoint: 'http://shop.test/price' } |
      | inline | { delay: { milliseconds: 1 }, limit: { attempt: { count: 5 } } } | call: http, with: { method: get, endpoint: 'http://shop.test/price' } |
      | do     | steady | do: [ { get: { call: http, with: { method: get, endpoint: 'http://shop.test/price' } } } ] |
      | fork   | steady | fork: { branches: [ { get: { call: http, with: { method: get, endpoint: 'http://shop.test/price' } } } ] }, output: { as: '.[0]' } |
      | for    | steady | for: { in: '[1]' }, do: [ { get: { call: http, with: { method: get, endpoint: 'http://shop.test/price' } } } ] |

  Scenario: Spent, the error goes on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e8-spent, version: '1.0.0' }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'http://shop.test/price' }, metadata: { tutti: { retry: { limit: { attempt: { count: 1 } } } } } }
      """
    And the server answers GET /price with status 500
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 500
      """
    And the server should get 2 requests
    And the history should have 1 job.dead

  Scenario: Conditions see the error and the task's input
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e8-when, version: '1.0.0' }
      do:
        - ask:
            call: http
            with: { method: get, endpoint: 'http://shop.test/price' }
            metadata: { tutti: { retry: { when: '$error.status == 503 and .again', limit: { attempt: { count: 5 } } } } }
      """
    And given the workflow input is:
      """yaml
      again: true
      """
    And the server answers GET /price with status 503 1 times
    And the server answers GET /price with status 500
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 500
      """
    And the server should get 2 requests

  @core
  Scenario: The default of catalog functions: transient errors, three times
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e8-default, version: '1.0.0' }
      do:
        - ask: { call: llm.chat, with: { model: smart, prompt: Hi } }
      """
    And the function llm.chat fails with status 503
    When the workflow is executed
    Then the workflow should fault
    And the function llm.chat should be called 4 times

  Scenario: None turns the default off
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e8-none, version: '1.0.0' }
      do:
        - attempt:
            try: [ { ask: { call: http, with: { method: get, endpoint: 'http://shop.test/price' }, metadata: { tutti: { retry: none } } } } ]
            catch: { do: [ { no: { set: { price: null } } } ] }
      """
    And the server answers GET /price with status 503
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      price: null
      """
    And the server should get 1 request

  Scenario Outline: Where it means nothing, and names that are none
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e8-wrong, version: '1.0.0' }
      do:
        - a: { <task>, metadata: { tutti: { retry: <retry> } } }
      """
    Then the workflow should be refused with <code>

    Examples:
      | code | retry | task |
      | V30  | none  | wait: PT1S |
      | V30  | none  | try: [], catch: {} |
      | V13  | steady | set: { n: 1 } |
      | V04  | { dely: PT1S } | set: { n: 1 } |
