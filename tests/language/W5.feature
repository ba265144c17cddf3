Feature: W5 named errors

  Scenario: An error that is declared once and raised by its name
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w5, version: '1.0.0' }
      use:
        errors:
          gone: { type: 'https://example.com/errors/gone', status: 410, title: Gone, detail: '${ "no \(.what)" }' }
      do:
        - no: { raise: { error: gone } }
      """
    And given the workflow input is:
      """yaml
      what: tea
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://example.com/errors/gone
      status: 410
      title: Gone
      detail: no tea
      """

  Scenario: A name that nothing has
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: w5-none, version: '1.0.0' }
      use:
        errors: { gone: { type: 'https://example.com/errors/gone', status: 410 } }
      do:
        - no: { raise: { error: gonne } }
      """
    Then the workflow should be refused with V13 at line 5, column 27
    And the fix should say '`gone`'
