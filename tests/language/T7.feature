Feature: T7 metadata

  Scenario: A free map; nothing in it is evaluated
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t7, version: '1.0.0', metadata: { a: '${ nothing }' } }
      do:
        - a: { set: { ok: true }, metadata: { owner: me, list: [ 1, '${ $nix' ], tutti: { phase: Start } } }
      """
    Then the workflow should be accepted without findings

  Scenario: Ours is checked
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t7-ours, version: '1.0.0' }
      do:
        - a: { set: { ok: true }, metadata: { tutti: { phse: Start } } }
      """
    Then the workflow should be refused with V04 at line 3, column 50
    And the fix should say '`phase`'
