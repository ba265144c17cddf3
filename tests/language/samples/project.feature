@http
Feature: project.yaml

  Scenario: The plan is given, each question is a child run with an agent, one of which fails
    Given the workflow of the example 'project.yaml'
    And another workflow of the example 'agent-research.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      goal: To know more of it
      repo: acme/app
      items: [ What is this thing?, Why is it so? ]
      """
    And the function llm.chat answers 1 times:
      """yaml
      { content: '{"answer":"It is so","sources":["https://a.test","https://b.test"]}' }
      """
    And the function llm.chat answers:
      """yaml
      content: One of them is open.
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'report' property with value:
      """yaml
      One of them is open.
      """
    And the workflow output should have a 'failed' property with value:
      """yaml
      1
      """
    And the workflow output should have a 'results' property containing 2 items
    And the function llm.chat should be called 4 times
    And the task research should run 2 times

  Scenario: A model makes the plan, and both children answer
    Given the workflow of the example 'project.yaml'
    And another workflow of the example 'agent-research.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      goal: To know yet more of it
      repo: acme/app
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: { items: [ What is this thing?, Where does it come from? ] }
      """
    And the function llm.chat answers 2 times:
      """yaml
      content: { answer: It is so, sources: [ 'https://a.test', 'https://b.test' ] }
      """
    And the function llm.chat answers:
      """yaml
      content: All is known.
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      report: All is known.
      failed: 0
      results:
        - { question: What is this thing?, ok: true, answer: It is so, sources: [ 'https://a.test', 'https://b.test' ] }
        - { question: Where does it come from?, ok: true, answer: It is so, sources: [ 'https://a.test', 'https://b.test' ] }
      """
