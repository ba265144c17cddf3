Feature: K8 do

  Scenario: Tasks in sequence, each with the output of the one before
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k8, version: '1.0.0' }
      do:
        - group:
            do:
              - one: { set: { list: '${ .list + [1] }' } }
              - inner:
                  do:
                    - two: { set: { list: '${ .list + [2] }' } }
                    - three: { set: { list: '${ .list + [3] }' } }
              - four: { set: { list: '${ .list + [4] }' } }
        - five: { set: { list: '${ .list + [5] }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      list: [ 1, 2, 3, 4, 5 ]
      """
    And group should run first
    And one should run after group
    And two should run after inner
    And five should run last
    And the history should have in this order:
      | task.started   | /do/0/group               |
      | task.started   | /do/0/group/do/0/one      |
      | task.completed | /do/0/group/do/0/one      |
      | task.started   | /do/0/group/do/1/inner    |
      | task.completed | /do/0/group/do/1/inner/do/1/three |
      | task.completed | /do/0/group/do/1/inner    |
      | task.completed | /do/0/group               |
      | task.started   | /do/1/five                |

  Scenario: An empty list passes its input on (A24)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k8-empty, version: '1.0.0' }
      do:
        - nothing: { do: [] }
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

  Scenario: A workflow without tasks is valid (A24)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k8-none, version: '1.0.0' }
      do: []
      output: { as: '{ got: . }' }
      """
    And given the workflow input is:
      """yaml
      a: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      got: { a: 1 }
      """

  Scenario: Two tasks of one name in a list are refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k8-twice, version: '1.0.0' }
      do:
        - a: { set: { x: 1 } }
        - b: { do: [ { a: { set: { x: 1 } } } ] }
        - a: { set: { x: 1 } }
      """
    Then the workflow should be refused with V10 at line 5
    And there should be 1 findings

  Scenario: Names with characters that pointers escape
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k8-names, version: '1.0.0' }
      do:
        - a/b~c: { raise: { error: { type: 'https://x.test/e', status: 400, title: T } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      instance: /do/0/a~1b~0c
      """
