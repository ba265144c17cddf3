Feature: E12 exponential with a multiplier and an end

  @core
  Scenario: 1 s, 5 s, then 20 s at most
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e12, version: '1.0.0' }
      do:
        - attempt:
            try: [ { fail: { raise: { error: { type: 'https://shop.test/errors/x', status: 500 } } } } ]
            catch:
              retry: { delay: PT1S, backoff: { exponential: { multiplier: 5, maxDelay: PT20S } }, limit: { attempt: { count: 4 } } }
              do: [ { over: { set: { over: true } } } ]
      """
    When the workflow is executed
    Then the workflow should complete
    And the run should have taken 46 seconds

  @core
  Scenario: Without them it doubles
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e12-plain, version: '1.0.0' }
      do:
        - attempt:
            try: [ { fail: { raise: { error: { type: 'https://shop.test/errors/x', status: 500 } } } } ]
            catch: { retry: { delay: PT1S, backoff: { exponential: {} }, limit: { attempt: { count: 4 } } }, do: [ { over: { set: { over: true } } } ] }
      """
    When the workflow is executed
    Then the workflow should complete
    And the run should have taken 15 seconds

  Scenario Outline: What is no multiplier
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: e12-wrong, version: '1.0.0' }
      do:
        - attempt: { try: [], catch: { retry: { delay: PT1S, backoff: { exponential: { <what> } } } } }
      """
    Then the workflow should be refused with <code>

    Examples:
      | code | what |
      | V04  | factor: 2 |
      | V06  | multiplier: x |
      | V07  | maxDelay: 5s |
