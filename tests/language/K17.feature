Feature: K17 emit

  Scenario: The output is the event, with what it lacked
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k17, version: '1.0.0' }
      do:
        - tell:
            emit: { event: { with: { type: k17.told, subject: '${ .who }', data: { n: '${ .n + 1 }' }, ownattribute: x } } }
            output: { as: '[ .type, .source, .specversion, .subject, .data.n, .ownattribute, (.id | length), (.time | length > 19) ]' }
      """
    And given the workflow input is:
      """yaml
      { who: ann, n: 1 }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ k17.told, /language/k17/1.0.0, '1.0', ann, 2, x, 26, true ]
      """

  Scenario: It reaches a task of the same run
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k17-own, version: '1.0.0' }
      do:
        - both:
            fork:
              branches:
                - hear: { listen: { to: { one: { with: { type: k17.own } } } } }
                - tell: { emit: { event: { with: { type: k17.own, data: 3 } } }, output: { as: .data } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [ [ 3 ], 3 ]
      """
