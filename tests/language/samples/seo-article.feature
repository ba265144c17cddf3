Feature: seo-article.yaml

  Scenario: A draft per assistant; one fails and is listed
    Given the workflow of the example 'seo-article.yaml'
    And given the workflow input is:
      """yaml
      topic: Bicycles
      keywords: [ gears ]
      assistants:
        - { name: one, model: smart, prompt: You write. }
      """
    And the function llm.chat answers:
      """yaml
      content: { title: Gears, description: About gears, body: "Two hundred characters and more about gears, about chains, about the hubs in which gears hide, about hills that are climbed with them and descents that need none, about grease, patience, and the sound of a chain that runs." }
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'articles' property containing 1 items
    And the workflow output should have a 'failures' property containing 0 items
    And the workflow output should have a 'topic' property with value:
      """yaml
      Bicycles
      """

  @core
  Scenario: No assistant succeeds
    Given the workflow of the example 'seo-article.yaml'
    And given the workflow input is:
      """yaml
      topic: Bicycles
      assistants: [ { name: one, model: smart, prompt: You write. } ]
      """
    And the function llm.chat fails with status 500
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://tutti.dev/errors/no-article
      status: 502
      """
    And the function llm.chat should be called 4 times
