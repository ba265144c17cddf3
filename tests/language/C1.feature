Feature: C1 durations

  @core
  Scenario Outline: Maps, ISO 8601 and expressions
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c1, version: '1.0.0' }
      do:
        - pause: { wait: <duration> }
      """
    And given the workflow input is:
      """yaml
      iso: PT3S
      map: { minutes: 2 }
      n: 4
      """
    When the workflow is executed
    Then the run should be waiting
    And the workflow should complete
    And the run should have taken <time>

    Examples:
      | duration                                                            | time               |
      | { seconds: 5 }                                                      | 5 seconds          |
      | { days: 1, hours: 2, minutes: 3, seconds: 4, milliseconds: 5 }      | 93784005 milliseconds |
      | { milliseconds: 1 }                                                 | 1 millisecond      |
      | PT5S                                                                | 5 seconds          |
      | PT1H30M                                                             | 90 minutes         |
      | P1DT1S                                                              | 86401 seconds      |
      | P2W                                                                 | 14 days            |
      | PT0.25S                                                             | 250 milliseconds   |
      | PT1.5M                                                              | 90 seconds         |
      | '${ .iso }'                                                         | 3 seconds          |
      | '${ .map }'                                                         | 2 minutes          |
      | '${ { seconds: .n } }'                                              | 4 seconds          |

  Scenario Outline: What is no duration is refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c1-refused, version: '1.0.0' }
      do:
        - pause: { wait: <duration> }
      """
    Then the workflow should be refused with V07 at line 3

    Examples:
      | duration           |
      | { minute: 1 }      |
      | 5m                 |
      | PT                 |
      | P                  |
      | -PT5S              |
      | { seconds: -1 }    |
      | P1Y                |
      | {}                 |
      | { seconds: '1' }   |

  Scenario: An expression that yields no duration faults
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: c1-expression, version: '1.0.0' }
      do:
        - pause: { wait: '${ "soon" }' }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 400
      instance: /do/0/pause
      """
