Feature: chat-session.yaml

  Scenario: Two messages are answered, then silence ends the conversation
    Given the workflow of the example 'chat-session.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      user: Ann
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: Good morning
      """
    And the function llm.chat answers 1 times:
      """yaml
      content: It rains
      """
    When the workflow is executed
    Then the run should be waiting
    When the signal message is sent with:
      """yaml
      text: Hello
      """
    And the engine is killed and restarted
    Then the function llm.chat should be called 1 time
    When the signal message is sent with:
      """yaml
      text: And the weather?
      """
    Then the function llm.chat should be called 2 times
    And the task answer should run 2 times

  @core
  Scenario: After half an hour of silence the conversation is remembered
    Given the workflow of the example 'chat-session.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      user: Ann
      """
    And the function llm.chat answers:
      """yaml
      content: Good morning
      """
    And the function memory.remember answers:
      """yaml
      {}
      """
    When the workflow is executed
    And the signal message is sent with:
      """yaml
      text: Hello
      """
    And 29 minutes pass
    Then the run should be waiting
    And the function memory.remember should be called 0 times
    When 1 minute passes
    Then the workflow should complete with output:
      """yaml
      messages: [ { role: user, content: Hello }, { role: assistant, content: Good morning } ]
      """
    And the function memory.remember should be called with:
      """yaml
      namespace: sessions
      content: "user - Hello\nassistant - Good morning"
      metadata: { user: Ann }
      """
    And the function llm.chat should be called with:
      """yaml
      messages: [ { role: user, content: Hello } ]
      """
