Feature: E13 functions of the catalog by name, version and catalog

  Scenario Outline: <call> is the newest that fits
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e13-call, version: '1.0.0' }
      do:
        - ask: { call: '<call>', with: { model: smart, prompt: Hi }, output: { as: .content } }
      """
    And the function llm.chat answers:
      """yaml
      content: Hello
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      Hello
      """

    Examples:
      | call               |
      | llm.chat           |
      | llm.chat:1         |
      | llm.chat:1.0       |
      | llm.chat:1.0.0     |
      | llm.chat@default   |
      | llm.chat:1@default |

  Scenario Outline: <call> is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e13-refused, version: '1.0.0' }
      do:
        - ask: { call: '<call>', with: { model: smart, prompt: Hi } }
      """
    Then the workflow should be refused with <code> at line 3
    And the finding should say '<words>'

    Examples:
      | call               | code | words                 |
      | llm.chat:2         | V14  | no version `2`        |
      | llm.chat:1.1       | V14  | no version `1.1`      |
      | llm.chat:one       | V14  | no version `one`      |
      | llm.chat@mine      | V13  | no catalog `mine`     |
      | llm.talk           | V14  | no function           |
      | llm.chat:1@        | V14  | names no function     |
