Feature: K11 switch

  Scenario Outline: The first case that holds
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k11, version: '1.0.0' }
      do:
        - route:
            switch:
              - small: { when: .n < 10, then: few }
              - large: { when: '${ .n < 1000 }', then: many }
              - otherwise: { then: end }
        - few: { set: { size: few }, then: end }
        - many: { set: { size: many } }
        - last: { set: '${ . + { last: true } }' }
      """
    And given the workflow input is:
      """yaml
      n: <n>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """

    Examples:
      | n    | output                      |
      | 1    | { size: few }               |
      | 10   | { size: many, last: true }  |
      | 5000 | { n: 5000 }                 |

  Scenario: If no case holds, the switch's own then counts; the output is the input
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k11-none, version: '1.0.0' }
      do:
        - route: { switch: [ { never: { when: 'false', then: end } } ], then: third }
        - second: { set: { second: true } }
        - third: { set: '${ . + { third: true } }' }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      third: true
      """

  Scenario: If a case holds, the switch's own then does not count
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k11-own, version: '1.0.0' }
      do:
        - route: { switch: [ { always: { when: 'true', then: continue } } ], then: third }
        - second: { set: { second: true } }
        - third: { set: '${ . + { third: true } }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      second: true
      third: true
      """

  Scenario Outline: Conditions: false and null are false, all else is true
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k11-truth, version: '1.0.0' }
      do:
        - route: { switch: [ { yes: { when: '<condition>', then: yes } }, { no: { then: no } } ] }
        - yes: { set: { it: 'true' }, then: end }
        - no: { set: { it: 'false' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      it: '<it>'
      """

    Examples:
      | condition    | it    |
      | true         | true  |
      | false        | false |
      | null         | false |
      | 0            | true  |
      | ""           | true  |
      | []           | true  |
      | .nothing     | false |
      | empty        | false |
      | false, true  | false |

  Scenario: A condition that fails is an error of the switch
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k11-fails, version: '1.0.0' }
      do:
        - route: { switch: [ { bad: { when: '.n + "text"', then: end } } ] }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/expression
      instance: /do/0/route
      """

  Scenario: Two cases without a condition are refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k11-two, version: '1.0.0' }
      do:
        - route:
            switch:
              - one: { then: end }
              - two: { then: exit }
      """
    Then the workflow should be refused with V16 at line 6

  Scenario: A case to a task of another list is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k11-elsewhere, version: '1.0.0' }
      do:
        - group: { do: [ { route: { switch: [ { one: { when: 'true', then: after } } ] } } ] }
        - after: { set: { x: 1 } }
      """
    Then the workflow should be refused with V11 at line 3
