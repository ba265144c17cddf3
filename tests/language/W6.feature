Feature: W6 use.extensions

  Scenario: What stands before and after a task sees its input and output, and changes neither
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-log, version: '1.0.0' }
      use:
        extensions:
          - log:
              extend: set
              before:
                - note: { set: { in: '${ .x }' }, export: { as: '$context + { before: ($context.before // []) + [ $task.reference, .in ] }' } }
              after:
                - note: { set: { out: '${ .y }', of: '${ $task.output.y }' }, export: { as: '$context + { after: [ $task.name, .out, .of ] }' } }
      do:
        - work: { set: { y: '${ .x + 1 }' } }
      output: { as: '{ output: ., before: $context.before, after: $context.after }' }
      """
    And given the workflow input is:
      """yaml
      x: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      output: { y: 2 }
      before: [ /do/0/work, 1 ]
      after: [ work, 2, 2 ]
      """
    And the task work/extensions/log/before/0/note should run 1 time

  Scenario: `exit` in `before` skips the task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-mock, version: '1.0.0' }
      use:
        extensions:
          - mock:
              extend: call
              when: $task.definition.with.endpoint | startswith("http://mocked.test")
              before:
                - answer: { set: { mocked: true }, then: exit }
              after:
                - never: { set: { after: '${ . }' } }
      do:
        - ask: { call: http, with: { method: get, endpoint: 'http://mocked.test/a' } }
        - ask2: { call: http, with: { method: get, endpoint: 'http://shop.test/b' } }
      output: { as: '[ $steps.ask, $steps.ask2 ]' }
      """
    And the server answers GET /b with status 200:
      """yaml
      real: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ { mocked: true }, { real: true } ]
      """
    And the server should get 1 request

  Scenario: How a task goes on is its own affair
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-flow, version: '1.0.0' }
      use:
        extensions:
          - count: { extend: all, after: [ { note: { set: { n: 1 }, export: { as: '$context + { n: (($context.n // 0) + 1) }' } } } ] }
      do:
        - choose: { switch: [ { far: { when: .far, then: far } }, { other: { then: continue } } ] }
        - near: { set: { at: near }, then: stop }
        - far: { set: { at: far }, then: near }
        - stop: { if: '.at == "near"', set: { at: stop, n: '${ $context.n }' }, then: end }
        - never: { set: { never: true } }
      output: { as: '. + { all: $context.n }' }
      """
    And given the workflow input is:
      """yaml
      far: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      at: stop
      n: 3
      all: 4
      """
    And the task never should not run

  Scenario: A task that is skipped is not extended
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-skipped, version: '1.0.0' }
      use:
        extensions:
          - stop: { extend: set, before: [ { no: { raise: { error: { type: 'https://x.test/e', status: 400 } } } } ] }
      do:
        - a: { if: 'false', set: { a: 1 } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {}
      """

  Scenario: An error of an extension is the error of its task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-error, version: '1.0.0' }
      use:
        extensions:
          - guard: { extend: set, before: [ { no: { raise: { error: { type: 'https://x.test/e', status: 400 } } } } ] }
      do:
        - attempt: { try: [ { a: { set: { a: 1 } } } ], catch: { do: [ { b: { wait: { seconds: 0 }, output: { as: $error.instance } } } ] } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      /do/0/attempt/try/0/a/extensions/guard/before/0/no
      """

  Scenario: A job in `before` and a restart in the middle of it
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-restart, version: '1.0.0' }
      use:
        extensions:
          - hear:
              extend: composite
              before: [ { ear: { listen: { to: { one: { with: { type: go } } } } } } ]
              after: [ { again: { listen: { to: { one: { with: { type: go } } } } } } ]
      do:
        - work: { do: [ { inner: { set: { done: true } } } ] }
      """
    When the workflow is executed
    And the engine is killed and restarted
    And the signal go is sent
    And the engine is killed and restarted
    And the signal go is sent
    Then the workflow should complete with output:
      """yaml
      done: true
      """

  Scenario Outline: What is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-refused, version: '1.0.0' }
      use: { extensions: <extensions> }
      do: [ { a: { set: { a: 1 } } } ]
      """
    Then the workflow should be refused with <code>

    Examples:
      | extensions                                                        | code |
      | { log: { extend: set } }                                          | V06  |
      | [ { log: { before: [] } } ]                                       | V06  |
      | [ { log: { extend: sets, before: [] } } ]                         | V06  |
      | [ { log: { extend: set, befor: [] } } ]                           | V04  |
      | [ { log: { extend: set, before: [ { a: { set: '${ $item }' } } ] } } ] | V21 |
      | [ { log: { extend: call, before: [ { a: { sett: 1 } } ] } } ]     | V05  |
      | [ { a: { extend: set, before: [ { a: { set: { b: 1 } } } ] } }, { a: { extend: all, before: [ { a: { set: { b: 1 } } } ] } } ] | V10 |

  Scenario: An extension that is for no task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-unused, version: '1.0.0' }
      use: { extensions: [ { log: { extend: call, before: [ { a: { set: { b: 1 } } } ] } } ] }
      do: [ { a: { set: { b: 1 } } } ]
      """
    Then the workflow should be accepted with warning V43 at line 2, column 24

  Scenario Outline: Each kind of task, and no other
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-kinds, version: '1.0.0' }
      use:
        extensions:
          - mine: { extend: <kind>, when: '$task.name == "task"', before: [ { note: { do: [], export: { as: '{ seen: "<kind>" }' } } } ] }
          - other: { extend: composite, when: '$task.name == "task"', before: [ { none: { do: [], export: { as: '{ seen: "other" }' } } } ] }
      do:
        - attempt: { try: [ { task: <task> } ], catch: {} }
        - look: { do: [], output: { as: $context.seen } }
      """
    And the server answers GET /x with status 200
    When the workflow is executed
    And the signal go is sent
    Then the workflow should complete with output:
      """yaml
      <kind>
      """

    Examples:
      | kind   | task |
      | call   | { call: http, with: { method: get, endpoint: 'http://w6.test/x' } } |
      | emit   | { emit: { event: { with: { type: w6.told } } } } |
      | for    | { for: { in: '[1]' }, do: [] } |
      | listen | { listen: { to: { one: { with: { type: go } } } } } |
      | raise  | { raise: { error: { type: 'https://x.test/e', status: 400 } } } |
      | set    | { set: { a: 1 } } |
      | switch | { switch: [ { d: { then: continue } } ] } |
      | try    | { try: [], catch: {} } |
      | wait   | { wait: { seconds: 0 } } |

  @http
  Scenario: A run of another workflow is a kind of its own
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w6-run, version: '1.0.0' }
      use: { extensions: [ { mine: { extend: run, before: [ { note: { do: [], export: { as: '{ seen: $task.name }' } } } ] } } ] }
      do:
        - attempt: { try: [ { child: { run: { workflow: { namespace: language, name: w6-nowhere, version: latest } } } } ], catch: {} }
        - look: { do: [], output: { as: $context.seen } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      child
      """
