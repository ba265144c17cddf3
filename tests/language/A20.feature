Feature: A20 composite means do and fork

  Scenario: Only `do` and `fork` are extended
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a20-composite, version: '1.0.0' }
      use:
        extensions:
          - mark: { extend: composite, before: [ { m: { set: { n: 0 }, export: { as: '$context + { seen: (($context.seen // []) + [ $task.name ]) }' } } } ] }
      do:
        - list: { do: [ { a: { set: { x: 1 } } } ] }
        - branches: { fork: { branches: [ { b: { set: { x: 2 } } } ] } }
        - loop: { for: { in: '[1]' }, do: [ { c: { set: { x: 3 } } } ] }
        - attempt: { try: [ { d: { set: { x: 4 } } } ], catch: {} }
      output: { as: $context.seen }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ list, branches ]
      """
