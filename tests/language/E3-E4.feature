Feature: E3, E4 approvals and signals

  Scenario: E3 an approval is edited until it is decided
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e3, version: '1.0.0' }
      do:
        - ask:
            listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 } } } }
            output: { as: '.[0] | { approved, changed, payload, data }' }
            metadata: { tutti: { approval: { title: '${ "Publish \(.title)?" }', payload: '${ { title: .title } }', editable: true } } }
      """
    And given the workflow input is:
      """yaml
      title: Tea
      """
    When the workflow is executed
    And the engine is killed and restarted
    And the approval is approved with:
      """yaml
      note: fine
      """
    Then the workflow should complete with output:
      """yaml
      { approved: true, changed: false, payload: { title: Tea }, data: { note: fine } }
      """
    And the history should have in this order:
      | approval.requested |
      | approval.decided   |

  Scenario: E3 nobody decides by an event
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e3-event, version: '1.0.0' }
      do:
        - ask:
            listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 } } } }
            output: { as: '.[0].approved' }
            metadata: { tutti: { approval: { title: Sure? } } }
      """
    When the workflow is executed
    And the signal dev.tutti.approval.decided.v1 is sent with:
      """yaml
      approved: true
      """
    And the approval is rejected
    Then the workflow should complete with output:
      """yaml
      false
      """

  Scenario: E4 a signal is an event for one run
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e4, version: '1.0.0' }
      do:
        - wait: { listen: { to: { one: { with: { type: go, subject: '${ $workflow.id }' } } } } }
      """
    When the workflow is executed
    And the signal go is sent with:
      """yaml
      n: 1
      """
    Then the workflow should complete with output:
      """yaml
      - n: 1
      """

  @http
  Scenario: E4 a published event reaches every run that listens
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e4-published, version: '1.0.0' }
      do:
        - wait: { listen: { to: { one: { with: { type: e4.go } } } } }
      """
    When the workflow is executed
    And the event is published:
      """yaml
      type: e4.go
      data: { n: 1 }
      """
    Then the workflow should complete with output:
      """yaml
      - n: 1
      """
