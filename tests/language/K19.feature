Feature: K19 event filters

  Scenario Outline: An attribute decides
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k19-<name>, version: '1.0.0' }
      do:
        - wait: { listen: { to: { one: { with: { type: a, data: <data> } } } } }
      """
    And given the workflow input is:
      """yaml
      order: 7
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      { id: 6, list: [ 1, 2 ] }
      """
    And the signal a is sent with:
      """yaml
      { id: 7, list: [ 1, 3 ] }
      """
    Then the workflow should complete with output:
      """yaml
      - { id: 7, list: [ 1, 3 ] }
      """

    Examples:
      | name       | data                                                              |
      | literal    | { id: 7, list: [ 1, 3 ] }                                         |
      | condition  | '${ .id > 6 }'                                                    |
      | compared   | '${ { id: $workflow.input.order, list: [ 1, 3 ] } }'              |
      | map        | { id: '${ $workflow.input.order }', list: [ 1, '${ . > 2 }' ] }   |

  Scenario: Correlation with what is expected
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k19-expect, version: '1.0.0' }
      do:
        - wait: { listen: { to: { one: { with: { type: a }, correlate: { order: { from: .data.order, expect: '${ .order }' } } } } } }
      """
    And given the workflow input is:
      """yaml
      order: 7
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      order: 8
      """
    And the engine is killed and restarted
    And the signal a is sent with:
      """yaml
      order: 7
      """
    Then the workflow should complete with output:
      """yaml
      - order: 7
      """
