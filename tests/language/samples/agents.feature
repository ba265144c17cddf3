Feature: agent-research.yaml and multi-agent.yaml

  Scenario: An agent reads two pages, opens an issue when it may, and answers
    Given the workflow of the example 'agent-research.yaml'
    And the approver has the label 'team:research'
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
    And the function github.create_issue answers:
      """yaml
      { number: 7, url: 'https://github.test/issues/7' }
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: ''
      message:
        role: assistant
        content: null
        tool_calls:
          - { id: c1, type: function, function: { name: web_scrape_page, arguments: '{"url":"https://a.test"}' } }
          - { id: c2, type: function, function: { name: web_scrape_page, arguments: '{"url":"https://b.test"}' } }
      tool_calls:
        - { id: c1, type: function, function: { name: web_scrape_page, arguments: '{"url":"https://a.test"}' } }
        - { id: c2, type: function, function: { name: web_scrape_page, arguments: '{"url":"https://b.test"}' } }
      finish_reason: tool_calls
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: ''
      message:
        role: assistant
        content: null
        tool_calls: [ { id: c3, type: function, function: { name: github_create_issue, arguments: '{"title":"It rusts"}' } } ]
      tool_calls: [ { id: c3, type: function, function: { name: github_create_issue, arguments: '{"title":"It rusts"}' } } ]
      finish_reason: tool_calls
      """
    And the function llm.chat answers:
      """yaml
      content: '{"answer":"Steel","sources":["https://a.test","https://b.test"],"issue":"https://github.test/issues/7"}'
      message: { role: assistant, content: '{"answer":"Steel","sources":["https://a.test","https://b.test"],"issue":"https://github.test/issues/7"}' }
      tool_calls: []
      finish_reason: stop
      """
    When the workflow is executed
    Then the function web.scrape_page should be called 2 times
    And the function github.create_issue should be called 0 times
    When the approval is approved
    Then the workflow should complete with output:
      """yaml
      question: What is a hub made of?
      answer: Steel
      sources: [ 'https://a.test', 'https://b.test' ]
      issue: https://github.test/issues/7
      turns: 3
      """
    And the function github.create_issue should be called 1 time
    And the function github.create_issue should be called with:
      """yaml
      { repo: acme/app, title: It rusts }
      """

  Scenario: The issue is refused, which the model is told
    Given the workflow of the example 'agent-research.yaml'
    And the approver has the label 'team:research'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      question: What is a rim made of?
      repo: acme/app
      """
    And the function github.create_issue answers:
      """yaml
      {}
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: ''
      message:
        role: assistant
        content: null
        tool_calls: [ { id: c1, type: function, function: { name: github_create_issue, arguments: '{"title":"It rusts"}' } } ]
      tool_calls: [ { id: c1, type: function, function: { name: github_create_issue, arguments: '{"title":"It rusts"}' } } ]
      finish_reason: tool_calls
      """
    And the function llm.chat answers:
      """yaml
      content: '{"answer":"Aluminium","sources":["https://a.test","https://b.test"]}'
      message: { role: assistant, content: '{"answer":"Aluminium","sources":["https://a.test","https://b.test"]}' }
      tool_calls: []
      finish_reason: stop
      """
    When the workflow is executed
    And the approval is rejected
    Then the workflow should complete with output:
      """yaml
      question: What is a rim made of?
      answer: Aluminium
      sources: [ 'https://a.test', 'https://b.test' ]
      issue: null
      turns: 2
      """
    And the function github.create_issue should be called 0 times
    And the function llm.chat should be called 2 times

  @http
  Scenario: Who is not of the team does not decide about the issue
    Given the workflow of the example 'agent-research.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      question: What is a spoke made of?
      repo: acme/app
      """
    And the function llm.chat answers:
      """yaml
      content: ''
      tool_calls: [ { id: c1, type: function, function: { name: github_create_issue, arguments: '{"title":"It rusts"}' } } ]
      """
    When the workflow is executed
    And the approval is approved
    Then the decision should be refused with code not_assignee
    And the function github.create_issue should be called 0 times

  Scenario: The critic is content in the second round only
    Given the workflow of the example 'multi-agent.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      question: Will hubs be made of glass?
      rounds: 3
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: { market: Who buys glass?, technology: Does glass hold? }
      """
    And the function llm.chat answers 2 times:
      """yaml
      { content: Nobody knows., message: { role: assistant, content: Nobody knows. }, tool_calls: [], finish_reason: stop }
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: { accepted: false, market: Numbers, technology: A test }
      """
    And the function llm.chat answers 2 times:
      """yaml
      { content: It breaks., message: { role: assistant, content: It breaks. }, tool_calls: [], finish_reason: stop }
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: { accepted: true }
      """
    And the function llm.chat answers:
      """yaml
      content: No, they break.
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      answer: No, they break.
      accepted: true
      rounds: 2
      """
    And the function llm.chat should be called 8 times
    And call 7 of the function llm.chat should be:
      """yaml
      model: careful
      """
    And the task critic should run 2 times

  Scenario: The rounds are used up before the critic is content
    Given the workflow of the example 'multi-agent.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      question: Will rims be made of glass?
      rounds: 1
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: { market: Who buys glass?, technology: Does glass hold? }
      """
    And the function llm.chat answers 2 times:
      """yaml
      { content: Nobody knows., message: { role: assistant, content: Nobody knows. }, tool_calls: [], finish_reason: stop }
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: { accepted: false, market: Numbers, technology: A test }
      """
    And the function llm.chat answers:
      """yaml
      content: Perhaps.
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      answer: Perhaps.
      accepted: false
      rounds: 1
      """
