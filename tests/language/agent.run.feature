Feature: agent.run

  Scenario: An answer without calls is the output
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: agent-answer, version: '1.0.0' }
      do:
        - agent: { call: agent.run, with: { model: smart, instructions: Be brief, input: Go }, output: { as: '{ content, turns, tool_calls }' } }
      """
    And the function llm.chat answers:
      """yaml
      { content: done, message: { role: assistant, content: done }, tool_calls: [], finish_reason: stop }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      { content: done, turns: 1, tool_calls: [] }
      """

  Scenario: No turn is left for the results of tools
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: agent-turns, version: '1.0.0' }
      do:
        - agent: { call: agent.run, with: { model: smart, input: Go, maxTurns: 1, tools: [ { function: http, name: fetch } ] } }
      """
    And the function llm.chat answers:
      """yaml
      content: ''
      message: { role: assistant, content: null, tool_calls: [ { id: c, type: function, function: { name: fetch, arguments: '{}' } } ] }
      tool_calls: [ { id: c, type: function, function: { name: fetch, arguments: '{}' } } ]
      finish_reason: tool_calls
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      { type: 'https://tutti.dev/errors/max-turns', status: 422, instance: /do/0/agent }
      """

  Scenario: An answer of the wrong shape gets one turn more
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: agent-shape, version: '1.0.0' }
      do:
        - agent: { call: agent.run, with: { model: smart, input: Go, schema: { type: object, required: [ n ] } }, output: { as: '{ content, turns }' } }
      """
    And the function llm.chat answers:
      """yaml
      { content: no, message: { role: assistant, content: 'no' }, tool_calls: [], finish_reason: stop }
      """
    And the function llm.chat answers:
      """yaml
      { content: '{"n": 1}', message: { role: assistant, content: '{"n": 1}' }, tool_calls: [], finish_reason: stop }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      { content: { n: 1 }, turns: 2 }
      """

  @http
  Scenario: A workflow is a tool
    Given another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: agent-twice, version: '1.0.0', summary: Doubles a number }
      input: { schema: { document: { type: object, required: [ n, by ], properties: { n: { type: integer }, by: { const: me } } } } }
      do:
        - positive: { if: '${ .n < 0 }', raise: { error: { type: 'https://shop.test/negative', status: 422, title: Negative, detail: 'below zero' } } }
        - twice: { set: { n: '${ .n * 2 }' } }
      """
    And a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: agent-child, version: '1.0.0' }
      do:
        - agent:
            call: agent.run
            with: { model: smart, input: Go, tools: [ { workflow: { namespace: language, name: agent-twice, version: latest }, with: { by: me } } ] }
            output: { as: '{ content, turns, tools: [.tool_calls[] | {name, arguments, error: .error.type}] }' }
      """
    And the function llm.chat answers:
      """yaml
      content: ''
      message:
        role: assistant
        content: null
        tool_calls:
          - { id: a, type: function, function: { name: agent_twice, arguments: '{"n": 21}' } }
          - { id: b, type: function, function: { name: agent_twice, arguments: '{"n": -1}' } }
          - { id: c, type: function, function: { name: agent_twice, arguments: '{"n": "x"}' } }
      tool_calls:
        - { id: a, type: function, function: { name: agent_twice, arguments: '{"n": 21}' } }
        - { id: b, type: function, function: { name: agent_twice, arguments: '{"n": -1}' } }
        - { id: c, type: function, function: { name: agent_twice, arguments: '{"n": "x"}' } }
      finish_reason: tool_calls
      """
    And the function llm.chat answers:
      """yaml
      { content: done, message: { role: assistant, content: done }, tool_calls: [], finish_reason: stop }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      content: done
      turns: 2
      tools:
        - { name: agent_twice, arguments: { n: 21, by: me }, error: null }
        - { name: agent_twice, arguments: { n: -1, by: me }, error: 'https://shop.test/negative' }
        - { name: agent_twice, arguments: { n: x }, error: 'https://serverlessworkflow.io/spec/1.0.0/errors/validation' }
      """
