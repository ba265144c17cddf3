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

  Scenario: What the definition says of an event stays
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k17-whole, version: '1.0.0' }
      do:
        - tell:
            emit:
              event:
                with:
                  id: i-1
                  source: https://x.test/source
                  type: '${ .type }'
                  time: '2026-01-02T03:04:05Z'
                  subject: '${ .nothing }'
                  datacontenttype: application/json
                  dataschema: https://x.test/schema
                  data: text
      """
    And given the workflow input is:
      """yaml
      type: k17.whole
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      { id: i-1, source: 'https://x.test/source', type: k17.whole, specversion: '1.0', time: '2026-01-02T03:04:05Z', datacontenttype: application/json, dataschema: 'https://x.test/schema', data: text }
      """

  Scenario Outline: What is computed and is no attribute is an error of the task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k17-computed, version: '1.0.0' }
      do:
        - tell: { emit: { event: { with: { <with> } } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/expression
      instance: /do/0/tell
      """

    Examples:
      | with                              |
      | type: '${ .nothing }'             |
      | type: '${ 5 }'                    |
      | type: '${ "" }'                   |
      | type: t, source: '${ {} }'        |
      | type: t, subject: '${ [1] }'      |
      | type: t, specversion: '${ 1.0 }'  |

  Scenario Outline: What an event needs
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k17-refused, version: '1.0.0' }
      do:
        - tell: { emit: <emit> }
      """
    Then the workflow should be refused with <code> at line 3

    Examples:
      | emit                                            | code |
      | {}                                              | V06  |
      | { event: {} }                                   | V06  |
      | { event: { with: { source: /x } } }             | V06  |
      | { event: { with: { type: t, time: soon } } }    | V06  |
      | { event: { with: { type: 5 } } }                | V06  |
      | { with: { type: t } }                           | V04  |
