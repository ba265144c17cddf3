Feature: K14 raise

  Scenario: An error with expressions in its texts
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k14, version: '1.0.0' }
      do:
        - check:
            raise:
              error:
                type: https://x.test/errors/full
                status: 507
                title: '${ "Full of \(.what)" }'
                detail: '${ "\(.n) of \(.n)" }'
      """
    And given the workflow input is:
      """yaml
      what: boxes
      n: 3
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://x.test/errors/full
      status: 507
      title: Full of boxes
      detail: 3 of 3
      instance: /do/0/check
      """

  Scenario: An error by name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k14-named, version: '1.0.0' }
      use: { errors: { full: { type: 'https://x.test/errors/full', status: 507, title: Full } } }
      do:
        - check: { raise: { error: full } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://x.test/errors/full
      status: 507
      title: Full
      instance: /do/0/check
      """

  Scenario: An instance of its own is kept
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k14-instance, version: '1.0.0' }
      do:
        - check: { raise: { error: { type: 'https://x.test/e', status: 400, title: T, instance: /my/place } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      instance: /my/place
      """

  Scenario: What comes after does not run
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k14-after, version: '1.0.0' }
      do:
        - check: { raise: { error: { type: 'https://x.test/e', status: 400, title: T } } }
        - after: { set: { x: 1 } }
      """
    When the workflow is executed
    Then the workflow should fault
    And the task after should not run
    And check should run last

  Scenario Outline: What an error needs
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k14-refused, version: '1.0.0' }
      do:
        - check: { raise: <raise> }
      """
    Then the workflow should be refused with <code> at line 3

    Examples:
      | raise                                                | code |
      | { error: { status: 400 } }                           | V06  |
      | { error: { type: 'https://x.test/e' } }              | V06  |
      | { error: { type: 'https://x.test/e', status: '400 ' } } | V06 |
      | { error: { type: 'https://x.test/e', status: 400, code: 7 } } | V04 |
      | { error: unknown }                                   | V13  |
      | {}                                                   | V06  |

  Scenario Outline: What is computed and is no error is an expression error
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k14-computed, version: '1.0.0' }
      do:
        - check: { raise: { error: { type: <type>, status: <status> } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/check
      """

    Examples:
      | type              | status          |
      | '${ .nothing }'   | 400             |
      | '${ 7 }'          | 400             |
      | https://x.test/e  | '${ "400" }'    |
      | https://x.test/e  | '${ .nothing }' |
      | https://x.test/e  | '${ 4000 }'     |

  Scenario: Computed words are shown, whatever they are
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k14-words, version: '1.0.0' }
      do:
        - check: { raise: { error: { type: '${ .type }', status: '${ .status }', title: '${ .n }', detail: '${ .nothing }', instance: '${ .at }' } } }
      """
    And given the workflow input is:
      """yaml
      type: https://x.test/e
      status: 499
      n: 3
      at: /my/place
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://x.test/e
      status: 499
      title: '3'
      instance: /my/place
      """
