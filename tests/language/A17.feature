Feature: A17 events that come before their listen

  Scenario: A signal waits for its listen
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a17-early, version: '1.0.0' }
      do:
        - first: { listen: { to: { one: { with: { type: first } } } } }
        - second: { listen: { to: { one: { with: { type: second } } } } }
      """
    When the workflow is executed
    And the signal second is sent with:
      """yaml
      2
      """
    And the engine is killed and restarted
    And the signal first is sent
    Then the workflow should complete with output:
      """yaml
      - 2
      """

  @core
  Scenario: An event expires after seven days, and the history says so
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a17-expiry, version: '1.0.0' }
      do:
        - first: { listen: { to: { one: { with: { type: first } } } } }
      """
    When the workflow is executed
    And the signal second is sent
    And 7 days pass
    Then the history should have 1 event.expired

  @http
  Scenario: A published event waits for a listen that comes later
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a17-published, version: '1.0.0' }
      do:
        - first: { listen: { to: { one: { with: { type: a17.first } } } } }
        - second: { listen: { to: { one: { with: { type: a17.second } } } } }
      """
    When the workflow is executed
    And the event is published:
      """yaml
      type: a17.second
      data: 2
      """
    And the engine is killed and restarted
    And the event is published:
      """yaml
      type: a17.first
      """
    Then the workflow should complete with output:
      """yaml
      - 2
      """
