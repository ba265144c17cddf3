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

  Scenario: worker.<name> is a job for a user's own worker
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k7-worker, version: '1.0.0' }
      do:
        - resize: { call: worker.resize, with: { width: '${ .width }' } }
      """
    And given the workflow input is:
      """yaml
      width: 5
      """
    And the function worker.resize fails with transient error:
      """yaml
      status: 503
      """
    And the function worker.resize answers:
      """yaml
      done: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      done: true
      """
    And the function worker.resize should be called 2 times
    And the function worker.resize should be called with:
      """yaml
      width: 5
      """

  Scenario Outline: What is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k7-refused, version: '1.0.0' }
      do: [ { a: { call: '<call>' } } ]
      """
    Then the workflow should be refused with <code>
    And the finding should say '<words>'

    Examples:
      | call                   | code | words                      |
      | worker.                | V14  | after `worker.` comes      |
      | worker.a b             | V14  | after `worker.` comes      |
      | slack.sendMessage      | V14  | no function                |
      | llm.chat:7             | V14  | no version `7`             |
      | llm.chat:1@mine        | V13  | no catalog `mine`          |
      | llm.chat:              | V14  | names no function          |
