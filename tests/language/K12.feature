Feature: K12 try

  Scenario Outline: What a filter takes
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-filter, version: '1.0.0' }
      do:
        - attempt:
            try:
              - stop: { raise: { error: { type: 'https://x.test/errors/full', status: 507, title: Full, detail: no room } } }
            catch: { errors: { with: <with> }, do: [ { caught: { set: { caught: true } } } ] }
      """
    When the workflow is executed
    Then the workflow should <end>

    Examples:
      | with                                                | end      |
      | { type: 'https://x.test/errors/full' }              | complete |
      | { type: 'https://x.test/errors/other' }             | fault    |
      | { status: 507 }                                     | complete |
      | { status: 500 }                                     | fault    |
      | { title: Full }                                     | complete |
      | { title: Empty }                                    | fault    |
      | { details: no room }                                | complete |
      | { detail: no room }                                 | complete |
      | { detail: other }                                   | fault    |
      | { instance: /do/0/attempt/try/0/stop }              | complete |
      | { instance: /do/0/attempt }                         | fault    |
      | { status: 507, title: Full, type: 'https://x.test/errors/full' } | complete |
      | { status: 507, title: Other }                       | fault    |

  Scenario Outline: The three families of standard types are aliases
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-aliases, version: '1.0.0' }
      do:
        - attempt:
            try: [ { bad: { set: { n: '${ 1 + "a" }' } } } ]
            catch: { errors: { with: { type: '<type>' } }, do: [ { caught: { set: { caught: true } } } ] }
      """
    When the workflow is executed
    Then the workflow should <end>

    Examples:
      | type                                                                | end      |
      | https://serverlessworkflow.io/spec/1.0.0/errors/expression          | complete |
      | https://open-workflow-specification.org/spec/1.0.0/errors/expression | complete |
      | https://serverlessworkflow.io/dsl/errors/types/expression           | complete |
      | https://open-workflow-specification.org/dsl/errors/types/expression | complete |
      | https://serverlessworkflow.io/spec/1.0.0/errors/runtime             | fault    |
      | https://x.test/expression                                           | fault    |

  Scenario: The error as $error and under a name of its own
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-as, version: '1.0.0' }
      do:
        - one:
            try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: One } } } } ]
            catch: { do: [ { say: { set: { one: '${ $error.title }', at: '${ $error.instance }' } } } ] }
        - two:
            try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: Two } } } } ]
            catch: { as: problem, do: [ { say: { set: '${ . + { two: $problem.title } }' } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      one: One
      at: /do/0/one/try/0/stop
      two: Two
      """

  Scenario Outline: when and exceptWhen see the error and the try's input
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-when, version: '1.0.0' }
      do:
        - attempt:
            try:
              - change: { set: { limit: 0 } }
              - stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: T } } }
            catch: { <condition>, do: [ { caught: { set: { caught: true } } } ] }
      """
    And given the workflow input is:
      """yaml
      limit: 400
      """
    When the workflow is executed
    Then the workflow should <end>

    Examples:
      | condition                                     | end      |
      | when: $error.status > .limit                  | complete |
      | when: $error.status < .limit                  | fault    |
      | exceptWhen: $error.status > .limit            | fault    |
      | exceptWhen: '${ $error.status < .limit }'     | complete |
      | when: 'true', exceptWhen: 'true'              | fault    |

  Scenario: A catch with neither retry nor do completes with the try's input (A1)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-empty, version: '1.0.0' }
      do:
        - attempt:
            try:
              - change: { set: { changed: true } }
              - stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: T } } }
            catch: {}
        - after: { set: '${ . + { after: true } }' }
      """
    And given the workflow input is:
      """yaml
      a: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      a: 1
      after: true
      """

  Scenario: The input of catch.do is the input of the try
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-input, version: '1.0.0' }
      do:
        - attempt:
            try:
              - change: { set: { changed: true } }
              - stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: T } } }
            catch: { do: [ { look: { set: { saw: '${ . }' } } } ] }
      """
    And given the workflow input is:
      """yaml
      a: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      saw: { a: 1 }
      """

  Scenario: An error in catch.do goes outwards, to the try around
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-nested, version: '1.0.0' }
      do:
        - outer:
            try:
              - inner:
                  try: [ { stop: { raise: { error: { type: 'https://x.test/one', status: 418, title: One } } } } ]
                  catch: { do: [ { worse: { raise: { error: { type: 'https://x.test/two', status: 419, title: '${ "not only \($error.title)" }' } } } } ] }
            catch: { do: [ { say: { set: { got: '${ $error.title }', at: '${ $error.instance }' } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      got: not only One
      at: /do/0/outer/try/0/inner/catch/do/0/worse
      """

  Scenario: catch.then wins over the task's own
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-then, version: '1.0.0' }
      do:
        - attempt:
            try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: T } } } } ]
            catch: { then: third, do: [ { note: { set: { caught: true } } } ] }
            then: second
        - second: { set: { second: true }, then: end }
        - third: { set: '${ . + { third: true } }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      caught: true
      third: true
      """

  Scenario: Without an error the task's own then counts
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-fine, version: '1.0.0' }
      do:
        - attempt: { try: [ { go: { set: { fine: true } } } ], catch: { then: third }, then: second }
        - second: { set: '${ . + { second: true } }', then: end }
        - third: { set: '${ . + { third: true } }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      fine: true
      second: true
      """

  Scenario: The caught error of a call
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-call, version: '1.0.0' }
      do:
        - attempt:
            try: [ { get: { call: http, with: { method: get, endpoint: 'https://shop.test/none' } } } ]
            catch: { errors: { with: { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/communication', status: 404 } }, do: [ { say: { set: { status: '${ $error.status }' } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      status: 404
      """

  Scenario: A try that timed out can be caught from outside
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-timeout, version: '1.0.0' }
      do:
        - outer:
            try:
              - inner: { do: [ { pause: { wait: P1D } } ], timeout: { after: { milliseconds: 50 } } }
            catch: { errors: { with: { status: 408 } }, do: [ { say: { set: { late: '${ $error.instance }' } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      late: /do/0/outer/try/0/inner
      """

  Scenario: A try needs a catch
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-refused, version: '1.0.0' }
      do:
        - attempt: { try: [ { a: { set: { x: 1 } } } ] }
      """
    Then the workflow should be refused with V06 at line 3

  Scenario Outline: errors.with may hold expressions
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k12-computed, version: '1.0.0' }
      do:
        - attempt:
            try: [ { fail: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402, title: No money } } } } ]
            catch:
              errors: { with: { <with> } }
              do: [ { seen: { set: { seen: true } } } ]
      """
    And given the workflow input is:
      """yaml
      kind: broke
      code: 402
      """
    When the workflow is executed
    Then the workflow should <end>

    Examples:
      | end      | with |
      | complete | type: '${ "https://shop.test/errors/\(.kind)" }' |
      | complete | status: '${ .code }', title: No money |
      | complete | status: '${ $error.status < 500 }' |
      | fault    | type: '${ "https://shop.test/errors/other" }' |
      | fault    | status: '${ .code + 1 }' |
      | fault    | detail: '${ "x" }' |
      | fault    | title: '${ .kind + 1 }' |
