Feature: W9 timeout of the document

  Scenario: A run that takes too long faults
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w9-after, version: '1.0.0' }
      timeout: { after: { milliseconds: 50 } }
      do: [ { wait: { listen: { to: { one: { with: { type: w9.never } } } } } } ]
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 408
      instance: /
      """

  Scenario: A timeout has a name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w9-named, version: '1.0.0' }
      use: { timeouts: { short: { after: PT0.05S } } }
      timeout: short
      do: [ { wait: { wait: PT10M } } ]
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 408
      """

  Scenario: A run that is in time completes
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w9-in-time, version: '1.0.0' }
      timeout: { after: PT1H }
      do: [ { a: { set: { n: 1 } } } ]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """

  Scenario: No such timeout
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w9-unknown, version: '1.0.0' }
      timeout: long
      do: [ { a: { set: { n: 1 } } } ]
      """
    When the workflow is executed
    Then the workflow should be refused with V13
