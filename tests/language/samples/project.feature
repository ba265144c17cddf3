@http
Feature: project.yaml

  Scenario: The plan is given, each question is a child run, one of which fails
    Given the workflow of the example 'project.yaml'
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: research, name: agent-research, version: '1.0.0', title: In the place of the agent }
      input: { schema: { document: { type: object, required: [ question, repo ] } } }
      do:
        - doubt: { if: '.question | startswith("Why")', raise: { error: { type: 'https://x.test/e', status: 422, title: Nobody knows why } } }
        - answer: { set: { answer: '${ "It is so: \(.question)" }', sources: [ 'https://a.test', 'https://b.test' ] } }
      """
    And given the workflow input is:
      """yaml
      goal: To know more of it
      repo: acme/app
      items: [ What is this thing?, Why is it like that?, Where does it come from? ]
      """
    And the function llm.chat answers:
      """yaml
      content: All is known.
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'report' property with value:
      """yaml
      All is known.
      """
    And the workflow output should have a 'failed' property with value:
      """yaml
      1
      """
    And the workflow output should have a 'results.1.error' property with value:
      """yaml
      Nobody knows why
      """
    And the workflow output should have a 'results.0.answer' property with value:
      """yaml
      "It is so: What is this thing?"
      """
