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

  Scenario: A function of the document is a tool, with tasks of its own
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: agent-function, version: '1.0.0' }
      use:
        functions:
          price-of:
            input: { schema: { document: { type: object, required: [ item, currency ], properties: { item: { type: string }, currency: { type: string } } } } }
            do:
              - look: { call: shop.ask, with: { item: '${ .item }' } }
              - known: { if: '${ .price == null }', raise: { error: { type: 'https://shop.test/unknown', status: 404, title: Unknown } } }
              - price: { set: { text: '${ "\(.price) \($input.currency // "none")" }' } }
            output: { as: '{ price: .text }' }
      do:
        - agent:
            call: agent.run
            with:
              model: smart
              input: Go
              tools: [ { function: price-of, with: { currency: EUR }, description: What something costs } ]
            output: { as: '{ content, turns, tools: [.tool_calls[] | {name, arguments, error: .error.type}] }' }
      """
    And the function shop.ask answers:
      """yaml
      price: 5
      """
    And the function shop.ask answers:
      """yaml
      price: null
      """
    And the function llm.chat answers:
      """yaml
      content: ''
      message: { role: assistant, content: null, tool_calls: [ { id: a, type: function, function: { name: price-of, arguments: '{"item": "tea"}' } } ] }
      tool_calls: [ { id: a, type: function, function: { name: price-of, arguments: '{"item": "tea"}' } } ]
      finish_reason: tool_calls
      """
    And the function llm.chat answers:
      """yaml
      content: ''
      message: { role: assistant, content: null, tool_calls: [ { id: b, type: function, function: { name: price-of, arguments: '{"item": "air"}' } } ] }
      tool_calls:
        - { id: b, type: function, function: { name: price-of, arguments: '{"item": "air"}' } }
        - { id: c, type: function, function: { name: price-of, arguments: '{}' } }
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
      turns: 3
      tools:
        - { name: price-of, arguments: { item: tea, currency: EUR }, error: null }
        - { name: price-of, arguments: { item: air, currency: EUR }, error: 'https://shop.test/unknown' }
        - { name: price-of, arguments: {}, error: 'https://serverlessworkflow.io/spec/1.0.0/errors/validation' }
      """
    And the function shop.ask should be called 2 times

  Scenario Outline: What cannot be a tool
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: agent-tools, version: '1.0.0' }
      use:
        functions:
          again: { call: agent.run, with: { model: smart, input: Go, tools: [ { function: again } ] } }
      do:
        - agent: { call: agent.run, with: { model: smart, input: Go, tools: [ <tool> ] } }
      """
    Then the workflow should be refused with <code>
    And the finding should say '<words>'

    Examples:
      | tool                            | code | words                        |
      | { function: again }             | V14  | would call itself without end |
      | { function: agent.run }         | V14  | cannot be a tool             |
      | { function: gone.away }         | V14  | no function                  |

  @http
  Scenario: An assistant brings tools of its own
    When the API gets PUT /v1/assistants/shop-keeper with:
      """yaml
      model: smart
      system: You keep {{shop}}.
      tools:
        - shop.stock
        - { function: shop.weigh, name: weigh, with: { unit: kg } }
        - { function: shop.order, name: order, approval: true, onError: fault }
      """
    Then the answer should have status 201
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: default, name: agent-assistant, version: '1.0.0' }
      do:
        - agent:
            call: agent.run
            with: { assistant: shop-keeper, variables: { shop: ours }, input: Go, tools: [ { function: shop.weigh, name: weigh, with: { unit: g } } ] }
            output: { as: '{ content, turns, tools: [.tool_calls[] | {name, arguments, error: .error.title}] }' }
      """
    And the function shop.stock answers:
      """yaml
      { left: 3 }
      """
    And the function shop.weigh answers:
      """yaml
      { weight: 7 }
      """
    And the function shop.order answers:
      """yaml
      {}
      """
    And the function llm.chat answers:
      """yaml
      content: ''
      message:
        role: assistant
        content: null
        tool_calls:
          - { id: a, type: function, function: { name: shop_stock, arguments: '{"item": "tea"}' } }
          - { id: b, type: function, function: { name: weigh, arguments: '{}' } }
          - { id: c, type: function, function: { name: order, arguments: '{"n": 5}' } }
      tool_calls:
        - { id: a, type: function, function: { name: shop_stock, arguments: '{"item": "tea"}' } }
        - { id: b, type: function, function: { name: weigh, arguments: '{}' } }
        - { id: c, type: function, function: { name: order, arguments: '{"n": 5}' } }
      finish_reason: tool_calls
      """
    And the function llm.chat answers:
      """yaml
      { content: done, message: { role: assistant, content: done }, tool_calls: [], finish_reason: stop }
      """
    When the workflow is executed
    And the approval is rejected
    Then the workflow should complete with output:
      """yaml
      content: done
      turns: 2
      tools:
        - { name: shop_stock, arguments: { item: tea }, error: null }
        - { name: weigh, arguments: { unit: g }, error: null }
        - { name: order, arguments: { n: 5 }, error: Refused }
      """
    And the function shop.stock should be called with:
      """yaml
      { item: tea }
      """
    And the function shop.order should be called 0 times
    And the history should have 1 job.scheduled of turns/0/tools/0

  @http
  Scenario: An assistant with a tool that there is not is refused
    When the API gets PUT /v1/assistants/shop-helper with:
      """yaml
      { model: smart, tools: [ http, { function: shop.stok } ] }
      """
    Then the answer should have status 422
    And the answer's 'errors.0.pointer' should be:
      """yaml
      /tools/1/function
      """
    And the answer's 'errors.0.code' should be:
      """yaml
      V14
      """
