Feature: E5 progress

  Scenario Outline: Finished weight of all weight, nested; skipped counts as done
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e5-<name>, version: '1.0.0' }
      do:
        - first: { set: { n: 1 }, metadata: { tutti: { weight: 1, phase: Start } } }
        - second: <task>
      """
    When the workflow is executed
    Then the run should be waiting
    And the run's 'progress.percent' should be:
      """yaml
      <percent>
      """
    And the run's 'progress.phase' should be:
      """yaml
      <phase>
      """

    Examples:
      | name    | percent | phase  | task |
      | plain   | 50      | Start  | { listen: { to: { one: { with: { type: never } } } }, metadata: { tutti: { phase: Start } } } |
      | weight  | 25      | Review | { listen: { to: { one: { with: { type: never } } } }, metadata: { tutti: { weight: 3, phase: Review } } } |
      | nested  | 75      | Inner  | { do: [ { a: { set: { n: 1 } } }, { b: { listen: { to: { one: { with: { type: never } } } }, metadata: { tutti: { phase: Inner } } } } ] } |
      | skipped | 75      | Outer  | { metadata: { tutti: { phase: Outer } }, do: [ { a: { if: 'false', set: { n: 1 } } }, { b: { listen: { to: { one: { with: { type: never } } } } } } ] } |
      | items   | 75      | Loop   | { for: { in: '[range(4)]' }, metadata: { tutti: { phase: Loop } }, do: [ { a: { if: '$index == 2', listen: { to: { one: { with: { type: never } } } } } } ] } |
      | branch  | 75      | Fork   | { fork: { branches: [ { a: { set: { n: 1 } } }, { b: { listen: { to: { one: { with: { type: never } } } }, metadata: { tutti: { phase: Fork } } } } ] } } |

  Scenario: A retry and a jump back take nothing away
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e5-back, version: '1.0.0' }
      do:
        - one: { set: { n: '${ (.n // 0) + 1 }' } }
        - two: { switch: [ { again: { when: .n < 3, then: one } } ] }
        - three: { listen: { to: { one: { with: { type: never } } } } }
        - four: { set: { n: 1 } }
      """
    When the workflow is executed
    Then the run should be waiting
    And the run's 'progress.percent' should be:
      """yaml
      50
      """

  @core
  Scenario: An attempt earns what the one before it had
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e5-retry, version: '1.0.0' }
      do:
        - attempt:
            try: [ { one: { set: { n: 1 } } }, { two: { raise: { error: { type: 'https://shop.test/errors/x', status: 500 } } } } ]
            catch: { retry: { delay: PT1H, limit: { attempt: { count: 5 } } } }
        - last: { set: { n: 1 } }
      """
    When the workflow is executed
    Then the run's 'progress.percent' should be:
      """yaml
      25
      """
    When 2 hours pass
    Then the history should have 3 task.completed of one
    And the run's 'progress.percent' should be:
      """yaml
      25
      """

  Scenario: Undoing is no progress
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e5-undo, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - one: { set: { n: 1 }, metadata: { tutti: { compensate: [ { wait: { listen: { to: { one: { with: { type: never } } } } } } ] } } }
        - two: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    When the workflow is executed
    Then the run should be running
    And the run's 'progress.percent' should be:
      """yaml
      50
      """
    And the run's 'compensation' should be:
      """yaml
      { state: running, done: 0, failed: 0, total: 1 }
      """

  Scenario: A completed run has it all
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e5-all, version: '1.0.0' }
      do:
        - one: { set: { n: 1 }, metadata: { tutti: { weight: 0.3 } } }
        - two: { set: { n: 1 }, then: end, metadata: { tutti: { weight: 7 } } }
        - three: { switch: [ { no: { when: 'true', then: end } } ] }
      """
    When the workflow is executed
    Then the workflow should complete
    And the run's 'progress.percent' should be:
      """yaml
      100
      """

  Scenario: A weight of nought
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e5-wrong, version: '1.0.0' }
      do:
        - one: { set: { n: 1 }, metadata: { tutti: { weight: 0 } } }
      """
    Then the workflow should be refused with V06
