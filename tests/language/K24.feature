@http
Feature: K24 run.await and run.return

  Background:
    Given another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k24-listens, version: '1.0.0' }
      do: [ { wait: { listen: { to: { one: { with: { type: k24.never } } } } } } ]
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k24-sets, version: '1.0.0' }
      do: [ { a: { set: { n: 1 } } } ]
      """

  Scenario: Without waiting the output is the input, and the child lives on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k24-detached, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k24-listens, version: latest }, await: false } }
      """
    And the workflow input is:
      """yaml
      in: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      in: 1
      """
    When the API gets GET /v1/runs?parent={run}
    Then the answer's 'items.0.status' should be:
      """yaml
      waiting
      """

  Scenario: A child that cannot be started is an error also then
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k24-nobody, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k24-nowhere, version: latest }, await: false } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 400
      """

  Scenario: Nothing is returned if nothing is wanted
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k24-none, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k24-sets, version: latest }, return: none } }
        - after: { set: { got: '${ . }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      got: null
      """
    And the workflow should be accepted

  Scenario: What processes return means nothing for a workflow
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k24-code, version: '1.0.0' }
      do:
        - child: { run: { workflow: { namespace: language, name: k24-sets, version: latest }, return: code } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
