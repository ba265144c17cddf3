Feature: E16 cache

  Scenario: An equal call is answered by what the first one got
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-hit, version: '1.0.0' }
      do:
        - first: { call: worker.e16_hit, with: { url: 'https://a.test' }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
        - second: { call: worker.e16_hit, with: { url: 'https://a.test' }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
        - other: { call: worker.e16_hit, with: { url: 'https://b.test' }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
        - together: { set: '${ [ $steps.first, $steps.second, $steps.other ] }' }
      """
    And the function worker.e16_hit answers:
      """yaml
      page: 1
      """
    And the function worker.e16_hit answers:
      """yaml
      page: 2
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ { page: 1 }, { page: 1 }, { page: 2 } ]
      """
    And the function worker.e16_hit should be called 2 times
    And the history should have 2 job.completed
    And the history should have 1 cache.hit of second
    And the history should have in this order:
      | cache.asked    | first  |
      | job.scheduled  | first  |
      | job.completed  | first  |
      | task.completed | first  |
      | cache.asked    | second |
      | cache.hit      | second |
      | task.completed | second |

  @core
  Scenario: An answer is kept for its time, and no longer
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-age, version: '1.0.0' }
      do:
        - a: { call: worker.e16_age, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
        - w: { wait: { minutes: 59 } }
        - b: { call: worker.e16_age, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
        - x: { wait: { minutes: 2 } }
        - c: { call: worker.e16_age, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
        - d: { call: worker.e16_age, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1S } } } }
        - y: { wait: { seconds: 1 } }
        - e: { call: worker.e16_age, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1S } } } }
        - all: { set: '${ [ $steps.a, $steps.b, $steps.c, $steps.d, $steps.e ] }' }
      """
    And the function worker.e16_age answers:
      """yaml
      1
      """
    And the function worker.e16_age answers:
      """yaml
      2
      """
    And the function worker.e16_age answers:
      """yaml
      3
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ 1, 1, 2, 2, 3 ]
      """

  Scenario: The key says what the answer depends on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-key, version: '1.0.0' }
      do:
        - each:
            for: { in: '[ 1, 2, 3, 4 ]' }
            do:
              - ask:
                  call: worker.e16_key
                  with: { n: '${ $item }' }
                  output: { as: '[ $item, . ]' }
                  metadata: { tutti: { cache: { maxAge: PT1H, key: '${ $item % 2 }' } } }
            metadata: { tutti: { parallel: 1 } }
      """
    And the function worker.e16_key answers with its input
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ [ 1, { n: 1 } ], [ 2, { n: 2 } ], [ 3, { n: 1 } ], [ 4, { n: 2 } ] ]
      """
    And the function worker.e16_key should be called 2 times

  Scenario: Equal calls at once wait for the first of them
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-flight, version: '1.0.0' }
      do:
        - each:
            for: { in: '[ range(20) ]' }
            do: [ { ask: { call: worker.e16_flight, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } } } ]
            metadata: { tutti: { parallel: 20 } }
        - count: { set: '${ { calls: length, first: .[0] } }' }
      """
    And the function worker.e16_flight answers:
      """yaml
      yes
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      { calls: 20, first: 'yes' }
      """
    And the function worker.e16_flight should be called 1 times
    And the history should have 19 cache.hit

  Scenario: An error is not kept, and the next one that waits calls
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-error, version: '1.0.0' }
      do:
        - each:
            for: { in: '[ range(4) ]' }
            do:
              - safe:
                  try: [ { ask: { call: worker.e16_error, with: { n: 1 }, metadata: { tutti: { retry: none, cache: { maxAge: PT1H } } } } } ]
                  catch: { do: [ { none: { set: '${ "failed" }' } } ] }
            metadata: { tutti: { parallel: 4 } }
        - sorted: { set: '${ sort }' }
      """
    And the function worker.e16_error fails with status 404
    And the function worker.e16_error answers:
      """yaml
      here
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ failed, here, here, here ]
      """
    And the function worker.e16_error should be called 2 times

  Scenario: An answer that the task refuses is not kept either, and is asked for anew
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-refused, version: '1.0.0' }
      do:
        - first: { call: worker.e16_refused, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
        - strict:
            try:
              - second:
                  call: worker.e16_refused
                  with: { n: 1 }
                  output: { schema: { format: json, document: { type: integer } } }
                  metadata: { tutti: { cache: { maxAge: PT1H } } }
            catch: { retry: { delay: { milliseconds: 10 }, limit: { attempt: { count: 3 } } } }
        - third: { call: worker.e16_refused, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
      """
    And the function worker.e16_refused answers:
      """yaml
      text
      """
    And the function worker.e16_refused answers:
      """yaml
      7
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      7
      """
    And the function worker.e16_refused should be called 2 times

  Scenario: What waits for an equal call says so, and is cancelled with its run
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-wait, version: '1.0.0' }
      do:
        - both:
            fork:
              branches:
                - one: { call: worker.e16_wait, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
                - two: { call: worker.e16_wait, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } }
      """
    And the function worker.e16_wait never answers
    When the workflow is executed
    And the engine is killed and restarted
    And the run is cancelled
    Then the workflow should cancel
    And the history should have 1 job.cancelled
    And the history should have 1 cache.left

  Scenario: Whoever waits too long fails, and the others go on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-timeout, version: '1.0.0' }
      do:
        - both:
            fork:
              branches:
                - slow:
                    do: [ { ask: { call: worker.e16_timeout, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } } } ]
                    timeout: { after: { seconds: 2 } }
                - quick:
                    try: [ { asked: { call: worker.e16_timeout, with: { n: 1 }, timeout: { after: { seconds: 1 } }, metadata: { tutti: { cache: { maxAge: PT1H } } } } } ]
                    catch: { errors: { with: { status: 408 } }, do: [ { late: { set: '${ "late" }' } } ] }
      """
    And the function worker.e16_timeout never answers
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 408
      instance: /do/0/both/fork/branches/0/slow
      """
    And the task late should be completed

  Scenario: A run that waits for an equal call is suspended and goes on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-pause, version: '1.0.0' }
      do:
        - go: { listen: { to: { one: { with: { type: go } } } } }
        - each:
            for: { in: '[ range(3) ]' }
            do: [ { ask: { call: worker.e16_pause, with: { n: 1 }, metadata: { tutti: { cache: { maxAge: PT1H } } } } } ]
            metadata: { tutti: { parallel: 3 } }
      """
    And the function worker.e16_pause answers:
      """yaml
      1
      """
    When the workflow is executed
    And the run is suspended
    And the signal go is sent
    And the run is resumed
    Then the workflow should complete with output:
      """yaml
      [ 1, 1, 1 ]
      """
    And the function worker.e16_pause should be called 1 times

  Scenario: A function of a worker that only reads
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-read, version: '1.0.0' }
      do:
        - a: { call: shop.look, with: { id: 1 }, metadata: { tutti: { cache: { maxAge: { minutes: 5 } } } } }
        - b: { call: 'shop.look:1@default', with: { id: 1 }, metadata: { tutti: { cache: { maxAge: { minutes: 5 } } } } }
      """
    And the function shop.look is described by:
      """yaml
      version: 1.0.0
      effect: read
      """
    And the function shop.look answers:
      """yaml
      there: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      there: true
      """
    And the function shop.look should be called 1 times

  Scenario: A function that writes is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-write, version: '1.0.0' }
      do:
        - a:
            call: shop.pay
            with: { id: 1 }
            metadata: { tutti: { cache: { maxAge: PT1H } } }
      """
    And the function shop.pay is described by:
      """yaml
      effect: create
      """
    When the workflow is executed
    Then the workflow should be refused with V30 at line 6, column 28
    And the finding should say 'only read'
    And the fix should say 'its effect is `create`'

  Scenario Outline: What cannot be kept
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e16-no, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
        - a: { <task>, metadata: { tutti: { cache: <cache> } } }
      """
    When the workflow is executed
    Then the workflow should be refused with <code>
    And the finding should say '<text>'

    Examples:
      | task                                                           | cache                      | code | text                           |
      | call: http, with: { method: get, endpoint: 'https://a.test/' } | { maxAge: PT1H }           | V30  | only read                      |
      | set: { n: 1 }                                                  | { maxAge: PT1H }           | V30  | belongs to a `call`            |
      | call: agent.run, with: { model: smart, input: Hi }             | { maxAge: PT1H }           | V30  | belongs to a `call`            |
      | call: worker.x, with: { n: 1 }                                 | { key: '${ 1 }' }          | V06  | maxAge                         |
      | call: worker.x, with: { n: 1 }                                 | { maxAge: PT0S }           | V06  | above 0                        |
      | call: worker.x, with: { n: 1 }                                 | { maxAge: 5m }             | V07  | duration                       |
      | call: worker.x, with: { n: 1 }                                 | { maxAge: PT1H, key: url } | V06  | expression                     |
      | call: worker.x, with: { n: 1 }                                 | { ttl: PT1H }              | V04  | ttl                            |
      | call: worker.x, with: { n: '${ $secrets.token }' }             | { maxAge: PT1H }           | V30  | needs `key`                    |
