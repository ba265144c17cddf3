Feature: T5 timeout of a task

  @core
  Scenario Outline: Inline and by name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t5, version: '1.0.0' }
      use: { timeouts: { short: { after: PT10S } } }
      do:
        - slow: { wait: PT1H, timeout: <timeout> }
        - other: { wait: PT1S, timeout: short }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/slow
      """
    And the run should have taken 10 seconds

    Examples:
      | timeout                      |
      | { after: PT10S }             |
      | { after: { seconds: 10 } }   |
      | short                        |
      | { after: '${ "PT10S" }' }    |

  Scenario: It is an error like any other
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t5-caught, version: '1.0.0' }
      do:
        - attempt:
            try: [ { slow: { wait: PT1H, timeout: { after: { milliseconds: 20 } } } } ]
            catch: { errors: { with: { status: 408 } }, do: [ { late: { set: { late: true } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      late: true
      """

  @core
  Scenario Outline: It bounds what a task of any kind does
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t5-kinds, version: '1.0.0' }
      do:
        - slow: { <task>, timeout: { after: PT10S } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/slow
      """
    And the run should have taken 10 seconds

    Examples:
      | task |
      | do: [ { w: { wait: PT1H } } ] |
      | fork: { branches: [ { w: { wait: PT1H } } ] } |
      | fork: { compete: true, branches: [ { w: { wait: PT1H } } ] } |
      | for: { in: '[1]' }, do: [ { w: { wait: PT1H } } ] |
      | try: [ { w: { wait: PT1H } } ], catch: { do: [ { c: { set: { caught: true } } } ] } |
      | try: [ { r: { raise: { error: { type: 'https://x.test/e', status: 500 } } } } ], catch: { retry: { delay: PT1H } } |
      | listen: { to: { one: { with: { type: never } } } } |

  Scenario Outline: What is no timeout
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t5-refused, version: '1.0.0' }
      do:
        - slow: { wait: PT1S, timeout: <timeout> }
      """
    Then the workflow should be refused with <code> at line 3

    Examples:
      | timeout | code |
      | {} | V06 |
      | { after: -PT1S } | V07 |
      | { after: PT } | V07 |
      | PT5S | V13 |
      | { after: PT1S, before: PT1S } | V04 |
