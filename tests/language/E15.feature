Feature: E15 budgets

  @core
  Scenario: A budget of tokens that is spent
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e15-tokens, version: '1.0.0', metadata: { tutti: { budget: { tokens: 1 } } } }
      do:
        - one: { set: { n: 1 } }
      """
    When the workflow is executed
    Then the workflow should complete

  @http
  Scenario: A spent budget faults the next call, whatever is left of the definition's
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e15-start, version: '1.0.0', metadata: { tutti: { budget: { tokens: 1000000 } } } }
      do:
        - one: { call: llm.chat, with: { model: simulated, prompt: 'A prompt of several words', max_tokens: 5 } }
        - two: { call: llm.chat, with: { model: simulated, prompt: 'And one more' } }
      """
    And the start request says:
      """yaml
      budget: { tokens: 60 }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://tutti.dev/errors/budget
      status: 402
      instance: /do/1/two
      """
    And the run's 'budget.tokens' should be:
      """yaml
      60
      """

  @http
  Scenario: A compensation is never stopped by a budget
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e15-undo, version: '1.0.0', metadata: { tutti: { saga: true, budget: { tokens: 60 } } } }
      do:
        - one:
            call: llm.chat
            with: { model: simulated, prompt: 'A prompt of several words', max_tokens: 5 }
            metadata: { tutti: { compensate: [ { undo: { call: http, with: { method: delete, endpoint: 'http://shop.test/one' } } } ] } }
        - two: { call: llm.chat, with: { model: simulated, prompt: 'And one more' } }
      """
    And the server answers DELETE /one with status 204
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 402
      """
    And the server should get 1 request of DELETE /one

  @http
  Scenario: What a child run costs counts, and it may spend no more than is left
    Given another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e15-child, version: '1.0.0' }
      do:
        - ask: { call: llm.chat, with: { model: simulated, prompt: 'A prompt of several words', max_tokens: 5 } }
        - more: { if: '${ $workflow.input.twice }', call: llm.chat, with: { model: simulated, prompt: 'And one more' } }
      """
    And a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e15-parent, version: '1.0.0', metadata: { tutti: { budget: { tokens: 60 } } } }
      do:
        - bounded: { try: [ { child: { run: { workflow: { namespace: language, name: e15-child, version: latest, input: { twice: true } } } } } ], catch: { as: e, do: [ { kept: { set: { text: '${ $e.detail }' }, export: { as: '{ said: .text }' } } } ] } }
        - spent: { try: [ { child: { run: { workflow: { namespace: language, name: e15-child, version: latest, input: { twice: false } } } } } ], catch: { as: e, do: [ { kept: { set: { type: '${ $e.type }', child: '${ $context.said | test("at /do/1/more") }' } } } ] } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      { type: 'https://tutti.dev/errors/budget', child: true }
      """

  Scenario Outline: Budgets that are none
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e15-wrong, version: '1.0.0', metadata: { tutti: { budget: <budget> } } }
      do:
        - one: { set: { n: 1 } }
      """
    Then the workflow should be refused with <code>

    Examples:
      | code | budget |
      | V06  | {} |
      | V06  | { usd: 0 } |
      | V06  | { tokens: 0.5 } |
      | V04  | { token: 5 } |
