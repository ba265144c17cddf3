Feature: rag-answer.yaml

  Background:
    Given the workflow of the example 'rag-answer.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      question: What is a hub?
      """

  Scenario: The answer names passages that were recalled
    Given the function memory.recall answers:
      """yaml
      items: [ { key: p1, score: 0.9, content: A hub is the middle of a wheel. }, { key: p2, score: 0.4, content: Rims are round. } ]
      """
    And the function llm.chat answers:
      """yaml
      content: { answer: The middle of a wheel, known: true, sources: [ p1 ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      answer: The middle of a wheel
      known: true
      sources: [ p1 ]
      passages: [ { key: p1, score: 0.9, content: A hub is the middle of a wheel. } ]
      """
    And the function memory.recall should be called with:
      """yaml
      namespace: docs
      limit: 8
      """

  Scenario: Nothing was recalled, so no model is asked
    Given the function memory.recall answers:
      """yaml
      items: []
      """
    And given the workflow input is:
      """yaml
      question: What is a hub, then?
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      answer: There is nothing about this.
      known: false
      sources: []
      passages: []
      """
    And the function llm.chat should be called 0 times
