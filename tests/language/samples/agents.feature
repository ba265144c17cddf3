@later
Feature: agent-research.yaml and multi-agent.yaml

  Scenario: An agent reads two pages and answers
    Given the workflow of the example 'agent-research.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      question: What is a hub made of?
      repo: acme/app
      """
    And the function web.scrape_page answers:
      """yaml
      { url: 'https://a.test', data: { text: Steel } }
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: ''
      tool_calls: [ { id: c1, type: function, function: { name: web_scrape_page, arguments: '{"url":"https://a.test"}' } } ]
      """
    And the function llm.chat answers:
      """yaml
      content: { answer: Steel, sources: [ 'https://a.test', 'https://b.test' ] }
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'answer' property with value:
      """yaml
      Steel
      """
    And the workflow output should have a 'turns' property with value:
      """yaml
      2
      """

  Scenario: A plan, two agents, a critic that accepts
    Given the workflow of the example 'multi-agent.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      question: Will hubs be made of glass?
      rounds: 2
      """
    And the function llm.chat answers:
      """yaml
      content: { market: m, technology: t, accepted: true }
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'rounds' property with value:
      """yaml
      1
      """
