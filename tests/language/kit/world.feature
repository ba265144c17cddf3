# The public services that the specification's test kit calls, as far as it asks them; played before each scenario.
Feature: The world of the test kit

  Scenario: Two pets and a login
    Given the server answers GET https://petstore.swagger.io/v2/pet/findByStatus with status 200:
      """yaml
      [ { id: 1, name: Milou, status: available, photoUrls: [] } ]
      """
    And the server answers GET https://petstore.swagger.io/v2/pet/1 with status 200:
      """yaml
      { id: 1, name: Milou, status: available, photoUrls: [] }
      """
    And the server answers GET https://petstore.swagger.io/v2/pet/2 with status 200:
      """yaml
      { id: 2, name: Puss, status: sold, photoUrls: [] }
      """
    And the server answers GET https://httpbin.org/basic-auth/serverless-workflow/conformance-test with status 200:
      """yaml
      { authenticated: true, user: serverless-workflow }
      """
