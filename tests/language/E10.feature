Feature: E10 $steps

  Scenario: Outputs of tasks of this list and of those around it
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e10, version: '1.0.0' }
      do:
        - one: { set: { n: 1 }, output: { as: .n } }
        - group:
            do:
              - two: { set: { n: '${ $steps.one + 1 }' }, output: { as: .n } }
              - three: { set: { one: '${ $steps.one }', two: '${ $steps.two }', later: '${ $steps.four }' } }
        - four: { set: { group: '${ $steps.group }', inner: '${ $steps.two }' } }
      """
    Then the workflow should be accepted with warning V21 at line 8
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      group: { one: 1, two: 2, later: null }
      inner: null
      """

  Scenario: An inner name hides an outer one
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e10-hide, version: '1.0.0' }
      do:
        - a: { set: { from: outer } }
        - group: { do: [ { a: { set: { from: inner } } }, { look: { set: { got: '${ $steps.a.from }' } } } ] }
        - look: { set: { inner: '${ .got }', outer: '${ $steps.a.from }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      inner: inner
      outer: outer
      """

  Scenario: output.as of a do sees its body, and the last pass counts
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e10-body, version: '1.0.0' }
      do:
        - group:
            do:
              - count: { set: { n: '${ (.n // 0) + 1 }' } }
              - again: { if: .n < 3, set: '${ . }', then: count }
              - note: { set: { noted: true } }
            output: { as: '{ n: $steps.count.n, noted: $steps.note.noted }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 3
      noted: true
      """

  Scenario: $steps as a whole, and by a computed name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e10-all, version: '1.0.0' }
      do:
        - one: { set: { n: 1 } }
        - two: { set: { n: 2 } }
        - all: { set: { names: '${ $steps | keys }', one: '${ $steps["o" + "ne"].n }' } }
      output: { as: '{ all: ., two: $steps.two.n }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      all: { names: [ one, two ], one: 1 }
      two: 2
      """

  Scenario: They survive a restart
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e10-restart, version: '1.0.0' }
      do:
        - one: { set: { n: 1 } }
        - hear: { listen: { to: { one: { with: { type: go } } } } }
        - show: { set: { n: '${ $steps.one.n }', heard: '${ $steps.hear }' } }
      """
    When the workflow is executed
    And the engine is killed and restarted
    And the signal go is sent with:
      """yaml
      x
      """
    Then the workflow should complete with output:
      """yaml
      n: 1
      heard: [ x ]
      """

  Scenario Outline: The output and the export of what has a body see it
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e10-bodies, version: '1.0.0' }
      do:
        - body: { <task>, output: { as: '{ n: $steps.a.n }' }, export: { as: '{ n: $steps.a.n }' } }
        - look: { set: { output: '${ .n }', context: '${ $context.n }', outside: '${ $steps["a"] }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      { output: 2, context: 2, outside: null }
      """

    Examples:
      | task |
      | do: [ { a: { set: { n: 2 } } } ] |
      | try: [ { a: { set: { n: 2 } } } ], catch: {} |
      | for: { in: '[ 1, 2 ]' }, do: [ { a: { set: { n: '${ $item }' } } } ] |
      | fork: { branches: [ { a: { set: { n: 2 } } } ] } |
