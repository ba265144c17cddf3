Feature: E2 undoing by hand

  Background:
    Given the server answers DELETE /a with status 204
    And the server answers DELETE /b with status 204

  Scenario: In a catch, what completed in its try is undone, once
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e2-try, version: '1.0.0' }
      do:
        - attempt:
            try:
              - a: { set: { n: 1 }, metadata: { tutti: { compensate: [ { ua: { call: http, with: { method: delete, endpoint: 'http://shop.test/a' } } } ] } } }
              - b: { set: { n: 2 }, metadata: { tutti: { compensate: [ { ub: { call: http, with: { method: delete, endpoint: 'http://shop.test/b' } } } ] } } }
              - fail: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
            catch:
              do:
                - undo: { call: tutti.compensate }
                - again: { call: tutti.compensate }
                - sorry: { set: { first: '${ $steps.undo }', second: '${ $steps.again }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      first: { undone: 2, failed: 0 }
      second: { undone: 0, failed: 0 }
      """
    And request 1 should be:
      """yaml
      path: /b
      """
    And request 2 should be:
      """yaml
      path: /a
      """
    And the server should get 2 requests

  Scenario: A task that scope names
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e2-scope, version: '1.0.0' }
      do:
        - a: { do: [ { x: { set: { n: 1 }, metadata: { tutti: { compensate: [ { ua: { call: http, with: { method: delete, endpoint: 'http://shop.test/a' } } } ] } } } } ] }
        - b: { set: { n: 2 }, metadata: { tutti: { compensate: [ { ub: { call: http, with: { method: delete, endpoint: 'http://shop.test/b' } } } ] } } }
        - undo: { call: tutti.compensate, with: { scope: a } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      { undone: 1, failed: 0 }
      """
    And request 1 should be:
      """yaml
      path: /a
      """
    And the server should get 1 request

  Scenario: A saga around does not undo again what was undone by hand
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e2-saga, version: '1.0.0', metadata: { tutti: { saga: true } } }
      do:
        - a: { set: { n: 1 }, metadata: { tutti: { compensate: [ { ua: { call: http, with: { method: delete, endpoint: 'http://shop.test/a' } } } ] } } }
        - b: { set: { n: 2 }, metadata: { tutti: { compensate: [ { ub: { call: http, with: { method: delete, endpoint: 'http://shop.test/b' } } } ] } } }
        - undo: { call: tutti.compensate, with: { scope: b } }
        - fail: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
      """
    When the workflow is executed
    Then the workflow should fault
    And the server should get 1 request of DELETE /a
    And the server should get 1 request of DELETE /b

  Scenario: A scope that nobody sees
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e2-wrong, version: '1.0.0' }
      do:
        - shop: { set: { n: 1 } }
        - undo: { call: tutti.compensate, with: { scope: shp } }
      """
    Then the workflow should be refused with V13
    And the fix should say 'shop'
