Feature: T2, T3, T4 input, output and export of a task

  Scenario: The order within one task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t2-order, version: '1.0.0' }
      do:
        - step:
            if: .raw
            input: { schema: { format: json, document: { required: [ raw ] } }, from: '{ input: .raw }' }
            set: { body: '${ .input }', same: '${ $input.input }' }
            output: { as: '{ out: .body, in: $input }', schema: { format: json, document: { required: [ out, in ] } } }
            export: { as: '{ exported: ., output: $output, before: $context }', schema: { format: json, document: { required: [ exported ] } } }
        - look: { set: { data: '${ . }', context: '${ $context }' } }
      """
    And given the workflow input is:
      """yaml
      raw: 7
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      data: { out: 7, in: { input: 7 } }
      context: { exported: { out: 7, in: { input: 7 } }, output: { out: 7, in: { input: 7 } }, before: { raw: 7 } }
      """

  Scenario: output.schema sees what output.as has made
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t3-schema, version: '1.0.0' }
      do:
        - step: { set: { n: 1 }, output: { as: .n, schema: { format: json, document: { type: object } } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/validation
      instance: /do/0/step
      """

  Scenario: input.schema sees the raw input
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t2-schema, version: '1.0.0' }
      do:
        - step: { input: { schema: { format: json, document: { required: [ n ] } }, from: '{ n: 1 }' }, set: { x: 1 } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://serverlessworkflow.io/spec/1.0.0/errors/validation
      """

  Scenario: Objects given to from and as are evaluated leaf by leaf
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t2-objects, version: '1.0.0' }
      do:
        - step:
            input: { from: { a: '${ .n }', b: { c: [ '${ .n + 1 }', text ] } } }
            set: '${ . }'
            output: { as: { all: '${ . }', literal: .n } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      all: { a: 1, b: { c: [ 2, text ] } }
      literal: .n
      """

  Scenario: An export replaces the context, it does not merge
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: t4-replace, version: '1.0.0' }
      do:
        - one: { set: { a: 1 }, export: { as: . } }
        - two: { set: { b: 2 }, export: { as: . } }
        - look: { set: '${ $context }' }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      b: 2
      """
