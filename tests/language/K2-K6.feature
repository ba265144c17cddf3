Feature: K2 to K6, the calls of other services

  Scenario Outline: Their form is checked, and they are registered
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k2-k6, version: '1.0.0' }
      do:
        - ask: { call: <call> }
      """
    Then the workflow should be accepted without findings

    Examples:
      | call                                                                                               |
      | openapi, with: { document: { endpoint: 'https://example.com/o.json' }, operationId: find }        |
      | a2a, with: { method: message/send, server: 'https://example.com', parameters: { message: {} } }   |
      | mcp, with: { method: tools/list, transport: { http: { endpoint: 'https://example.com' } } }       |

  Scenario Outline: Those that nobody executes are refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k3-k4, version: '1.0.0' }
      do:
        - ask: { call: <call> }
      """
    Then the workflow should be refused with V05 at line 3, column 18
    And there should be 1 findings

    Examples:
      | call                                                                                                                        |
      | grpc, with: { proto: { endpoint: 'file://a.proto' }, service: { name: S, host: example.com }, method: m }                  |
      | asyncapi, with: { document: { endpoint: 'https://example.com/a.json' }, operation: send, message: { payload: { a: 1 } } }  |
