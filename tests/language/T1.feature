Feature: T1 if

  Scenario Outline: A condition on the raw input; false skips, and the raw input is the output
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t1, version: '1.0.0' }
      do:
        - maybe: { if: '<if>', input: { from: '{ changed: true }' }, set: { ran: true } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """

    Examples:
      | if             | output        |
      | .n == 1        | { ran: true } |
      | ${ .n == 1 }   | { ran: true } |
      | .n == 2        | { n: 1 }      |
      | .changed       | { n: 1 }      |
      | null           | { n: 1 }      |
      | empty          | { n: 1 }      |
      | 0              | { ran: true } |

  Scenario: It is asked before the schema of the input
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t1-first, version: '1.0.0' }
      do:
        - maybe: { if: 'false', input: { schema: { format: json, document: { required: [ x ] } } }, set: { ran: true } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {}
      """
    And the task maybe should be skipped

  Scenario: A skipped task exports nothing and has no entry in $steps
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t1-steps, version: '1.0.0' }
      do:
        - maybe: { if: 'false', set: { ran: true }, export: { as: '{ exported: true }' } }
        - look: { set: { steps: '${ $steps.maybe }', context: '${ $context }', data: '${ . }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      steps: null
      context: { n: 1 }
      data: { n: 1 }
      """

  Scenario: A condition that fails is the task's error
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t1-fails, version: '1.0.0' }
      do:
        - maybe: { if: '.n | keys', set: { ran: true } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 400
      instance: /do/0/maybe
      """
