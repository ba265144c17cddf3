@http
Feature: E7 idempotencyKey of the document

  Background:
    Given a workflow with definition:
      """yaml
      document:
        dsl: '1.0.3'
        namespace: language
        name: e7-order
        version: '1.0.0'
        metadata: { tutti: { idempotencyKey: '${ .order }' } }
      do: [ { wait: { listen: { to: { one: { with: { type: e7.never } } } } } } ]
      """

  Scenario: A second start finds the first run
    Given the workflow input is:
      """yaml
      order: a-1
      """
    When the workflow is executed
    Then the run should be waiting
    When the API gets POST /v1/runs with:
      """yaml
      workflow: language/e7-order
      input: { order: a-1, again: true }
      """
    Then the answer should have status 200
    And the answer's 'input' should be:
      """yaml
      order: a-1
      """
    When the engine is killed and restarted
    And the API gets POST /v1/runs with:
      """yaml
      workflow: language/e7-order
      input: { order: a-1 }
      """
    Then the answer should have status 200
    When the API gets POST /v1/runs with:
      """yaml
      workflow: language/e7-order
      input: { order: a-2 }
      """
    Then the answer should have status 201

  Scenario: An input without a key is refused
    Given the workflow input is:
      """yaml
      order: 17
      """
    When the workflow is executed
    Then the start should be refused with code input_invalid
