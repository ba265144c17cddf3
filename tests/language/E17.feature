Feature: E17 variants

  Scenario Outline: A choice that sticks to its key
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e17-<key>, version: '1.0.0' }
      do:
        - choose: { call: tutti.variant, with: { experiment: subject, weights: { b: 50, a: 50 }, key: '${ .user }' } }
      """
    And given the workflow input is:
      """yaml
      user: <key>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <choice>
      """
    And the run's 'labels' should be:
      """yaml
      variant.subject: <choice>
      """
    And the history should have 1 run.labelled

    Examples:
      | key | choice |
      | u1  | a      |
      | u2  | b      |
      | u3  | a      |
      | u4  | a      |

  Scenario: A weight of nought is never chosen, and the key may be anything
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e17-all, version: '1.0.0' }
      do:
        - choose: { call: 'tutti.variant:1@default', with: { experiment: e, weights: { a: 0, b: 1, c: 0 }, key: '${ { any: [ 1 ] } }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      b
      """

  Scenario: Weights that are none
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e17-none, version: '1.0.0' }
      do:
        - choose: { call: tutti.variant, with: { experiment: e, weights: '${ . }' } }
      """
    And given the workflow input is:
      """yaml
      a: -1
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/choose
      """

  Scenario: Weights that can never choose are refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e17-wrong, version: '1.0.0' }
      do:
        - choose: { call: tutti.variant, with: { experiment: e, weights: { a: 0 } } }
      """
    Then the workflow should be refused with V14
