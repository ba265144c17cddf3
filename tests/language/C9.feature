@http
Feature: C9 life-cycle events

  Scenario: A run that completes tells of itself and of its tasks, in order
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c9-completes, version: '1.0.0' }
      do:
        - greet: { set: { hello: '${ .name }' } }
      """
    And given the workflow input is:
      """yaml
      name: Ann
      """
    And the server answers POST /c9-completes with status 204
    When the API gets POST /v1/subscriptions with:
      """yaml
      url: https://hooks.test/c9-completes
      workflow: c9-completes
      """
    Then the answer should have status 201
    When the workflow is executed
    Then the server should get 5 requests of POST /c9-completes
    And the workflow should complete
    And request 1 should be:
      """yaml
      headers: { ce-specversion: '1.0', ce-type: io.serverlessworkflow.workflow.started.v1, ce-source: /language/c9-completes/1.0.0 }
      body: { definition: { namespace: language, name: c9-completes, version: 1.0.0 } }
      """
    And request 2 should be:
      """yaml
      headers: { ce-type: io.serverlessworkflow.task.created.v1 }
      body: { task: /do/0/greet }
      """
    And request 3 should be:
      """yaml
      headers: { ce-type: io.serverlessworkflow.task.started.v1 }
      body: { task: /do/0/greet }
      """
    And request 4 should be:
      """yaml
      headers: { ce-type: io.serverlessworkflow.task.completed.v1 }
      body: { task: /do/0/greet, output: { hello: Ann } }
      """
    And request 5 should be:
      """yaml
      headers: { ce-type: io.serverlessworkflow.workflow.completed.v1 }
      body: { output: { hello: Ann } }
      """

  Scenario: A run that faults says why
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c9-faults, version: '1.0.0' }
      do:
        - stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: Teapot } } }
      """
    And the server answers POST /c9-faults with status 204
    When the API gets POST /v1/subscriptions with:
      """yaml
      url: https://hooks.test/c9-faults
      workflow: c9-faults
      types: [ io.serverlessworkflow.workflow.faulted.v1, io.serverlessworkflow.task.faulted.v1 ]
      """
    Then the answer should have status 201
    When the workflow is executed
    Then the server should get 2 requests of POST /c9-faults
    And the workflow should fault
    And request 1 should be:
      """yaml
      headers: { ce-type: io.serverlessworkflow.task.faulted.v1 }
      body: { task: /do/0/stop, error: { type: 'https://x.test/e', status: 418 } }
      """
    And request 2 should be:
      """yaml
      headers: { ce-type: io.serverlessworkflow.workflow.faulted.v1 }
      body: { error: { type: 'https://x.test/e', status: 418, instance: /do/0/stop } }
      """
