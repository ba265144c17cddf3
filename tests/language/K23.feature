@http
Feature: K23 run: workflow

  Background:
    Given another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-twice, version: '1.0.0' }
      input: { schema: { document: { type: object, required: [ n ], properties: { n: { type: integer } } } } }
      do:
        - positive: { if: '${ .n < 0 }', raise: { error: { type: 'https://shop.test/negative', status: 422, title: Negative, detail: 'below zero' } } }
        - twice: { set: { n: '${ .n * 2 }' } }
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-listens, version: '1.0.0' }
      do: [ { wait: { listen: { to: { one: { with: { type: k23.never } } } } } } ]
      """

  Scenario: The output of the task is the child's
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-output, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k23-twice, version: latest, input: { n: '${ .start }' } } } }
        - after: { set: { got: '${ .n }' } }
      """
    And the workflow input is:
      """yaml
      start: 21
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      got: 42
      """
    And the history should have in this order:
      | child.scheduled | child |
      | child.completed | child |
      | task.completed  | child |

  Scenario: The fault of the child is the error of the task
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-fault, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k23-twice, version: 1.0.0, input: { n: -1 } } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.test/negative
      status: 422
      title: Negative
      instance: /do/0/child
      """
    And the error should say 'at /do/0/positive: below zero'

  Scenario: An error of a child can be caught
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-caught, version: '1.0.0' }
      do:
        - attempt:
            try:
              - child: { run: { workflow: { namespace: language, name: k23-twice, version: latest, input: { n: -1 } } } }
            catch: { errors: { with: { status: 422 } }, do: [ { none: { set: { n: 0 } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 0
      """

  Scenario: A child that fits no schema is a validation error
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-input, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k23-twice, version: latest, input: { n: text } } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 400
      title: Validation error
      """

  Scenario: A workflow that is not there is a configuration error
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-nobody, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k23-nowhere, version: latest } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 400
      title: Configuration error
      """
    And the error should say 'k23-nowhere is not registered'

  Scenario: Each attempt is a child of its own
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-retry, version: '1.0.0' }
      do:
        - child:
            run: { workflow: { namespace: language, name: k23-twice, version: latest, input: { n: -1 } } }
            metadata: { tutti: { retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 2 } } } } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 422
      """
    And the history should have 3 child.scheduled

  Scenario: The run says which child it waits for, and the child whose it is
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-waits, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k23-listens, version: latest } } }
      """
    When the workflow is executed
    Then the run should be waiting
    And the run's 'waiting_for.0.kind' should be:
      """yaml
      child
      """
    When the engine is killed and restarted
    And the run is cancelled
    Then the workflow should cancel
    When the API gets GET /v1/runs?parent={run}
    Then the answer's 'items.0.parent.task' should be:
      """yaml
      /do/0/child
      """

  Scenario: A child run stays in the namespace
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-namespace, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: elsewhere, name: k23-twice, version: latest } } }
      """
    When the workflow is executed
    Then the workflow should be refused with V06
    And the finding should say 'stays in the namespace'

  Scenario: The input of a child is a map
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k23-map, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k23-twice, version: latest, input: text } } }
      """
    When the workflow is executed
    Then the workflow should be refused with V06
