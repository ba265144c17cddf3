Feature: K18 listen

  Scenario Outline: One, any and all
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-<name>, version: '1.0.0' }
      do:
        - wait: { listen: { to: <to> } }
      """
    When the workflow is executed
    And the signal other is sent
    And the signal b is sent with:
      """yaml
      n: 2
      """
    And the signal a is sent with:
      """yaml
      n: 1
      """
    Then the workflow should complete with output:
      """yaml
      <output>
      """

    Examples:
      | name  | to                                                             | output             |
      | one   | { one: { with: { type: a } } }                                 | [ { n: 1 } ]       |
      | all   | { all: [ { with: { type: a } }, { with: { type: b } } ] }      | [ { n: 2 }, { n: 1 } ] |

  # A namespace of its own: every event of it would do.
  Scenario Outline: Any ends with the first event
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: k18-<name>, name: k18-<name>, version: '1.0.0' }
      do:
        - wait: { listen: { to: <to> } }
      """
    When the workflow is executed
    And the signal b is sent
    Then the workflow should complete with output:
      """yaml
      [ null ]
      """

    Examples:
      | name  | to                                                        |
      | any   | { any: [ { with: { type: a } }, { with: { type: b } } ] } |
      | every | { any: [] }                                               |

  Scenario: Any until an expression over the events so far
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-until, version: '1.0.0' }
      do:
        - wait: { listen: { to: { any: [ { with: { type: a } } ], until: '${ map(.n) | add > 2 }' } } }
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      n: 1
      """
    And the engine is killed and restarted
    And the signal a is sent with:
      """yaml
      n: 2
      """
    Then the workflow should complete with output:
      """yaml
      - n: 1
      - n: 2
      """

  Scenario: Any until another event, which is in no output
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: k18-until-event, name: k18-until-event, version: '1.0.0' }
      do:
        - wait: { listen: { to: { any: [], until: { one: { with: { type: stop } } } } } }
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      1
      """
    And the signal stop is sent
    Then the workflow should complete with output:
      """yaml
      - 1
      """

  Scenario: Foreach works on one event after the other
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-foreach, version: '1.0.0' }
      do:
        - wait:
            listen: { to: { any: [ { with: { type: a } } ], until: length == 2 } }
            foreach:
              item: event
              at: number
              do:
                - ask: { call: http, with: { method: get, endpoint: '${ "http://k18.test/notes/\($number)/\($event.n)" }' } }
              output: { as: '{ n: $event.n, said: .said }' }
              export: { as: '${ { last: $event.n } }' }
        - after: { set: { all: '${ . }', last: '${ $context.last }' } }
      """
    And the server answers GET /notes/0/1 with status 200:
      """yaml
      said: 'yes'
      """
    And the server answers GET /notes/1/2 with status 200:
      """yaml
      said: 'no'
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      n: 1
      """
    And the signal a is sent with:
      """yaml
      n: 2
      """
    Then the workflow should complete with output:
      """yaml
      all: [ { n: 1, said: 'yes' }, { n: 2, said: 'no' } ]
      last: 2
      """
    And the server should get 2 requests

  Scenario Outline: What is read of an event
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-read-<read>, version: '1.0.0' }
      do:
        - wait: { listen: { to: { one: { with: { type: a } } }, read: <read> }, output: { as: '.[0] | <as>' } }
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      n: 1
      """
    Then the workflow should complete with output:
      """yaml
      <output>
      """

    Examples:
      | read     | as                                          | output   |
      | data     | .                                           | { n: 1 } |
      | raw      | .                                           | { n: 1 } |
      | envelope | [.type, .specversion, .data.n]              | [ a, '1.0', 1 ] |

  Scenario: A timeout ends what foreach works on
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: k18-timeout, name: k18-timeout, version: '1.0.0' }
      do:
        - wait:
            timeout: { after: PT1S }
            listen: { to: { any: [], until: 'false' } }
            foreach: { do: [ { ask: { listen: { to: { one: { with: { type: never } } } } } } ] }
      """
    When the workflow is executed
    And the signal a is sent
    Then the workflow should fault with error:
      """yaml
      status: 408
      instance: /do/0/wait
      """

  Scenario: Until belongs to any
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-refused, version: '1.0.0' }
      do:
        - wait: { listen: { to: { one: { with: { type: a } }, until: .x } } }
      """
    Then the workflow should be refused with V06 at line 3

  Scenario: Until all of some events have come
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-until-all, version: '1.0.0' }
      do:
        - wait: { listen: { to: { any: [ { with: { type: a } } ], until: { all: [ { with: { type: x } }, { with: { type: y } } ] } } } }
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      1
      """
    And the signal x is sent
    And the signal a is sent with:
      """yaml
      2
      """
    And the engine is killed and restarted
    And the signal y is sent
    Then the workflow should complete with output:
      """yaml
      - 1
      - 2
      """

  Scenario: Until any of some events has come
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-until-any, version: '1.0.0' }
      do:
        - wait: { listen: { to: { any: [ { with: { type: a } } ], until: { any: [ { with: { type: x } }, { with: { type: y } } ] } } } }
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      1
      """
    And the signal y is sent
    Then the workflow should complete with output:
      """yaml
      - 1
      """

  Scenario: Foreach has $item and $index unless they have names, and reads as the listen does
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-foreach-names, version: '1.0.0' }
      do:
        - wait:
            listen: { to: { any: [ { with: { type: a } } ], until: length == 2 }, read: envelope }
            foreach: { do: [ { note: { set: { type: '${ $item.type }', n: '${ $item.data }', i: '${ $index }' } } } ] }
      """
    When the workflow is executed
    And the signal a is sent with:
      """yaml
      5
      """
    And the signal a is sent with:
      """yaml
      6
      """
    Then the workflow should complete with output:
      """yaml
      - { type: a, n: 5, i: 0 }
      - { type: a, n: 6, i: 1 }
      """

  Scenario: An error in foreach is the error of the task there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-foreach-error, version: '1.0.0' }
      do:
        - wait:
            listen: { to: { one: { with: { type: a } } } }
            foreach: { do: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } } } ] }
      """
    When the workflow is executed
    And the signal a is sent
    Then the workflow should fault with error:
      """yaml
      status: 418
      instance: /do/0/wait/foreach/do/0/stop
      """

  Scenario Outline: What is no listen
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k18-none, version: '1.0.0' }
      do:
        - wait: { listen: <listen> }
      """
    Then the workflow should be refused with V06 at line 3

    Examples:
      | listen |
      | { read: data } |
      | { to: {} } |
      | { to: { one: { with: { type: a } }, any: [] } } |
      | { to: { one: {} } } |
      | { to: { one: { with: { type: a } } }, read: all } |
      | { to: { one: { with: { type: a }, correlate: { x: { expect: 1 } } } } } |
