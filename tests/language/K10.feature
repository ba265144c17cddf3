Feature: K10 for

  Scenario: Names by default, and the output of the last iteration (A12)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10, version: '1.0.0' }
      do:
        - sum:
            for: { in: .numbers }
            do:
              - add: { set: { numbers: '${ .numbers }', total: '${ (.total // 0) + $item }', last: '${ $index }' } }
      """
    And given the workflow input is:
      """yaml
      numbers: [ 5, 6, 7 ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      numbers: [ 5, 6, 7 ]
      total: 18
      last: 2
      """
    And the task add should run 3 times

  Scenario: Names given by each and at, and nested loops
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-names, version: '1.0.0' }
      do:
        - rows:
            for: { each: row, in: '${ $workflow.input }', at: y }
            do:
              - cells:
                  for: { each: cell, in: $row, at: x }
                  do:
                    - note: { set: '${ (if type == "array" and (.[0] | type) == "string" then . else [] end) + ["\($y).\($x)=\($cell)"] }' }
      """
    And given the workflow input is:
      """yaml
      - [ a, b ]
      - [ c ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ 0.0=a, 0.1=b, 1.0=c ]
      """

  Scenario Outline: An empty list passes the input on (A12)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-empty, version: '1.0.0' }
      do:
        - loop: { for: { in: '<in>' }, do: [ { add: { set: { n: 1 } } } ] }
      """
    And given the workflow input is:
      """yaml
      a: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      a: 1
      """
    And the task add should not run

    Examples:
      | in            |
      | []            |
      | ${ [ empty ] } |

  Scenario: while is asked before each iteration, with the variables of the loop
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-while, version: '1.0.0' }
      do:
        - loop:
            for: { in: '[range(10)]' }
            while: $item < 3 and ((. | length) < 5)
            do:
              - add: { set: '${ (if type == "array" then . else [] end) + [$item] }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ 0, 1, 2 ]
      """

  Scenario: while that is false at once passes the input on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-never, version: '1.0.0' }
      do:
        - loop: { for: { in: '[1, 2]' }, while: 'false', do: [ { add: { set: { n: 1 } } } ] }
      """
    And given the workflow input is:
      """yaml
      a: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      a: 1
      """

  Scenario: A list written out in the definition
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-list, version: '1.0.0' }
      do:
        - loop: { for: { in: [ 1, '${ .n }', three ] }, do: [ { add: { set: { n: '${ .n }', list: '${ (.list // []) + [$item] }' } } } ] }
      """
    And given the workflow input is:
      """yaml
      n: 2
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 2
      list: [ 1, 2, three ]
      """

  Scenario Outline: What is no array faults
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-noarray, version: '1.0.0' }
      do:
        - loop: { for: { in: '<in>' }, do: [ { add: { set: { n: 1 } } } ] }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/loop
      """

    Examples:
      | in      |
      | {a: 1}  |
      | "text"  |
      | null    |
      | 5       |

  Scenario: then: exit leaves the iteration, an error leaves the loop
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-exit, version: '1.0.0' }
      do:
        - loop:
            for: { in: '[1, 2, 3]' }
            do:
              - odd: { if: '$item % 2 == 1', set: '${ (if type == "array" then . else [] end) + [$item] }', then: exit }
              - even: { set: '${ . + ["even"] }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ 1, even, 3 ]
      """

  Scenario: The instance of an error names the task, not the iteration
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-fault, version: '1.0.0' }
      do:
        - loop:
            for: { in: '[1, 2, 3]' }
            do:
              - check: { if: $item == 2, raise: { error: { type: 'https://x.test/e', status: 418, title: Two } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      instance: /do/0/loop/do/0/check
      title: Two
      """

  Scenario: A loop goes on after a restart where it was
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-restart, version: '1.0.0' }
      do:
        - loop:
            for: { in: '["a", "b"]' }
            do:
              - hear: { listen: { to: { one: { with: { type: go } } } }, output: { as: '$input + {($item): .[0]}' } }
      """
    When the workflow is executed
    Then the run should be waiting
    When the signal go is sent with:
      """yaml
      1
      """
    And the engine is killed and restarted
    And the signal go is sent with:
      """yaml
      2
      """
    Then the workflow should complete with output:
      """yaml
      a: 1
      b: 2
      """

  Scenario: A long loop
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k10-long, version: '1.0.0' }
      do:
        - loop: { for: { in: '[range(3000)]' }, do: [ { add: { set: { n: '${ (.n // 0) + 1 }' } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 3000
      """
