Feature: E9 parallel for

  Scenario: Every iteration gets the loop's input, the output is in the order of the items
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e9, version: '1.0.0' }
      do:
        - loop:
            for: { in: .list }
            do:
              - pause: { wait: { milliseconds: '${ (3 - $index) * 20 }' } }
              - add: { set: '${ "\(.base)\($item)" }' }
            metadata: { tutti: { parallel: 3 } }
      """
    Then the workflow should be refused with V07

  Scenario: Iterations overtake each other
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e9-order, version: '1.0.0' }
      do:
        - loop:
            for: { in: .list }
            do:
              - pause: { wait: '${ { milliseconds: ((3 - $index) * 20) } }' }
              - add: { set: '${ "\(.base)\($item)" }' }
            metadata: { tutti: { parallel: 3 } }
      """
    And given the workflow input is:
      """yaml
      base: x
      list: [ 1, 2, 3 ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ x1, x2, x3 ]
      """

  Scenario: An empty list gives an empty array
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e9-empty, version: '1.0.0' }
      do:
        - loop: { for: { in: '[]' }, do: [ { add: { set: { n: 1 } } } ], metadata: { tutti: { parallel: 2 } } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """

  Scenario: Exports are applied in the order of the items at the join
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e9-export, version: '1.0.0' }
      do:
        - loop:
            for: { in: '["a", "b", "c"]' }
            do:
              - pause: { wait: '${ { milliseconds: ((3 - $index) * 20) } }' }
              - note: { set: '${ $item }', export: { as: '$context + {last: .}' } }
            metadata: { tutti: { parallel: 3 } }
        - show: { set: '${ $context }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      last: c
      """

  Scenario: The first error that nobody catches cancels the rest
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e9-fault, version: '1.0.0' }
      do:
        - loop:
            for: { in: '[1, 2, 3]' }
            do:
              - bad: { if: $item == 2, raise: { error: { type: 'https://x.test/e', status: 418, title: Two } } }
              - long: { wait: P1D }
            metadata: { tutti: { parallel: 3 } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      title: Two
      instance: /do/0/loop/do/0/bad
      """

  @core
  Scenario: No more than that many at once
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e9-two, version: '1.0.0' }
      do:
        - loop:
            for: { in: '[range(5)]' }
            do: [ { pause: { wait: PT10S } } ]
            metadata: { tutti: { parallel: 2 } }
      """
    When the workflow is executed
    Then the task pause should run 2 times
    When 10 seconds pass
    Then the task pause should run 4 times
    And the workflow should complete
    And the run should have taken 30 seconds
