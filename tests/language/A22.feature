@http
Feature: A22 cron is five fields in UTC

  Scenario: The next time is shown in UTC
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: default, name: a22-next, version: '1.0.0' }
      schedule: { cron: '0 0 1 JAN *' }
      do: [ { a: { set: { n: 1 } } } ]
      """
    When the API gets GET /v1/workflows/a22-next
    Then the answer's 'schedule.kind' should be:
      """yaml
      cron
      """
    And the answer should have status 200

  Scenario: Six fields are one too many
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a22-six, version: '1.0.0' }
      schedule: { cron: '0 0 0 1 1 *' }
      do: [ { a: { set: { n: 1 } } } ]
      """
    When the workflow is executed
    Then the workflow should be refused with V17
    And the finding should say 'needs 5 fields'

  Scenario: A day that never comes
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a22-never, version: '1.0.0' }
      schedule: { cron: '0 0 30 2 *' }
      do: [ { a: { set: { n: 1 } } } ]
      """
    When the workflow is executed
    Then the workflow should be refused with V17
    And the finding should say 'never comes'
