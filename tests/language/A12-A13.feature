Feature: A12 and A13, a `for` runs its iterations one after the other

  Scenario: Each iteration gets the output of the one before, and ends before the next begins (A12, A13)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a13-order, version: '1.0.0' }
      do:
        - loop:
            for: { in: '[3, 2, 1]' }
            do:
              - pause: { wait: '${ { milliseconds: ($item * 20) } }' }
              - note: { set: { seen: '${ .seen + [$item] }', at: '${ $index }' } }
      """
    And given the workflow input is:
      """yaml
      seen: []
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      seen: [ 3, 2, 1 ]
      at: 2
      """
    And the history should have in this order:
      | task.started   | pause |
      | task.completed | note  |
      | task.started   | pause |
      | task.completed | note  |
      | task.started   | pause |
      | task.completed | note  |

  Scenario: Of an empty list the output is the input (A12)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a13-empty, version: '1.0.0' }
      do:
        - loop: { for: { in: '[]' }, do: [ { a: { set: { n: 2 } } } ] }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
