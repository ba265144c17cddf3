Feature: llm.embed

  Scenario: Vectors of texts
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: embed-texts, version: '1.0.0' }
      do:
        - embed: { call: llm.embed, with: { model: embedding, input: '${ .texts }' }, output: { as: .embeddings } }
      """
    And the workflow input is:
      """yaml
      texts: [ one, two ]
      """
    And the function llm.embed answers:
      """yaml
      { embeddings: [ [ 0.5 ], [ 1 ] ], model: e, usage: { input_tokens: 2, output_tokens: 0, cost_usd: '0' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ [ 0.5 ], [ 1 ] ]
      """

  Scenario: Arguments are checked before the job is queued
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: embed-wrong, version: '1.0.0' }
      do:
        - embed: { call: llm.embed, with: { model: embedding, input: '${ .texts }' } }
      """
    And the workflow input is:
      """yaml
      texts: 7
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/validation', status: 400, instance: /do/0/embed }
      """
