Feature: K9 fork

  Scenario: The output is an array in the order of declaration (A7)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-order, version: '1.0.0' }
      do:
        - all:
            fork:
              branches:
                - slow: { do: [ { pause: { wait: PT0.2S } }, { say: { set: { n: '${ .n + 1 }' } } } ] }
                - fast: { set: { n: '${ .n + 2 }' } }
                - skipped: { if: 'false', set: { n: 0 } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - n: 2
      - n: 3
      - n: 1
      """

  Scenario: Branches are named by $steps, and do not see each other
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-steps, version: '1.0.0' }
      do:
        - all:
            fork:
              branches:
                - web: { set: { w: 1 } }
                - mail: { do: [ { look: { set: { web: '${ $steps.web }' } } } ] }
            output: { as: '{ web: $steps.web, mail: $steps.mail }' }
      """
    Then the workflow should be accepted with warning V21 at line 7
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      web: { w: 1 }
      mail: { web: null }
      """

  Scenario: $steps in output.as of a fork
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-names, version: '1.0.0' }
      do:
        - all:
            fork:
              branches:
                - web: { set: { w: 1 } }
                - mail: { do: [ { send: { set: { m: 2 } } } ] }
            output: { as: '{ web: $steps.web, mail: $steps.mail }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      web: { w: 1 }
      mail: { m: 2 }
      """

  Scenario: A branch that faults cancels the others and faults the fork (A8)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-fault, version: '1.0.0' }
      do:
        - all:
            fork:
              branches:
                - long: { do: [ { pause: { wait: P1D } } ] }
                - bad: { raise: { error: { type: 'https://x.test/e', status: 418, title: T } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://x.test/e
      status: 418
      instance: /do/0/all/fork/branches/1/bad
      """
    And the task pause should be cancelled
    And the task long should be cancelled

  Scenario: A branch that catches its own error leaves the others alone (A8)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-caught, version: '1.0.0' }
      do:
        - all:
            fork:
              branches:
                - good: { do: [ { pause: { wait: PT0.1S } }, { say: { set: '${ "good" }' } } ] }
                - bad: { try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: T } } } } ], catch: { do: [ { say: { set: '${ "caught" }' } } ] } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ good, caught ]
      """

  Scenario: compete: the first to complete wins, and the losers are cancelled at once (A9)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-compete, version: '1.0.0' }
      do:
        - race:
            fork:
              compete: true
              branches:
                - slow: { do: [ { pause: { wait: P1D } } ] }
                - fast: { do: [ { blink: { wait: PT0.05S } }, { say: { set: { winner: fast } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      winner: fast
      """
    And the task slow should be cancelled
    And the task pause should be cancelled

  Scenario: compete: a branch that faults does not win (A9)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-loser, version: '1.0.0' }
      do:
        - race:
            fork:
              compete: true
              branches:
                - bad: { raise: { error: { type: 'https://x.test/e', status: 418, title: T } } }
                - late: { do: [ { blink: { wait: PT0.05S } }, { say: { set: { winner: late } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      winner: late
      """

  Scenario: compete: if all fault, the fork faults (A9)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-all, version: '1.0.0' }
      do:
        - race:
            fork:
              compete: true
              branches:
                - one: { raise: { error: { type: 'https://x.test/one', status: 418, title: T } } }
                - two: { do: [ { blink: { wait: PT0.05S } }, { stop: { raise: { error: { type: 'https://x.test/two', status: 419, title: T } } } } ] }
      """
    When the workflow is executed
    Then the workflow should fault

  Scenario: A fork without branches has an empty output
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-empty, version: '1.0.0' }
      do:
        - none: { fork: { branches: [] } }
      """
    When the workflow is executed
    Then the workflow should complete

  Scenario: Branches survive a restart, each at its place
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k9-restart, version: '1.0.0' }
      do:
        - all:
            fork:
              branches:
                - one: { listen: { to: { one: { with: { type: one } } } }, output: { as: '.[0]' } }
                - two: { do: [ { first: { listen: { to: { one: { with: { type: two } } } }, output: { as: '.[0]' } } }, { second: { set: { got: '${ . }' } } } ] }
      """
    When the workflow is executed
    Then the run should be waiting
    When the signal two is sent with:
      """yaml
      2
      """
    And the engine is killed and restarted
    And the signal one is sent with:
      """yaml
      1
      """
    Then the workflow should complete with output:
      """yaml
      - 1
      - got: 2
      """
    And the task first should run 1 time
