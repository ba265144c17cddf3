Feature: E7 idempotency keys of tasks

  Scenario: A list of keys is one for each item
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e7-items, version: '1.0.0' }
      do:
        - send:
            for: { in: '[ 1, 2 ]' }
            do:
              - mail:
                  call: http
                  with: { method: post, endpoint: 'http://mail.test/send', body: '${ $workflow.input.to }' }
                  metadata: { tutti: { idempotencyKey: '${ $workflow.input.to | map("mail/\(.)") }' } }
      """
    And given the workflow input is:
      """yaml
      to: [ ann, bob ]
      """
    And the server answers POST /send with status 503 1 times
    And the server answers POST /send with status 204
    When the workflow is executed
    Then the workflow should fault
    And request 1 should be:
      """yaml
      headers: { idempotency-key: '["mail/ann/do/0/send/do/0/mail/0","mail/bob/do/0/send/do/0/mail/0"]' }
      """

  Scenario Outline: What is no key is an error of the task, and nothing is sent
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e7-none, version: '1.0.0' }
      do:
        - mail: { call: http, with: { method: post, endpoint: 'http://mail.test/send' }, metadata: { tutti: { idempotencyKey: '${ <key> }' } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/validation
      instance: /do/0/mail
      """
    And the server should get 0 requests

    Examples:
      | key               |
      | .nothing          |
      | ""                |
      | 7                 |
      | "x" * 513         |
      | []                |
      | [ "a", null ]     |
      | [ range(1025) \| "k" ] |
