Feature: K7 functions of the catalog
  Scenario: A described function
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k7-described, version: '1.0.0' }
      do:
        - book: { call: 'shop.book:1@default', with: { room: 7 } }
      """
    And the function shop.book is described by:
      """yaml
      input_schema: { type: object, required: [ room ], properties: { room: { type: integer } } }
      """
    And the function shop.book fails with status 503 1 times
    And the function shop.book answers:
      """yaml
      id: b-1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      id: b-1
      """
    And the function shop.book should be called 2 times
    And the function shop.book should be called with:
      """yaml
      room: 7
      """
  Scenario: Arguments are checked against the input its schema
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k7-refused, version: '1.0.0' }
      do:
        - book: { call: shop.book, with: { room: seven } }
      """
    And the function shop.book is described by:
      """yaml
      input_schema: { type: object, required: [ room ], properties: { room: { type: integer } } }
      """
    Then the workflow should be refused with V14 at line 3
