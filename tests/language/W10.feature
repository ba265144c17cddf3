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

  Scenario: It starts after the end of its last run, without input
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w10-after, version: '1.0.0' }
      schedule: { after: PT1H }
      do: [ { a: { set: { got: '${ $workflow.input }' } } } ]
      """
    And the start request says:
      """yaml
      workflow: language/w10-after
      """
    When the workflow is executed
    Then the workflow should complete
    When the API gets GET /v1/runs?workflow=w10-after&order=oldest
    Then the answer's 'items.0.created_by' should be:
      """yaml
      schedule
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
