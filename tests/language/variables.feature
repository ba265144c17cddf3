Feature: $task, $workflow, $runtime, $input, $output

  Scenario: What is in them
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: variables, version: '1.0.0' }
      do:
        - group:
            do:
              - look:
                  input: { from: '{ changed: .n }' }
                  set:
                    task: '${ $task | { name, reference, input } }'
                    definition: '${ $task.definition | has("set") }'
                    started: '${ $task.startedAt | (.iso8601 | type) + " " + (.epoch.seconds | type) + " " + (.epoch.milliseconds | type) }'
                    input: '${ $input }'
                    workflow: '${ $workflow | { input, name: .definition.document.name, id: (.id | type) } }'
                    at: '${ ($workflow.startedAt.epoch.milliseconds / 1000 | floor) == $workflow.startedAt.epoch.seconds }'
                    runtime: '${ $runtime | { name, version: (.version | type), metadata } }'
                  output: { as: '. + { out: $task.output.input, same: ($task.output == .) }' }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      task: { name: look, reference: /do/0/group/do/0/look, input: { n: 1 } }
      definition: true
      started: string number number
      input: { changed: 1 }
      workflow: { input: { n: 1 }, name: variables, id: string }
      at: true
      runtime: { name: tutti, version: string, metadata: {} }
      out: { changed: 1 }
      same: true
      """

  Scenario Outline: Variables that are not there are refused, with what to use
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: variables-refused, version: '1.0.0' }
      do:
        - look: { <where> }
      """
    Then the workflow should be refused with V21 at line 3

    Examples:
      | where                                            |
      | if: '$input.x', set: { a: 1 }                    |
      | input: { from: $output }, set: { a: 1 }          |
      | set: { a: '${ $output }' }                       |
      | set: { a: '${ $item }' }                         |
      | set: { a: '${ $error }' }                        |
      | set: { a: '${ $now }' }                          |
      | set: { a: '${ $vars.x }' }                       |
      | set: { a: 1 }, output: { as: $output }           |

  Scenario: now is one moment within an expression
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: variables-now, version: '1.0.0' }
      do:
        - look: { set: { same: '${ now == now }', near: '${ (now - $workflow.startedAt.epoch.seconds) < 60 }' } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      same: true
      near: true
      """
