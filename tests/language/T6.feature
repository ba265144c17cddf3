Feature: T6 then

  Scenario: A list jumps back, and every pass is one of its own
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-loop, version: '1.0.0' }
      do:
        - count: { set: { n: '${ .n + 1 }' } }
        - get: { call: http, with: { method: post, endpoint: 'https://shop.test/{n}' }, output: { as: '{ n: $input.n }' } }
        - again: { switch: [ { more: { when: .n < 3, then: count } } ] }
        - done: { set: '${ . + { done: true } }' }
      """
    And given the workflow input is:
      """yaml
      n: 0
      """
    And the server answers POST /1 with status 200
    And the server answers POST /2 with status 200
    And the server answers POST /3 with status 200
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 3
      done: true
      """
    And the task count should run 3 times
    And the task get should run 3 times
    And the server should get 3 requests

  Scenario: Keys of a second pass differ (E7)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-keys, version: '1.0.0' }
      do:
        - send: { call: http, with: { method: post, endpoint: 'https://shop.test/x' }, output: { as: '{ n: (($input.n // 0) + 1) }' }, metadata: { tutti: { idempotencyKey: '${ "mine" }' } } }
        - again: { if: .n < 2, set: '${ . }', then: send }
      """
    And the server answers POST /x with status 200
    When the workflow is executed
    Then the workflow should complete
    And request 1 should be:
      """yaml
      headers: { idempotency-key: mine/do/0/send }
      """
    And request 2 should be:
      """yaml
      headers: { idempotency-key: mine/do/0/send/2 }
      """

  Scenario: end finishes the run from within, exit leaves its list only
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-leave, version: '1.0.0' }
      do:
        - outer:
            do:
              - one: { set: { list: [ one ] }, then: exit }
              - two: { set: { list: [ two ] } }
        - after: { set: { list: '${ .list + ["after"] }' } }
        - inner: { do: [ { stop: { set: { list: '${ .list + ["stop"] }' }, then: end } }, { never: { set: { x: 1 } } } ] }
        - never2: { set: { x: 1 } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      list: [ one, after, stop ]
      """
    And the task two should not run
    And the task never should not run
    And the task never2 should not run

  Scenario: end within a branch ends the run and cancels the others
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-branch, version: '1.0.0' }
      do:
        - all:
            fork:
              branches:
                - long: { do: [ { pause: { wait: P1D } } ] }
                - short: { do: [ { stop: { set: { ended: true }, then: end } } ] }
        - never: { set: { x: 1 } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ended: true
      """
    And the task pause should be cancelled
    And the task never should not run

  Scenario: A jump forward leaves out what lies between
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-forward, version: '1.0.0' }
      do:
        - one: { set: { list: [ 1 ] }, then: three }
        - two: { set: { list: [ 2 ] } }
        - three: { set: { list: '${ .list + [3] }' }, then: continue }
        - four: { set: { list: '${ .list + [4] }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      list: [ 1, 3, 4 ]
      """

  Scenario: The then of a task that is skipped does not count
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-skipped, version: '1.0.0' }
      do:
        - one: { if: 'false', set: { x: 1 }, then: end }
        - two: { set: { two: true } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      two: true
      """

  Scenario: An endless loop ends with the run's timeout, and others go on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-endless, version: '1.0.0' }
      timeout: { after: { milliseconds: 100 } }
      do:
        - again: { wait: { milliseconds: 1 }, then: again }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 408
      """

  Scenario Outline: Targets that are none
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-refused, version: '1.0.0' }
      do:
        - one: { set: { x: 1 }, then: <then> }
        - group: { do: [ { inner: { set: { x: 1 } } } ] }
      """
    Then the workflow should be refused with V11 at line 3

    Examples:
      | then  |
      | none  |
      | inner |

  Scenario Outline: Names that are directives
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-names, version: '1.0.0' }
      do:
        - <name>: { set: { x: 1 } }
      """
    Then the workflow should be refused with V12 at line 3, column 5

    Examples:
      | name     |
      | continue |
      | exit     |
      | end      |

  Scenario: The output of the document is made also where `end` was said, that of the tasks around is not
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t6-end-output, version: '1.0.0' }
      do:
        - all:
            do:
              - loop: { for: { in: '[ 1, 2 ]' }, do: [ { one: { set: { n: '${ $item }' }, then: end } } ] }
            output: { as: '{ not: . }' }
        - never: { set: { x: 1 } }
      output: { as: '{ out: . }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      out: { n: 1 }
      """
