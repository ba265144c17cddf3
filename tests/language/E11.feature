Feature: E11 dead letters and retries

  @http
  Scenario: A job that is given up lies in the queue its task names; redriving opens the run again
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-redrive, version: '1.0.0' }
      do:
        - before: { call: http, with: { method: post, endpoint: 'http://shop.test/before' } }
        - pay:
            call: http
            with: { method: post, endpoint: 'http://shop.test/pay', body: { amount: 7 } }
            metadata: { tutti: { deadLetter: { queue: e11-pay }, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 1 } } } } }
      """
    And the server answers POST /before with status 200
    And the server answers POST /pay with status 503 2 times
    And the server answers POST /pay with status 200:
      """yaml
      ok: true
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 503
      """
    And the history should have 1 job.dead of pay
    When the API gets GET /v1/queues/e11-pay/dead-letters
    Then the answer should have status 200
    And the answer's 'items.0.task' should be:
      """yaml
      /do/1/pay
      """
    And the answer's 'items.0.attempts' should be:
      """yaml
      2
      """
    And the answer's 'items.0.input.body' should be:
      """yaml
      amount: 7
      """
    And the answer's 'analysis.0.count' should be:
      """yaml
      1
      """
    When the API gets POST /v1/queues/e11-pay/dead-letters/redrive-all
    Then the answer should have status 202
    And the answer's 'redriven' should be:
      """yaml
      1
      """
    And the history should have 1 run.retried
    And the workflow should complete with output:
      """yaml
      ok: true
      """
    And the server should get 1 request of POST /before
    And the server should get 3 requests of POST /pay
    When the API gets GET /v1/queues/e11-pay/dead-letters
    Then the answer's 'items' should be:
      """yaml
      []
      """

  @http
  Scenario: A run is retried with a patch of the arguments, under a new key
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-patch, version: '1.0.0' }
      do:
        - pay: { call: http, with: { method: post, endpoint: 'http://shop.test/pay', body: { amount: 7, to: ann } } }
      """
    And the server answers POST /pay with status 400 1 times
    And the server answers POST /pay with status 200:
      """yaml
      ok: true
      """
    When the workflow is executed
    Then the workflow should fault
    When the API gets POST /v1/runs/{run}/retry with:
      """yaml
      task: /do/0/pay
      input_patch: { body: { amount: 8 } }
      """
    Then the answer should have status 202
    And the workflow should complete with output:
      """yaml
      ok: true
      """
    And request 2 should be:
      """yaml
      body: { amount: 8, to: ann }
      """

  @http
  Scenario: What there is nothing to retry of
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-nothing, version: '1.0.0' }
      do:
        - a: { set: { n: 1 } }
      """
    When the workflow is executed
    Then the workflow should complete
    When the API gets POST /v1/runs/{run}/retry with:
      """yaml
      {}
      """
    Then the answer should have status 409
    And the answer's 'code' should be:
      """yaml
      nothing_to_retry
      """

  @http
  Scenario: A run that was undone is not opened again, and its dead letter can be dropped
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-undone, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - a: { set: { n: 1 }, metadata: { tutti: { compensate: [ { u: { set: '${ .n | keys }' } } ] } } }
        - b: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    When the workflow is executed
    Then the workflow should fault
    When the API gets POST /v1/runs/{run}/retry with:
      """yaml
      {}
      """
    Then the answer should have status 409
    When the API gets GET /v1/queues/default/dead-letters
    Then the answer's 'items.0.task' should be:
      """yaml
      /do/0/a
      """

  @http
  Scenario: The emit form records, and the workflow goes on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: deadletters, name: e11-emit, version: '1.0.0' }
      do:
        - attempt:
            try: [ { pay: { call: http, with: { method: post, endpoint: 'http://shop.test/pay' } } } ]
            catch:
              do:
                - record: { emit: { event: { with: { type: dev.tutti.deadletter.v1, source: 'https://shop.test', data: { queue: e11-emit, error: '${ $error }', input: { order: 7 } } } } } }
                - goOn: { set: { recorded: true } }
      """
    And the server answers POST /pay with status 500
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      recorded: true
      """
    When the API gets GET /v1/queues/e11-emit/dead-letters
    Then the answer's 'items.0.input' should be:
      """yaml
      order: 7
      """
    And the answer's 'items.0.error.status' should be:
      """yaml
      500
      """

  @core
  Scenario: The error is raised as usual
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-raised, version: '1.0.0' }
      do:
        - attempt:
            try:
              - ask: { call: llm.chat, with: { model: smart, prompt: Hi }, metadata: { tutti: { deadLetter: { queue: rag } } } }
            catch: { do: [ { seen: { set: { status: '${ $error.status }' } } } ] }
      """
    And the function llm.chat fails with status 503
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      status: 503
      """
    And the history should have 1 job.dead of ask

  Scenario: On anything but a call it means nothing
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-wrong, version: '1.0.0' }
      do:
        - a: { set: { n: 1 }, metadata: { tutti: { deadLetter: { queue: rag } } } }
      """
    Then the workflow should be refused with V30

  @http
  Scenario: Where all attempts are spent, the run waits for an operator
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-paused, version: '1.0.0' }
      do:
        - before: { call: http, with: { method: post, endpoint: 'http://shop.test/before' } }
        - pay:
            call: http
            with: { method: post, endpoint: 'http://shop.test/pay' }
            metadata: { tutti: { onExhausted: pause, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 1 } } } } }
      """
    And the server answers POST /before with status 200
    And the server answers POST /pay with status 503 2 times
    And the server answers POST /pay with status 200:
      """yaml
      ok: true
      """
    When the workflow is executed
    Then the history should have 1 run.suspended
    And the history should have 1 task.paused of pay
    And the history should have 1 job.dead of pay
    When the engine is killed and restarted
    And the run is resumed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the server should get 1 request of POST /before
    And the server should get 3 requests of POST /pay

  @http
  Scenario: What waits for an operator is shown, redriven with a patch, or let fail
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-operator, version: '1.0.0' }
      do:
        - pay:
            call: http
            with: { method: post, endpoint: 'http://shop.test/pay', body: { amount: 7 } }
            metadata: { tutti: { deadLetter: { queue: e11-operator }, onExhausted: pause, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 1 } } } } }
      """
    And the server answers POST /pay with status 503 4 times
    When the workflow is executed
    Then the history should have 1 run.suspended
    And the run's 'status' should be:
      """yaml
      suspended
      """
    And the run's 'waiting_for.0.kind' should be:
      """yaml
      dead_letter
      """
    And the run's 'waiting_for.0.task' should be:
      """yaml
      /do/0/pay
      """
    When the API gets GET /v1/queues/e11-operator/dead-letters
    Then the answer's 'items.0.attempts' should be:
      """yaml
      2
      """
    When the API gets POST /v1/runs/{run}/retry with:
      """yaml
      task: /do/0/pay
      input_patch: { body: { amount: 8 } }
      """
    Then the answer should have status 202
    And the history should have 2 run.suspended
    And request 3 should be:
      """yaml
      body: { amount: 8 }
      """
    When the API gets POST /v1/runs/{run}/fail with:
      """yaml
      {}
      """
    Then the answer should have status 202
    And the workflow should fault with error:
      """yaml
      status: 503
      """
    When the API gets POST /v1/runs/{run}/fail with:
      """yaml
      {}
      """
    Then the answer should have status 409

  Scenario Outline: Where it means nothing, it is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e11-refused, version: '1.0.0' }
      do:
        - a: { <task>, metadata: { tutti: { <key> } } }
      """
    Then the workflow should be refused with <code>

    Examples:
      | task            | key                                                              | code |
      | set: { n: 1 }   | onExhausted: pause                                               | V30  |
      | call: worker.a  | onExhausted: wait                                                | V06  |
      | call: worker.a  | compensate: [ { u: { call: worker.b, metadata: { tutti: { onExhausted: pause } } } } ] | V30  |
