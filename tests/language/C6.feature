Feature: C6 schemas

  Scenario Outline: A document of JSON Schema 2020-12
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c6, version: '1.0.0' }
      input:
        schema: { format: json, document: { type: object, properties: { n: { type: integer, minimum: 3 } }, required: [ n ] } }
      do:
        - check: { input: { schema: { document: { properties: { n: { multipleOf: 2 } } } } }, set: { ok: true } }
      """
    And given the workflow input is:
      """yaml
      n: <n>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | n |
      | 4 |
      | 6 |

  Scenario: One that is none is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c6-none, version: '1.0.0' }
      input: { schema: { document: { type: objekt } } }
      do: []
      """
    Then the workflow should be refused with V06
