@http
Feature: W10 schedule

  Scenario Outline: What cannot be a schedule
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-refused, version: '1.0.0' }
      schedule: <schedule>
      do: [ { a: { set: { n: 1 } } } ]
      """
    When the workflow is executed
    Then the workflow should be refused with <code>
    Examples:
      | schedule                              | code |
      | {}                                    | V17  |
      | { every: PT1H, after: PT1H }          | V17  |
      | { every: PT0.5S }                     | V17  |
      | { cron: '61 * * * *' }                | V17  |
      | { every: PT1H, read: data }           | V17  |
      | { every: 5m }                         | V07  |
      | { on: { any: [] }, every: PT1H }      | V17  |
      | { on: { all: [] } }                   | V17  |
      | { on: {} }                            | V06  |
      | { on: { any: [], foreach: {} } }      | V04  |
      | { on: { one: { with: { type: a } }, until: length == 1 } } | V06 |
      | { on: { one: { with: { data: '${ $workflow.id }' } } } } | V21 |

  Scenario: It starts after the end of its last run, without input
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-after, version: '1.0.0' }
      schedule: { after: PT1H }
      do:
        - a: { if: '.by != "hand"', listen: { to: { one: { with: { type: never } } } } }
        - b: { set: { got: '${ $workflow.input }' } }
      """
    And the workflow input is:
      """yaml
      by: hand
      """
    And the start request says:
      """yaml
      workflow: language/w10-after
      """
    When the workflow is executed
    Then the answer of /v1/runs?workflow=w10-after&status=waiting should come to have 'items.0.created_by':
      """yaml
      schedule
      """
    And the workflow should complete with output:
      """yaml
      got: { by: hand }
      """

  Scenario: A newer release takes the schedule over
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: default, name: w10-newer, version: '1.0.0' }
      schedule: { every: P1D }
      do: [ { a: { set: { n: 1 } } } ]
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: default, name: w10-newer, version: '1.1.0' }
      schedule: { cron: '0 0 * * *' }
      do: [ { a: { set: { n: 2 } } } ]
      """
    When the API gets GET /v1/workflows/w10-newer
    Then the answer's 'schedule.version' should be:
      """yaml
      1.1.0
      """
    And the answer's 'schedule.kind' should be:
      """yaml
      cron
      """

  Scenario: An event starts a run, whose input it is
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-one, version: '1.0.0' }
      do:
        - other: { emit: { event: { with: { type: w10.one.asked, data: { n: 1 } } } } }
        - ask: { emit: { event: { with: { type: w10.one.asked, data: { n: 7 } } } } }
        - hear: { listen: { to: { one: { with: { type: w10.one.done } } } } }
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-one-started, version: '1.0.0' }
      schedule: { on: { one: { with: { type: w10.one.asked, data: '${ .n > 5 }' } } } }
      do: [ { tell: { emit: { event: { with: { type: w10.one.done, data: '${ $workflow.input }' } } } } } ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ [ { n: 7 } ] ]
      """

  Scenario: Events that belong together start one run, each set of them one
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-all, version: '1.0.0' }
      do:
        - a1: { emit: { event: { with: { type: w10.all.a, data: { order: 1 } } } } }
        - a2: { emit: { event: { with: { type: w10.all.a, data: { order: 2 } } } } }
        - b2: { emit: { event: { with: { type: w10.all.b, data: { order: 2 } } } } }
        - second: { listen: { to: { one: { with: { type: w10.all.done } } } }, export: { as: '${ { second: .[0] } }' } }
        - b1: { emit: { event: { with: { type: w10.all.b, data: { order: 1 } } } } }
        - first: { listen: { to: { one: { with: { type: w10.all.done } } } } }
        - both: { set: { second: '${ $context.second }', first: '${ .[0] }' } }
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-all-started, version: '1.0.0' }
      schedule:
        on:
          all:
            - { with: { type: w10.all.a }, correlate: { order: { from: .data.order } } }
            - { with: { type: w10.all.b }, correlate: { order: { from: .data.order } } }
        read: envelope
      do: [ { tell: { emit: { event: { with: { type: w10.all.done, data: '${ $workflow.input | map([.type, .data.order]) }' } } } } } ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      second: [ [ w10.all.a, 2 ], [ w10.all.b, 2 ] ]
      first: [ [ w10.all.a, 1 ], [ w10.all.b, 1 ] ]
      """

  Scenario: Any number of events, until another comes
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-until, version: '1.0.0' }
      do:
        - early: { emit: { event: { with: { type: w10.until.end } } } }
        - one: { emit: { event: { with: { type: w10.until.item, data: 1 } } } }
        - two: { emit: { event: { with: { type: w10.until.item, data: 2 } } } }
        - late: { emit: { event: { with: { type: w10.until.end } } } }
        - hear: { listen: { to: { one: { with: { type: w10.until.done } } } } }
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-until-started, version: '1.0.0' }
      schedule: { on: { any: [ { with: { type: w10.until.item } } ], until: { one: { with: { type: w10.until.end } } } } }
      do: [ { tell: { emit: { event: { with: { type: w10.until.done, data: '${ $workflow.input }' } } } } } ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ [ 1, 2 ] ]
      """

  Scenario: What a schedule of events says of itself
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: default, name: w10-shown, version: '1.0.0' }
      schedule: { on: { one: { with: { type: w10.shown } } } }
      do: [ { a: { set: { n: 1 } } } ]
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: default, name: w10-shown-too, version: '1.0.0' }
      schedule: { on: { one: { with: { type: w10.shown } } } }
      do: [ { a: { set: { n: 1 } } } ]
      """
    When the API gets GET /v1/workflows/w10-shown-too
    Then the answer's 'schedule' should be:
      """yaml
      kind: 'on'
      version: 1.0.0
      events_held: 0
      """
