Feature: W2, W3 input and output of the workflow

  Scenario: Transformed at the beginning and at the end; $workflow.input stays raw
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w2, version: '1.0.0' }
      input: { schema: { format: json, document: { required: [ n ] } }, from: '{ m: (.n + 1) }' }
      do:
        - step: { set: { m: '${ .m }', raw: '${ $workflow.input.n }' } }
      output: { as: '{ result: ., context: $context }', schema: { format: json, document: { required: [ result ] } } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      result: { m: 2, raw: 1 }
      context: { m: 2 }
      """

  Scenario: An input that does not fit is refused at the start
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w2-refused, version: '1.0.0' }
      input: { schema: { format: json, document: { required: [ n ] } } }
      do:
        - step: { set: { x: 1 } }
      """
    When the workflow is executed
    Then the start should be refused with code input_invalid

  Scenario: An output that does not fit is a fault
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w3-refused, version: '1.0.0' }
      do:
        - step: { set: { x: 1 } }
      output: { schema: { format: json, document: { required: [ y ] } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/validation
      status: 400
      """

  Scenario: Without an input it is an empty object (A11)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a11, version: '1.0.0' }
      do:
        - look: { set: { input: '${ . }', raw: '${ $workflow.input }', context: '${ $context }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      input: {}
      raw: {}
      context: {}
      """

  Scenario: $context starts as the transformed input (A10)
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: a10, version: '1.0.0' }
      input: { from: .inner }
      do:
        - look: { set: '${ $context }' }
      """
    And given the workflow input is:
      """yaml
      inner: { a: 1 }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      a: 1
      """
