Feature: W7 use.functions

  Scenario: A declared function gets `with` as its input and gives its output
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-set, version: '1.0.0' }
      use:
        functions:
          greet: { set: { text: '${ "Hello \(.name), \($input.name)" }' } }
      do:
        - one: { call: greet, with: { name: '${ .user }' } }
        - two: { call: greet, with: { name: '${ .text }' }, output: { as: '{ said: .text, asked: $input.text }' } }
      """
    And given the workflow input is:
      """yaml
      user: Ada
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      said: Hello Hello Ada, Ada, Hello Ada, Ada
      asked: Hello Ada, Ada
      """

  Scenario: A composite function calls others, loops, and is itself retried
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-composite, version: '1.0.0' }
      use:
        functions:
          ask: { call: http, with: { method: get, endpoint: 'http://shop.test/{item}' } }
          prices:
            do:
              - each:
                  for: { each: item, in: .items }
                  metadata: { tutti: { parallel: 4 } }
                  do: [ { one: { call: ask, with: { item: '${ $item }' } } } ]
              - sum: { set: { sum: '${ add }' } }
      do:
        - total: { call: prices, with: { items: [ a, b ] }, metadata: { tutti: { retry: { limit: { attempt: { count: 1 } } } } } }
      """
    And the server answers GET /a with status 200:
      """yaml
      3
      """
    And the server answers GET /b with status 503
    And the server answers GET /b with status 200:
      """yaml
      4
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      sum: 7
      """
    And the task call/prices/do/0/each/do/0/one/call/ask should run 4 times

  Scenario: A function without `with` gets an empty map, and sees nothing of its caller
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-closed, version: '1.0.0' }
      use:
        functions:
          look: { set: { input: '${ . }', before: '${ $steps.before }', all: '${ [ $steps | keys[] ] }', context: '${ $context.seen }' } }
      do:
        - before: { set: { a: 1 }, export: { as: '{ seen: true }' } }
        - look: { call: look }
        - after: { set: { look: '${ $steps.look }', before: '${ $steps.before }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      look: { input: {}, before: null, all: [], context: true }
      before: { a: 1 }
      """

  Scenario: The error of a function names the way to it, and can be caught around the call
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-error, version: '1.0.0' }
      use:
        functions:
          fail: { do: [ { really: { raise: { error: { type: 'https://x.test/e', status: 418, title: No } } } } ] }
      do:
        - attempt:
            try: [ { it: { call: fail } } ]
            catch: { as: problem, do: [ { show: { set: { where: '${ $problem.instance }' } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      where: /do/0/attempt/try/0/it/call/fail/do/0/really
      """

  Scenario: exit leaves the function, end ends the run
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-flow, version: '1.0.0' }
      use:
        functions:
          leave: { do: [ { a: { set: { left: true }, then: exit } }, { b: { set: { left: false } } } ] }
          stop: { do: [ { a: { set: { stopped: true }, then: end } } ] }
      do:
        - first: { call: leave }
        - second: { call: stop }
        - third: { set: { never: true } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      stopped: true
      """
    And the task third should not run

  Scenario: A function that waits survives a restart, and a timeout of the call bounds it
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-restart, version: '1.0.0' }
      use:
        functions:
          hear: { do: [ { ear: { listen: { to: { one: { with: { type: go } } } } } }, { out: { set: { heard: '${ .[0].n }', for: '${ $workflow.input.who }' } } } ] }
      do:
        - listen: { call: hear, with: { some: thing }, timeout: { after: PT1H } }
      """
    And given the workflow input is:
      """yaml
      who: me
      """
    When the workflow is executed
    And the engine is killed and restarted
    And the signal go is sent with:
      """yaml
      n: 7
      """
    Then the workflow should complete with output:
      """yaml
      heard: 7
      for: me
      """

  @core
  Scenario: The timeout of a call ends what the function does
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-timeout, version: '1.0.0' }
      use: { functions: { sleep: { wait: { hours: 2 } } } }
      do: [ { nap: { call: sleep, timeout: { after: PT1H } } } ]
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 408
      instance: /do/0/nap
      """
    And the run should have taken 3600 seconds

  Scenario: A run that is cancelled leaves the function
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-cancel, version: '1.0.0' }
      use: { functions: { sleep: { wait: { hours: 2 } } } }
      do: [ { nap: { call: sleep } } ]
      """
    When the workflow is executed
    And the run is cancelled
    Then the workflow should cancel

  Scenario Outline: What is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-refused, version: '1.0.0' }
      use: { functions: { <functions> } }
      do: [ { a: { call: <call> } } ]
      """
    Then the workflow should be refused with <code>
    And the finding should say '<words>'

    Examples:
      | functions                              | call  | code | words                     |
      | f: { call: f }                         | f     | V14  | call itself               |
      | f: { do: [ { a: { call: g } } ] }, g: { call: f } | f | V14 | call itself            |
      | greet: { set: { a: 1 } }               | great | V14  | no function `great`       |
      | http: { set: { a: 1 } }                | http  | V12  | cannot name a function    |
      | f: { set: '${ $item }' }               | f     | V21  | $item                     |
      | f: { hello: 1 }                        | f     | V05  | no task `hello`           |
      | f: 5                                   | f     | V05  | a task is a map           |

  Scenario: A function that nobody calls is checked and warned of
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w7-unused, version: '1.0.0' }
      use: { functions: { f: { set: { a: 1 } } } }
      do: [ { a: { set: { b: 1 } } } ]
      """
    Then the workflow should be accepted with warning V43 at line 2, column 21
