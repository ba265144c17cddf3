@http
Feature: seo-assistants.yaml

  Background:
    Given the workflow of the example 'seo-assistants.yaml'

  Scenario: Two assistants of the store write in turn
    When the API gets PUT /v1/assistants/writer with:
      """yaml
      labels: { project: bikes }
      model: smart
      system: 'Write about {{topic}}, as on {{date}}.'
      """
    And the API gets PUT /v1/assistants/editor with:
      """yaml
      labels: { project: bikes }
      model: smart
      system: Mend what is there.
      """
    Given the function llm.chat answers 1 times:
      """yaml
      content: Mended.
      """
    And the function llm.chat answers:
      """yaml
      content: Written.
      """
    And given the workflow input is:
      """yaml
      topic: Bicycles
      project: bikes
      date: '2026-05-01'
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'article' property with value:
      """yaml
      Written.
      """
    And the workflow output should have a 'steps' property containing 2 items
    And the workflow output should have a 'steps.0.assistant' property with value:
      """yaml
      editor
      """
    And the workflow output should have a 'steps.1.assistant' property with value:
      """yaml
      writer
      """
    And call 2 of the function llm.chat should be:
      """yaml
      messages:
        - { role: system, content: 'Write about Bicycles, as on 2026-05-01.' }
        - { role: user, content: "Topic: Bicycles\n\nThe text so far, if there is one:\nMended." }
      """

  Scenario: A project without assistants
    Given given the workflow input is:
      """yaml
      topic: Bicycles
      project: nobody
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://tutti.dev/errors/no-assistant
      status: 404
      detail: nobody
      """
