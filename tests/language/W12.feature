Feature: W12 versions

  @http
  Scenario: Several versions side by side; the newest release is meant where none is named
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w12, version: 1.9.0 }
      do: [ { a: { set: { version: '1.9.0' } } } ]
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w12, version: 1.10.0 }
      do: [ { a: { set: { version: '1.10.0' } } } ]
      """
    And another workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w12, version: 2.0.0-rc.1 }
      do: [ { a: { set: { version: '2.0.0-rc.1' } } } ]
      """
    When the workflow is executed
    And the API gets GET /v1/workflows/w12
    Then the answer should have status 200
    And the answer's 'version' should be:
      """yaml
      1.10.0
      """
    When the API gets GET /v1/workflows/w12/versions/2.0.0-rc.1
    Then the answer should have status 200
