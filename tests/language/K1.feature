Feature: K1 call http

  Scenario: A body by https from a host that is mapped
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k1-get, version: '1.0.0' }
      do:
        - get: { call: http, with: { method: get, endpoint: 'https://shop.test/pets/{id}' } }
      """
    And given the workflow input is:
      """yaml
      id: 7
      """
    And the server answers GET https://shop.test/pets/7 with status 200:
      """yaml
      name: Milou
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      name: Milou
      """
    And the server should get 1 request of GET https://shop.test/pets/7
