Feature: A19 several extensions of one task

  Scenario: `before` in the order of their declaration, `after` in the reverse; never to tasks of an extension
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a19-order, version: '1.0.0' }
      use:
        extensions:
          - one: { extend: set, before: [ { a1: { set: { n: 0 }, export: { as: '$context + { seen: (($context.seen // []) + [ "1" ]) }' } } } ], after: [ { z1: { set: { n: 0 }, export: { as: '$context + { seen: ($context.seen + [ "-1" ]) }' } } } ] }
          - two: { extend: all, before: [ { a2: { set: { n: 0 }, export: { as: '$context + { seen: ($context.seen + [ "2" ]) }' } } } ], after: [ { z2: { set: { n: 0 }, export: { as: '$context + { seen: ($context.seen + [ "-2" ]) }' } } } ] }
      do:
        - work: { set: { x: 1 } }
      output: { as: '{ x, seen: $context.seen }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      x: 1
      seen: [ '1', '2', '-2', '-1' ]
      """
    And z2 should run after work
    And work should run after a2

  Scenario: The outer `after` sees what the inner `before` gave instead of the task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a19-exit, version: '1.0.0' }
      use:
        extensions:
          - outer: { extend: set, after: [ { z: { set: { n: 0 }, export: { as: '$context + { outer: $task.output }' } } } ] }
          - inner: { extend: set, before: [ { a: { set: { from: inner }, then: exit } } ], after: [ { z: { set: { n: 0 }, export: { as: '$context + { inner: true }' } } } ] }
      do:
        - work: { set: { from: work } }
      output: { as: '{ from, outer: $context.outer, inner: $context.inner }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      from: inner
      outer: { from: inner }
      inner: null
      """
