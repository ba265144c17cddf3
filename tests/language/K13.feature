Feature: K13 retry

  Scenario: The first attempt is not a retry (A2)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-count, version: '1.0.0' }
      do:
        - attempt:
            try: [ { get: { call: http, with: { method: get, endpoint: 'https://shop.test/x' } } } ]
            catch: { retry: { limit: { attempt: { count: 3 } } } }
      """
    And the server answers GET /x with status 503
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 503
      instance: /do/0/attempt/try/0/get
      """
    And the server should get 4 requests

  Scenario: It goes on as soon as an attempt succeeds
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-success, version: '1.0.0' }
      do:
        - attempt:
            try: [ { get: { call: http, with: { method: get, endpoint: 'https://shop.test/x' } } } ]
            catch: { retry: { delay: { milliseconds: 10 }, limit: { attempt: { count: 5 } } } }
      """
    And the server answers GET /x with status 404 2 times
    And the server answers GET /x with status 200:
      """yaml
      fine: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      fine: true
      """
    And the server should get 3 requests
    And the task get should run 3 times
    And the history should have 2 task.retried

  Scenario: Retry first, then do, once (A1)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-do, version: '1.0.0' }
      do:
        - attempt:
            try: [ { get: { call: http, with: { method: get, endpoint: 'https://shop.test/x' } } } ]
            catch: { retry: { limit: { attempt: { count: 2 } } }, do: [ { instead: { set: { status: '${ $error.status }' } } } ] }
      """
    And the server answers GET /x with status 500
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      status: 500
      """
    And the server should get 3 requests
    And the task instead should run 1 time

  Scenario Outline: when and exceptWhen of the policy refuse a retry (A1)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-when, version: '1.0.0' }
      do:
        - attempt:
            try: [ { get: { call: http, with: { method: get, endpoint: 'https://shop.test/x' } } } ]
            catch: { retry: { <condition>, limit: { attempt: { count: 2 } } }, do: [ { instead: { set: { status: '${ $error.status }' } } } ] }
      """
    And the server answers GET /x with status 404
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      status: 404
      """
    And the server should get <requests> requests

    Examples:
      | condition                        | requests |
      | when: $error.status >= 500       | 1        |
      | when: $error.status == 404       | 3        |
      | exceptWhen: $error.status == 404 | 1        |
      | exceptWhen: $error.status >= 500 | 3        |

  @core
  Scenario Outline: How long it waits (A3, A4)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-waits, version: '1.0.0' }
      do:
        - attempt:
            try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 500, title: T } } } } ]
            catch: { retry: { delay: { seconds: 3 }, backoff: <backoff>, limit: { attempt: { count: 4 } } } }
      """
    When the workflow is executed
    Then the workflow should fault
    And the task stop should run 5 times
    And the run should have taken <time>

    Examples:
      | backoff                                                 | time         |
      | { constant: {} }                                        | 12 seconds   |
      | { linear: {} }                                          | 30 seconds   |
      | { linear: { increment: PT1S } }                         | 18 seconds   |
      | { exponential: {} }                                     | 45 seconds   |
      | { exponential: { multiplier: 3 } }                      | 120 seconds  |
      | { exponential: { multiplier: 1.5 } }                    | 24375 milliseconds |
      | { exponential: { maxDelay: PT10S } }                    | 29 seconds   |

  @core
  Scenario: Jitter adds to every wait (A5)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-jitter, version: '1.0.0' }
      do:
        - attempt:
            try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 500, title: T } } } } ]
            catch: { retry: { delay: { seconds: 3 }, jitter: { from: PT1S, to: PT1S }, limit: { attempt: { count: 2 } } } }
      """
    When the workflow is executed
    Then the workflow should fault
    And the run should have taken 8 seconds

  @core
  Scenario: limit.attempt.duration bounds each attempt (A6)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-attempt, version: '1.0.0' }
      do:
        - attempt:
            try: [ { pause: { wait: PT1M } } ]
            catch: { retry: { delay: PT5S, limit: { attempt: { count: 2, duration: PT10S } } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout
      status: 408
      """
    And the task pause should run 3 times
    And the run should have taken 40 seconds

  @core
  Scenario: limit.duration bounds all attempts with their waits (A6)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-total, version: '1.0.0' }
      do:
        - attempt:
            try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 500, title: T } } } } ]
            catch: { retry: { delay: PT10S, limit: { attempt: { count: 100 }, duration: PT35S } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 500
      """
    And the task stop should run 4 times

  Scenario: A policy by name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-named, version: '1.0.0' }
      use:
        retries:
          twice: { delay: { milliseconds: 1 }, limit: { attempt: { count: 2 } } }
      do:
        - attempt:
            try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 500, title: T } } } } ]
            catch: { retry: twice }
      """
    When the workflow is executed
    Then the workflow should fault
    And the task stop should run 3 times

  Scenario: An unknown policy is refused, with the nearest name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-unknown, version: '1.0.0' }
      use: { retries: { twice: { limit: { attempt: { count: 2 } } } } }
      do:
        - attempt: { try: [ { a: { set: { x: 1 } } } ], catch: { retry: twise } }
      """
    Then the workflow should be refused with V13 at line 4
    And the fix should say 'twice'

  @core
  Scenario: A restart does not shorten or repeat a wait
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-restart, version: '1.0.0' }
      do:
        - attempt:
            try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 500, title: T } } } } ]
            catch: { retry: { delay: PT10S, limit: { attempt: { count: 2 } } } }
      """
    When the workflow is executed
    And 4 seconds pass
    And the engine is killed and restarted
    And 7 seconds pass
    Then the task stop should run 2 times
    And the workflow should fault
    And the run should have taken 20 seconds

  @core
  Scenario Outline: limit.duration ends an attempt that is at work (A6)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-within, version: '1.0.0' }
      do:
        - attempt: <task>
      """
    And the server answers GET /x never
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout
      status: 408
      """
    And the run should have taken <time> seconds
    And the task <name> should run <runs> times

    Examples:
      | time | name  | runs | task |
      | 35   | pause | 1    | { try: [ { pause: { wait: PT1M } } ], catch: { retry: { limit: { duration: PT35S } } } } |
      | 35   | pause | 3    | { try: [ { pause: { wait: PT1M } } ], catch: { retry: { delay: PT5S, limit: { attempt: { duration: PT10S }, duration: PT35S } } } } |
      | 35   | pause | 1    | { do: [ { pause: { wait: PT1M } } ], metadata: { tutti: { retry: { limit: { duration: PT35S } } } } } |

  Scenario Outline: What is no policy is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k13-refused, version: '1.0.0' }
      do:
        - attempt: { try: [ { a: { set: { x: 1 } } } ], catch: { retry: <retry> } }
      """
    Then the workflow should be refused with <code> at line 3

    Examples:
      | retry                                                        | code |
      | { jitter: { from: PT1S } }                                   | V06  |
      | { jitter: { from: PT2S, to: PT1S } }                         | V07  |
      | { backoff: {} }                                              | V06  |
      | { backoff: { constant: {}, linear: {} } }                    | V06  |
      | { backoff: { exponential: { multiplier: 0.5 } } }            | V06  |
      | { limit: { attempt: { count: -1 } } }                        | V06  |
      | { limit: { count: 3 } }                                      | V04  |
      | { delay: 5s }                                                | V07  |
