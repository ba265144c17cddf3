Feature: E1 sagas

  Scenario: What completed is undone, last first, and the error stays
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-order, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - room:
            call: http
            with: { method: post, endpoint: 'http://shop.test/rooms' }
            metadata: { tutti: { compensate: [ { noRoom: { call: http, with: { method: delete, endpoint: '${ "http://shop.test/rooms/\($output.id)" }' } } } ] } }
        - seat:
            call: http
            with: { method: post, endpoint: 'http://shop.test/seats' }
            metadata: { tutti: { compensate: [ { noSeat: { call: http, with: { method: delete, endpoint: '${ "http://shop.test/seats/\(.id)" }' } } } ] } }
        - pay: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402, title: No money } } }
      """
    And the server answers POST /rooms with status 200:
      """yaml
      id: r1
      """
    And the server answers POST /seats with status 200:
      """yaml
      id: s1
      """
    And the server answers DELETE /rooms/r1 with status 204
    And the server answers DELETE /seats/s1 with status 204
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.test/errors/broke
      status: 402
      """
    And the server should get 4 requests
    And request 3 should be:
      """yaml
      method: DELETE
      path: /seats/s1
      """
    And request 4 should be:
      """yaml
      method: DELETE
      path: /rooms/r1
      """
    And the run's 'compensation' should be:
      """yaml
      { state: completed, done: 2, failed: 0, total: 2 }
      """
    And the history should have in this order:
      | compensation.begun     |                |
      | compensation.started   | do/1/seat      |
      | task.completed         | noSeat         |
      | compensation.completed | do/1/seat      |
      | compensation.started   | do/0/room      |
      | compensation.completed | do/0/room      |
      | run.faulted            |                |

  Scenario: An undo goes out with the key of what it undoes
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-key, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - room:
            call: http
            with: { method: post, endpoint: 'http://shop.test/rooms' }
            metadata:
              tutti:
                idempotencyKey: ${ "booking-7" }
                compensate: [ { noRoom: { call: http, with: { method: delete, endpoint: 'http://shop.test/rooms' } } } ]
        - pay: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    And the server answers POST /rooms with status 200
    And the server answers DELETE /rooms with status 503 1 times
    And the server answers DELETE /rooms with status 204
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 402
      """
    And request 1 should be:
      """yaml
      headers: { idempotency-key: booking-7/do/0/room }
      """
    And request 2 should be:
      """yaml
      method: DELETE
      headers: { idempotency-key: booking-7/do/0/room/undo/1 }
      """
    And request 3 should be:
      """yaml
      method: DELETE
      headers: { idempotency-key: booking-7/do/0/room/undo/1 }
      """

  Scenario: A do as the scope; the workflow goes on after a catch around it
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-do, version: '1.0.0' }
      do:
        - outside: { set: { n: 0 }, metadata: { tutti: { compensate: [ { no: { call: http, with: { method: delete, endpoint: 'http://shop.test/outside' } } } ] } } }
        - attempt:
            try:
              - trip:
                  metadata: { tutti: { saga: true } }
                  do:
                    - inside: { set: { n: 1 }, metadata: { tutti: { compensate: [ { no: { call: http, with: { method: delete, endpoint: 'http://shop.test/inside' } } } ] } } }
                    - pay: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
            catch: { do: [ { sorry: { set: { caught: '${ $error.status }' } } } ] }
      """
    And the server answers DELETE /inside with status 204
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      caught: 402
      """
    And the server should get 1 request

  Scenario: Values as they were when the task completed
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-values, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - first: { set: { n: 1 }, export: { as: '{ c: 1 }' } }
        - second:
            input: { from: '{ x: .n }' }
            set: { m: '${ .x + 1 }' }
            metadata:
              tutti:
                compensate:
                  - tell:
                      call: http
                      with:
                        method: post
                        endpoint: http://shop.test/undo
                        body: { data: '${ . }', input: '${ $input }', output: '${ $output }', context: '${ $context }', step: '${ $steps.first }', error: '${ $error.status }' }
        - third: { set: { n: 3 }, export: { as: '{ c: 2 }' } }
        - pay: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    And the server answers POST /undo with status 200
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 402
      """
    And request 1 should be:
      """yaml
      body: { data: { m: 2 }, input: { x: 1 }, output: { m: 2 }, context: { c: 1 }, step: { n: 1 }, error: 402 }
      """

  Scenario: Cancelling a run undoes it
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-cancel, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - room:
            set: { id: 7 }
            metadata: { tutti: { compensate: [ { no: { call: http, with: { method: post, endpoint: 'http://shop.test/undo', body: { id: '${ $output.id }', why: '${ $error.title }' } } } } ] } }
        - wait: { listen: { to: { one: { with: { type: never } } } } }
      """
    And the server answers POST /undo with status 200
    When the workflow is executed
    Then the run should be waiting
    When the run is cancelled
    Then the workflow should cancel
    And request 1 should be:
      """yaml
      body: { id: 7, why: Cancelled }
      """

  @core
  Scenario: A timeout leaves the scope, and does not cut the undoing short
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-timeout, version: '1.0.0' }
      timeout: { after: { seconds: 10 } }
      do:
        - trip:
            metadata: { tutti: { saga: true } }
            do:
              - room: { set: { n: 1 }, metadata: { tutti: { compensate: [ { later: { wait: { minutes: 1 } } }, { no: { call: http, with: { method: delete, endpoint: 'http://shop.test/room' } } } ] } } }
              - wait: { wait: { hours: 1 } }
      """
    And the server answers DELETE /room with status 204
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 408
      """
    And the server should get 1 request
    And the run should have taken 70 seconds

  Scenario: The engine dies while it undoes
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-killed, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - a: { set: { n: 1 }, metadata: { tutti: { compensate: [ { ua: { call: http, with: { method: delete, endpoint: 'http://shop.test/a' } } } ] } } }
        - b: { set: { n: 2 }, metadata: { tutti: { compensate: [ { ub: { listen: { to: { one: { with: { type: go } } } } } } ] } } }
        - fail: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    And the server answers DELETE /a with status 204
    When the workflow is executed
    Then the run should be running
    When the engine is killed and restarted
    And the signal go is sent
    Then the workflow should fault with error:
      """yaml
      status: 402
      """
    And the server should get 1 request
    And the history should have 2 compensation.completed

  Scenario: What a function's worker hands in undoes its call, over the death of the engine
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-declared, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - room: { call: shop.book, with: { n: 1 } }
        - kept: { call: shop.book, with: { n: 2 }, metadata: { tutti: { compensate: false } } }
        - own: { call: shop.book, with: { n: 3 }, metadata: { tutti: { compensate: [ { other: { call: shop.drop, with: { n: '${ $input.n }', id: '${ $output.id }' } } } ] } } }
        - wait: { listen: { to: { one: { with: { type: go } } } } }
        - fail: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    And the function shop.book is described by:
      """yaml
      { effect: send, idempotency: none, compensation: { summary: Cancels the booking } }
      """
    And the function shop.book answers 3 times:
      """yaml
      id: 7
      """
    And it is undone by:
      """yaml
      - { function: shop.cancel, with: { id: 7 } }
      - { function: shop.tell, with: { about: 7 } }
      """
    And the function shop.cancel answers:
      """yaml
      null
      """
    And the function shop.tell answers:
      """yaml
      null
      """
    And the function shop.drop answers:
      """yaml
      null
      """
    When the workflow is executed
    Then the run should be waiting
    When the engine is killed and restarted
    And the signal go is sent
    Then the workflow should fault with error:
      """yaml
      status: 402
      """
    And the function shop.cancel should be called 1 time
    And the function shop.cancel should be called with:
      """yaml
      id: 7
      """
    And the function shop.tell should be called 1 time
    And the function shop.drop should be called 1 time
    And functions should be called in this order:
      | shop.book   |
      | shop.book   |
      | shop.book   |
      | shop.drop   |
      | shop.cancel |
      | shop.tell   |
    And the run's 'compensation' should be:
      """yaml
      { state: completed, done: 2, failed: 0, total: 2 }
      """

  @core
  Scenario: A compensation that keeps failing is given up, and the rest is undone
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-dead, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - a: { set: { n: 1 }, metadata: { tutti: { compensate: [ { ua: { call: http, with: { method: delete, endpoint: 'http://shop.test/a' } } } ] } } }
        - b: { set: { n: 2 }, metadata: { tutti: { compensate: [ { ub: { call: http, with: { method: delete, endpoint: 'http://shop.test/b' } } } ] } } }
        - fail: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    And the server answers DELETE /a with status 204
    And the server answers DELETE /b with status 404
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 402
      """
    And the server should get 11 requests of DELETE /b
    And the server should get 1 request of DELETE /a
    And the history should have 1 compensation.failed of do/1/b
    And the history should have 1 job.dead of ub
    And the run's 'compensation' should be:
      """yaml
      { state: failed, done: 1, failed: 1, total: 2 }
      """

  Scenario: A saga that is tried again calls with new keys
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-again, version: '1.0.0' }
      do:
        - attempt:
            try:
              - trip:
                  metadata: { tutti: { saga: true } }
                  do:
                    - room: { call: http, with: { method: post, endpoint: 'http://shop.test/rooms' }, metadata: { tutti: { compensate: [ { no: { call: http, with: { method: delete, endpoint: 'http://shop.test/rooms' } } } ] } } }
                    - seat: { call: http, with: { method: post, endpoint: 'http://shop.test/seats' } }
            catch: { retry: { limit: { attempt: { count: 1 } } } }
      """
    And the server answers POST /rooms with status 200
    And the server answers DELETE /rooms with status 204
    And the server answers POST /seats with status 500 1 times
    And the server answers POST /seats with status 200
    When the workflow is executed
    Then the workflow should complete
    And the server should get 2 requests of POST /rooms
    And the server should get 1 request of DELETE /rooms

  Scenario: What means nothing is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-wrong, version: '1.0.0' }
      do:
        - a: { set: { n: 1 }, metadata: { tutti: { saga: true } } }
      """
    Then the workflow should be refused with V30 at line 3, column 46

  Scenario: A function of the document undoes by its name, with the output of what it undoes
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-name, version: '1.0.0', metadata: { tutti: { saga: true } } }
      use: { functions: { cancel: { call: http, with: { method: post, endpoint: 'http://shop.test/cancel', body: '${ . }' } } } }
      do:
        - room: { set: { id: 7 }, metadata: { tutti: { compensate: cancel } } }
        - pay: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    And the server answers POST /cancel with status 204
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 402
      """
    And request 1 should be:
      """yaml
      body: { id: 7 }
      """

  Scenario: Terminating a run undoes nothing
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-terminate, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - room: { set: { id: 7 }, metadata: { tutti: { compensate: [ { no: { call: http, with: { method: post, endpoint: 'http://shop.test/undo' } } } ] } } }
        - wait: { listen: { to: { one: { with: { type: never } } } } }
      """
    When the workflow is executed
    Then the run should be waiting
    When the run is terminated
    Then the run should be terminated
    And the server should get 0 requests

  Scenario: Iterations are undone one by one, the last first
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-loop, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - all:
            for: { in: '[ 1, 2, 3 ]' }
            do:
              - one: { set: { n: '${ $item }' }, metadata: { tutti: { compensate: [ { no: { call: http, with: { method: post, endpoint: 'http://shop.test/undo', body: '${ $output }' } } } ] } } }
        - pay: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    And the server answers POST /undo with status 204
    When the workflow is executed
    Then the workflow should fault
    And request 1 should be:
      """yaml
      body: { n: 3 }
      """
    And request 2 should be:
      """yaml
      body: { n: 2 }
      """
    And request 3 should be:
      """yaml
      body: { n: 1 }
      """
    And the server should get 3 requests

  Scenario Outline: An error that does not leave the saga undoes nothing, one that leaves a saga around undoes what is within
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e1-leaves, version: '1.0.0'<saga> }
      do:
        - trip:
            metadata: { tutti: { saga: true } }
            do:
              - room: { set: { id: 7 }, metadata: { tutti: { compensate: [ { no: { call: http, with: { method: post, endpoint: 'http://shop.test/undo' } } } ] } } }
              - tried: { try: [ { no: { raise: { error: { type: 'https://shop.test/e', status: 500 } } } } ], catch: {} }
        - after: <after>
      """
    And the server answers POST /undo with status 204
    When the workflow is executed
    Then the workflow should <end>
    And the server should get <requests> requests

    Examples:
      | saga                                    | after                                                           | end      | requests |
      |                                         | { set: { n: 1 } }                                               | complete | 0        |
      |                                         | { raise: { error: { type: 'https://shop.test/e', status: 500 } } } | fault | 0        |
      | , metadata: { tutti: { saga: true } }   | { raise: { error: { type: 'https://shop.test/e', status: 500 } } } | fault | 1        |
