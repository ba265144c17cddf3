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

  Scenario Outline: A document of an older draft
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c6-draft, version: '1.0.0' }
      do:
        - check:
            try:
              - in: { input: { schema: { document: { $schema: '<dialect>', <schema> } } }, set: { ok: true } }
            catch: { errors: { with: { status: 400 } }, do: [ { no: { set: { ok: false } } } ] }
      """
    And given the workflow input is:
      """yaml
      <value>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: <ok>
      """

    Examples:
      | dialect                                      | schema                                                             | value      | ok    |
      | http://json-schema.org/draft-04/schema#      | properties: { n: { minimum: 3, exclusiveMinimum: true } }          | n: 3       | false |
      | http://json-schema.org/draft-06/schema#      | properties: { n: { items: [ true ], additionalItems: false } }     | n: [ 1, 2 ] | false |
      | http://json-schema.org/draft-07/schema#      | $ref: '#/definitions/a', required: [ b ], definitions: { a: true } | n: 3       | true  |
      | http://json-schema.org/draft-07/schema#      | dependencies: { n: [ m ] }                                         | n: 3       | false |
      | https://json-schema.org/draft/2019-09/schema | properties: { n: { $recursiveRef: '#' } }, maxProperties: 1        | n: { a: 1, b: 2 } | false |

  Scenario: A draft that nobody knows
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c6-unknown, version: '1.0.0' }
      input: { schema: { document: { $schema: 'http://json-schema.org/draft-03/schema#' } } }
      do: []
      """
    Then the workflow should be refused with V06 at line 2
    And the finding should say 'known are https://json-schema.org/draft/2020-12/schema'

  Scenario: One that is none is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c6-none, version: '1.0.0' }
      input: { schema: { document: { type: objekt } } }
      do: []
      """
    Then the workflow should be refused with V06

  Scenario Outline: A schema that stands elsewhere, with what it refers to
    Given the server answers GET https://schemas.test/order.json with status 200:
      """yaml
      type: object
      properties: { n: { $ref: 'numbers.json#/$defs/small' } }
      """
    And the server answers GET https://schemas.test/numbers.json with status 200:
      """yaml
      $defs: { small: { type: integer, maximum: 9 } }
      """
    And a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c6-resource, version: '1.0.0' }
      do:
        - check:
            try:
              - in: { input: { schema: { resource: { name: order, endpoint: 'https://schemas.test/order.json' } } }, set: { ok: true } }
            catch: { errors: { with: { status: 400 } }, do: [ { no: { set: { ok: false } } } ] }
      """
    And given the workflow input is:
      """yaml
      n: <n>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: <ok>
      """

    Examples:
      | n  | ok    |
      | 4  | true  |
      | 10 | false |

  Scenario Outline: What is at the URL is no schema
    Given the server answers GET https://schemas.test/order.json with status <status>:
      """yaml
      <body>
      """
    And a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c6-wrong, version: '1.0.0' }
      output: { schema: { resource: { endpoint: { uri: 'https://schemas.test/order.json' } } } }
      do: []
      """
    Then the workflow should be refused with <code> at line 2
    And the finding should say '<words>'

    Examples:
      | status | body                        | code | words                               |
      | 404    | { }                         | V14  | status 404                          |
      | 200    | { type: objekt }            | V06  | schemas.test/order.json:1:          |
      | 200    | [ 1 ]                       | V06  | a schema is a map                   |
      | 200    | { $ref: 'none.json' }       | V14  | none.json` cannot be read           |
