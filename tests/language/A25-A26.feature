Feature: A25, A26 what filters compare

  Scenario Outline: A25 a text is equal, or an anchored regular expression
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a25-<name>, version: '1.0.0' }
      do:
        - wait: { listen: { to: { one: { with: { type: '<type>' } } }, read: envelope }, output: { as: '.[0].type' } }
      """
    When the workflow is executed
    And the signal my.order.x is sent
    And the signal order.xx is sent
    Then the workflow should complete with output:
      """yaml
      order.xx
      """

    Examples:
      | name    | type       |
      | equal   | order.xx   |
      | pattern | order[.]x+ |

  Scenario: A26 without expect the first value is expected, by all correlations of its name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a26, version: '1.0.0' }
      do:
        - wait:
            listen:
              to:
                all:
                  - { with: { type: placed }, correlate: { order: { from: .data.id } } }
                  - { with: { type: paid }, correlate: { order: { from: .data.order } } }
      """
    When the workflow is executed
    And the signal placed is sent with:
      """yaml
      id: 7
      """
    And the engine is killed and restarted
    And the signal paid is sent with:
      """yaml
      order: 8
      """
    And the signal paid is sent with:
      """yaml
      order: 7
      """
    Then the workflow should complete with output:
      """yaml
      - id: 7
      - order: 7
      """
