Feature: V21 which variable is there at which place

  # For each place of the table in docs/reference/workflow.md: what is there has its value, what is not is refused, with
  # what to use instead. A secret reads as *** where the value is stored with the run.

  @core
  Scenario Outline: input.from of the workflow: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-input-from, version: '1.0.0' }
      use: { secrets: [ token ] }
      input: { from: '{ ok: (<probe> == <value>) }' }
      do: []
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable | probe             | value   |
      | secrets  | $secrets.token    | "***"   |
      | workflow | $workflow.input.n | 1       |
      | runtime  | $runtime.name     | "tutti" |

  @core
  Scenario Outline: input.from of the workflow: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-input-from, version: '1.0.0' }
      use: { secrets: [ token ] }
      input: { from: '{ ok: (<probe> == <value>) }' }
      do: []
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                                                          | fix                                    |
      | context       | $context       | 1     | `$context` is not available in the workflow's `input.from` and `timeout`       | the context begins as what this yields |
      | input         | $input         | 1     | `$input` is not available in the workflow's `input.from` and `timeout`         | $workflow.input                        |
      | output        | $output        | 1     | `$output` is not available in the workflow's `input.from` and `timeout`        | exists in `export.as` only             |
      | task          | $task          | 1     | `$task` is not available in the workflow's `input.from` and `timeout`          | it exists in tasks                     |
      | authorization | $authorization | 1     | `$authorization` is not available in the workflow's `input.from` and `timeout` | it exists in a task                    |
      | steps         | $steps         | 1     | `$steps` is not available in the workflow's `input.from` and `timeout`         | no task has run yet                    |
      | error         | $error         | 1     | there is no variable `$error` here                                             | in a `catch`                           |
      | item          | $item          | 1     | there is no variable `$item` here                                              | in the body of a `for`                 |
      | index         | $index         | 1     | there is no variable `$index` here                                             | in the body of a `for`                 |

  @core
  Scenario Outline: timeout of the workflow: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-timeout, version: '1.0.0' }
      use: { secrets: [ token ] }
      timeout: { after: '${ if <probe> == <value> then "PT1H" else "none" end }' }
      do: [ { look: { set: { ok: true } } } ]
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable | probe             | value   |
      | secrets  | $secrets.token    | "***"   |
      | workflow | $workflow.input.n | 1       |
      | runtime  | $runtime.name     | "tutti" |

  @core
  Scenario Outline: timeout of the workflow: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-timeout, version: '1.0.0' }
      use: { secrets: [ token ] }
      timeout: { after: '${ if <probe> == <value> then "PT1H" else "none" end }' }
      do: [ { look: { set: { ok: true } } } ]
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                                                          | fix                                    |
      | context       | $context       | 1     | `$context` is not available in the workflow's `input.from` and `timeout`       | the context begins as what this yields |
      | input         | $input         | 1     | `$input` is not available in the workflow's `input.from` and `timeout`         | $workflow.input                        |
      | output        | $output        | 1     | `$output` is not available in the workflow's `input.from` and `timeout`        | exists in `export.as` only             |
      | task          | $task          | 1     | `$task` is not available in the workflow's `input.from` and `timeout`          | it exists in tasks                     |
      | authorization | $authorization | 1     | `$authorization` is not available in the workflow's `input.from` and `timeout` | it exists in a task                    |
      | steps         | $steps         | 1     | `$steps` is not available in the workflow's `input.from` and `timeout`         | no task has run yet                    |
      | error         | $error         | 1     | there is no variable `$error` here                                             | in a `catch`                           |
      | item          | $item          | 1     | there is no variable `$item` here                                              | in the body of a `for`                 |
      | index         | $index         | 1     | there is no variable `$index` here                                             | in the body of a `for`                 |

  @core
  Scenario Outline: output.as of the workflow: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-output-as, version: '1.0.0' }
      use: { secrets: [ token ] }
      do: [ { before: { set: { s: 3 } } } ]
      output: { as: '{ ok: (<probe> == <value>) }' }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable | probe             | value   |
      | context  | $context.n        | 1       |
      | secrets  | $secrets.token    | "***"   |
      | workflow | $workflow.input.n | 1       |
      | runtime  | $runtime.name     | "tutti" |
      | steps    | $steps.before.s   | 3       |

  @core
  Scenario Outline: output.as of the workflow: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-output-as, version: '1.0.0' }
      use: { secrets: [ token ] }
      do: [ { before: { set: { s: 3 } } } ]
      output: { as: '{ ok: (<probe> == <value>) }' }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                                           | fix                        |
      | input         | $input         | 1     | `$input` is not available in the workflow's `output.as`         | $workflow.input            |
      | output        | $output        | 1     | `$output` is not available in the workflow's `output.as`        | exists in `export.as` only |
      | task          | $task          | 1     | `$task` is not available in the workflow's `output.as`          | it exists in tasks         |
      | authorization | $authorization | 1     | `$authorization` is not available in the workflow's `output.as` | it exists in a task        |
      | error         | $error         | 1     | there is no variable `$error` here                              | in a `catch`               |
      | item          | $item          | 1     | there is no variable `$item` here                               | in the body of a `for`     |
      | index         | $index         | 1     | there is no variable `$index` here                              | in the body of a `for`     |

  @http
  Scenario Outline: idempotencyKey of the workflow: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-key, version: '1.0.0', metadata: { tutti: { idempotencyKey: '${ if <probe> == <value> then "key-<variable>" else 7 end }' } } }
      use: { secrets: [ token ] }
      do: [ { look: { set: { ok: true } } } ]
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable | probe             | value |
      | workflow | $workflow.input.n | 1     |

  @core
  Scenario Outline: idempotencyKey of the workflow: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-key, version: '1.0.0', metadata: { tutti: { idempotencyKey: '${ if <probe> == <value> then "key-<variable>" else 7 end }' } } }
      use: { secrets: [ token ] }
      do: [ { look: { set: { ok: true } } } ]
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                                                | fix                        |
      | context       | $context       | 1     | `$context` is not available in the document's `idempotencyKey`       | there is no run yet        |
      | input         | $input         | 1     | `$input` is not available in the document's `idempotencyKey`         | $workflow.input            |
      | output        | $output        | 1     | `$output` is not available in the document's `idempotencyKey`        | exists in `export.as` only |
      | secrets       | $secrets       | 1     | `$secrets` is not available in the document's `idempotencyKey`       | there is no run yet        |
      | task          | $task          | 1     | `$task` is not available in the document's `idempotencyKey`          | it exists in tasks         |
      | runtime       | $runtime       | 1     | `$runtime` is not available in the document's `idempotencyKey`       | there is no run yet        |
      | authorization | $authorization | 1     | `$authorization` is not available in the document's `idempotencyKey` | it exists in a task        |
      | steps         | $steps         | 1     | `$steps` is not available in the document's `idempotencyKey`         | no task has run yet        |
      | error         | $error         | 1     | there is no variable `$error` here                                   | in a `catch`               |
      | item          | $item          | 1     | there is no variable `$item` here                                    | in the body of a `for`     |
      | index         | $index         | 1     | there is no variable `$index` here                                   | in the body of a `for`     |

  @core
  Scenario Outline: schedule.on: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-schedule, version: '1.0.0' }
      use: { secrets: [ token ] }
      schedule: { on: { one: { with: { type: v21.never, data: '${ <probe> == <value> }' } } } }
      do: []
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                              | fix                        |
      | context       | $context       | 1     | `$context` is not available in `schedule.on`       | there is no run yet        |
      | input         | $input         | 1     | `$input` is not available in `schedule.on`         | $workflow.input            |
      | output        | $output        | 1     | `$output` is not available in `schedule.on`        | exists in `export.as` only |
      | secrets       | $secrets       | 1     | `$secrets` is not available in `schedule.on`       | there is no run yet        |
      | task          | $task          | 1     | `$task` is not available in `schedule.on`          | it exists in tasks         |
      | workflow      | $workflow      | 1     | `$workflow` is not available in `schedule.on`      | there is no run yet        |
      | runtime       | $runtime       | 1     | `$runtime` is not available in `schedule.on`       | there is no run yet        |
      | authorization | $authorization | 1     | `$authorization` is not available in `schedule.on` | it exists in a task        |
      | steps         | $steps         | 1     | `$steps` is not available in `schedule.on`         | no task has run yet        |
      | error         | $error         | 1     | there is no variable `$error` here                 | in a `catch`               |
      | item          | $item          | 1     | there is no variable `$item` here                  | in the body of a `for`     |
      | index         | $index         | 1     | there is no variable `$index` here                 | in the body of a `for`     |

  @core
  Scenario Outline: if: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-if, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { if: '<probe> == <value>', set: { ok: true } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable | probe             | value               |
      | context  | $context.n        | 1                   |
      | secrets  | $secrets.token    | "token-of-the-shop" |
      | task     | $task.name        | "look"              |
      | workflow | $workflow.input.n | 1                   |
      | runtime  | $runtime.name     | "tutti"             |
      | steps    | $steps.before.s   | 3                   |

  @core
  Scenario Outline: if: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-if, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { if: '<probe> == <value>', set: { ok: true } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                                                             | fix                        |
      | input         | $input         | 1     | `$input` is not available in `if`, `input.from` and an extension's `when`         | $workflow.input            |
      | output        | $output        | 1     | `$output` is not available in `if`, `input.from` and an extension's `when`        | exists in `export.as` only |
      | authorization | $authorization | 1     | `$authorization` is not available in `if`, `input.from` and an extension's `when` | it exists in a task        |
      | error         | $error         | 1     | there is no variable `$error` here                                                | in a `catch`               |
      | item          | $item          | 1     | there is no variable `$item` here                                                 | in the body of a `for`     |
      | index         | $index         | 1     | there is no variable `$index` here                                                | in the body of a `for`     |

  @core
  Scenario Outline: input.from: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-task-input, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { input: { from: '{ ok: (<probe> == <value>) }' }, set: '${ . }' }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable | probe             | value   |
      | context  | $context.n        | 1       |
      | secrets  | $secrets.token    | "***"   |
      | task     | $task.name        | "look"  |
      | workflow | $workflow.input.n | 1       |
      | runtime  | $runtime.name     | "tutti" |
      | steps    | $steps.before.s   | 3       |

  @core
  Scenario Outline: input.from: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-task-input, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { input: { from: '{ ok: (<probe> == <value>) }' }, set: '${ . }' }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                                                             | fix                        |
      | input         | $input         | 1     | `$input` is not available in `if`, `input.from` and an extension's `when`         | $workflow.input            |
      | output        | $output        | 1     | `$output` is not available in `if`, `input.from` and an extension's `when`        | exists in `export.as` only |
      | authorization | $authorization | 1     | `$authorization` is not available in `if`, `input.from` and an extension's `when` | it exists in a task        |
      | error         | $error         | 1     | there is no variable `$error` here                                                | in a `catch`               |
      | item          | $item          | 1     | there is no variable `$item` here                                                 | in the body of a `for`     |
      | index         | $index         | 1     | there is no variable `$index` here                                                | in the body of a `for`     |

  @core
  Scenario Outline: when of an extension: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-extension, version: '1.0.0' }
      use:
        secrets: [ token ]
        extensions: [ { swap: { extend: wait, when: '<probe> == <value>', before: [ { instead: { set: { ok: true }, then: exit } } ] } } ]
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { wait: { milliseconds: 1 } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable | probe             | value               |
      | context  | $context.n        | 1                   |
      | secrets  | $secrets.token    | "token-of-the-shop" |
      | task     | $task.name        | "look"              |
      | workflow | $workflow.input.n | 1                   |
      | runtime  | $runtime.name     | "tutti"             |
      | steps    | $steps.before.s   | 3                   |

  @core
  Scenario Outline: when of an extension: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-extension, version: '1.0.0' }
      use:
        secrets: [ token ]
        extensions: [ { swap: { extend: wait, when: '<probe> == <value>', before: [ { instead: { set: { ok: true }, then: exit } } ] } } ]
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { wait: { milliseconds: 1 } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                                                             | fix                        |
      | input         | $input         | 1     | `$input` is not available in `if`, `input.from` and an extension's `when`         | $workflow.input            |
      | output        | $output        | 1     | `$output` is not available in `if`, `input.from` and an extension's `when`        | exists in `export.as` only |
      | authorization | $authorization | 1     | `$authorization` is not available in `if`, `input.from` and an extension's `when` | it exists in a task        |
      | error         | $error         | 1     | there is no variable `$error` here                                                | in a `catch`               |
      | item          | $item          | 1     | there is no variable `$item` here                                                 | in the body of a `for`     |
      | index         | $index         | 1     | there is no variable `$index` here                                                | in the body of a `for`     |

  @core
  Scenario Outline: the definition of a task: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-definition, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { set: { ok: '${ <probe> == <value> }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |

  @core
  Scenario Outline: the definition of a task: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-definition, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { set: { ok: '${ <probe> == <value> }' } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: timeout: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-task-timeout, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { timeout: { after: '${ if <probe> == <value> then "PT1H" else "none" end }' }, set: { ok: true } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |

  @core
  Scenario Outline: timeout: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-task-timeout, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { timeout: { after: '${ if <probe> == <value> then "PT1H" else "none" end }' }, set: { ok: true } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: metadata.tutti: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-metadata, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { call: worker.look, metadata: { tutti: { idempotencyKey: '${ if <probe> == <value> then "key" else 7 end }' } } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    And the function worker.look answers:
      """yaml
      ok: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |

  @core
  Scenario Outline: metadata.tutti: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-metadata, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { call: worker.look, metadata: { tutti: { idempotencyKey: '${ if <probe> == <value> then "key" else 7 end }' } } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: with of a call: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-call, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { call: worker.look, with: { same: '${ <probe> == <value> }' }, output: { as: '{ ok: $input.n == 1 }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    And the function worker.look answers:
      """yaml
      done: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the function worker.look should be called with:
      """yaml
      same: true
      """

    Examples:
      | variable      | probe             | value               |
      | context       | $context.n        | 1                   |
      | input         | $input.n          | 1                   |
      | secrets       | $secrets.token    | "token-of-the-shop" |
      | task          | $task.name        | "look"              |
      | workflow      | $workflow.input.n | 1                   |
      | runtime       | $runtime.name     | "tutti"             |
      | authorization | $authorization    | null                |
      | steps         | $steps.before.s   | 3                   |

  @core
  Scenario Outline: with of a call: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-call, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { call: worker.look, with: { same: '${ <probe> == <value> }' }, output: { as: '{ ok: $input.n == 1 }' } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: in of a for: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-for-in, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { for: { in: '[<probe> == <value>]' }, do: [ { note: { set: { ok: '${ $item }' } } } ] }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |

  @core
  Scenario Outline: in of a for: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-for-in, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { for: { in: '[<probe> == <value>]' }, do: [ { note: { set: { ok: '${ $item }' } } } ] }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: while of a for: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-for-while, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { for: { in: '[7]' }, while: '<probe> == <value>', do: [ { note: { set: { ok: true } } } ] }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value               |
      | context       | $context.n        | 1                   |
      | input         | $input.n          | 1                   |
      | secrets       | $secrets.token    | "token-of-the-shop" |
      | task          | $task.name        | "look"              |
      | workflow      | $workflow.input.n | 1                   |
      | runtime       | $runtime.name     | "tutti"             |
      | authorization | $authorization    | null                |
      | steps         | $steps.before.s   | 3                   |
      | item          | $item             | 7                   |
      | index         | $index            | 0                   |

  @core
  Scenario Outline: while of a for: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-for-while, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { for: { in: '[7]' }, while: '<probe> == <value>', do: [ { note: { set: { ok: true } } } ] }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |

  @core
  Scenario Outline: the body of a for: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-for-body, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - loop: { for: { in: '[7]' }, do: [ { look: { set: { ok: '${ <probe> == <value> }' } } } ] }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |
      | item          | $item             | 7       |
      | index         | $index            | 0       |

  @core
  Scenario Outline: the body of a for: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-for-body, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - loop: { for: { in: '[7]' }, do: [ { look: { set: { ok: '${ <probe> == <value> }' } } } ] }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |

  @core
  Scenario Outline: when of a catch: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-catch-when, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } } } ], catch: { when: '<probe> == <value>', do: [ { note: { set: { ok: true } } } ] } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value               |
      | context       | $context.n        | 1                   |
      | input         | $input.n          | 1                   |
      | secrets       | $secrets.token    | "token-of-the-shop" |
      | task          | $task.name        | "look"              |
      | workflow      | $workflow.input.n | 1                   |
      | runtime       | $runtime.name     | "tutti"             |
      | authorization | $authorization    | null                |
      | steps         | $steps.before.s   | 3                   |
      | error         | $error.status     | 418                 |

  @core
  Scenario Outline: when of a catch: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-catch-when, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } } } ], catch: { when: '<probe> == <value>', do: [ { note: { set: { ok: true } } } ] } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: exceptWhen of a catch: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-catch-except, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } } } ], catch: { exceptWhen: '<probe> != <value>', do: [ { note: { set: { ok: true } } } ] } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value               |
      | context       | $context.n        | 1                   |
      | input         | $input.n          | 1                   |
      | secrets       | $secrets.token    | "token-of-the-shop" |
      | task          | $task.name        | "look"              |
      | workflow      | $workflow.input.n | 1                   |
      | runtime       | $runtime.name     | "tutti"             |
      | authorization | $authorization    | null                |
      | steps         | $steps.before.s   | 3                   |
      | error         | $error.status     | 418                 |

  @core
  Scenario Outline: exceptWhen of a catch: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-catch-except, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } } } ], catch: { exceptWhen: '<probe> != <value>', do: [ { note: { set: { ok: true } } } ] } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: when of a retry: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-retry-when, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { try: [ { ask: { call: http, with: { method: get, endpoint: 'https://shop.test/x' } } } ], catch: { retry: { when: '<probe> == <value>', limit: { attempt: { count: 1 } } } } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    And the server answers GET /x with status 418 1 times
    And the server answers GET /x with status 200:
      """yaml
      ok: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value               |
      | context       | $context.n        | 1                   |
      | input         | $input.n          | 1                   |
      | secrets       | $secrets.token    | "token-of-the-shop" |
      | task          | $task.name        | "look"              |
      | workflow      | $workflow.input.n | 1                   |
      | runtime       | $runtime.name     | "tutti"             |
      | authorization | $authorization    | null                |
      | steps         | $steps.before.s   | 3                   |
      | error         | $error.status     | 418                 |

  @core
  Scenario Outline: when of a retry: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-retry-when, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { try: [ { ask: { call: http, with: { method: get, endpoint: 'https://shop.test/x' } } } ], catch: { retry: { when: '<probe> == <value>', limit: { attempt: { count: 1 } } } } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: do of a catch: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-catch-do, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - try: { try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } } } ], catch: { do: [ { look: { set: { ok: '${ <probe> == <value> }' } } } ] } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |
      | error         | $error.status     | 418     |

  @core
  Scenario Outline: do of a catch: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-catch-do, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - try: { try: [ { stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } } } ], catch: { do: [ { look: { set: { ok: '${ <probe> == <value> }' } } } ] } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: output.as: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-task-output, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { set: { o: 2 }, output: { as: '{ ok: (<probe> == <value>) }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |

  @core
  Scenario Outline: output.as: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-task-output, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { set: { o: 2 }, output: { as: '{ ok: (<probe> == <value>) }' } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                     | fix                        |
      | output   | $output | 1     | `$output` is not available in `output.as` | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here        | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here         | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here        | in the body of a `for`     |

  @core
  Scenario Outline: export.as: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-export, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { set: { o: 2 }, export: { as: '{ ok: (<probe> == <value>) }' } }
      - show: { set: '${ $context }' }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |
      | output        | $output.o         | 2       |

  @core
  Scenario Outline: export.as: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-export, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { set: { o: 2 }, export: { as: '{ ok: (<probe> == <value>) }' } }
      - show: { set: '${ $context }' }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe  | value | words                              | fix                    |
      | error    | $error | 1     | there is no variable `$error` here | in a `catch`           |
      | item     | $item  | 1     | there is no variable `$item` here  | in the body of a `for` |
      | index    | $index | 1     | there is no variable `$index` here | in the body of a `for` |

  @core
  Scenario Outline: with of an event filter: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-filter, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { listen: { to: { one: { with: { type: v21.<variable>, data: '${ <probe> == <value> }' } } } }, output: { as: '{ ok: true }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    And the event is published:
      """yaml
      type: v21.<variable>
      data: { n: 8 }
      """
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |

  @core
  Scenario Outline: with of an event filter: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-filter, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { listen: { to: { one: { with: { type: v21.<variable>, data: '${ <probe> == <value> }' } } } }, output: { as: '{ ok: true }' } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: correlate: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-correlate, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { listen: { to: { one: { with: { type: v21.<variable> }, correlate: { c: { from: '<probe> == <value>', expect: '${ true }' } } } } }, output: { as: '{ ok: true }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    And the event is published:
      """yaml
      type: v21.<variable>
      data: { n: 8 }
      """
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |

  @core
  Scenario Outline: correlate: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-correlate, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { listen: { to: { one: { with: { type: v21.<variable> }, correlate: { c: { from: '<probe> == <value>', expect: '${ true }' } } } } }, output: { as: '{ ok: true }' } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: until of a listen: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-until, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { listen: { to: { any: [ { with: { type: v21.<variable> } } ], until: '<probe> == <value>' } }, output: { as: '{ ok: true }' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    And the event is published:
      """yaml
      type: v21.<variable>
      data: { n: 8 }
      """
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value               |
      | context       | $context.n        | 1                   |
      | input         | $input.n          | 1                   |
      | secrets       | $secrets.token    | "token-of-the-shop" |
      | task          | $task.name        | "look"              |
      | workflow      | $workflow.input.n | 1                   |
      | runtime       | $runtime.name     | "tutti"             |
      | authorization | $authorization    | null                |
      | steps         | $steps.before.s   | 3                   |

  @core
  Scenario Outline: until of a listen: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-until, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { listen: { to: { any: [ { with: { type: v21.<variable> } } ], until: '<probe> == <value>' } }, output: { as: '{ ok: true }' } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |
      | item     | $item   | 1     | there is no variable `$item` here                      | in the body of a `for`     |
      | index    | $index  | 1     | there is no variable `$index` here                     | in the body of a `for`     |

  @core
  Scenario Outline: do of a foreach: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-foreach-do, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - events: { listen: { to: { one: { with: { type: v21.<variable> } } } }, foreach: { do: [ { look: { set: { ok: '${ <probe> == <value> }' } } } ] }, output: { as: '.[0]' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    And the event is published:
      """yaml
      type: v21.<variable>
      data: { n: 8 }
      """
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 8       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |
      | item          | $item.n           | 8       |
      | index         | $index            | 0       |

  @core
  Scenario Outline: do of a foreach: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-foreach-do, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - events: { listen: { to: { one: { with: { type: v21.<variable> } } } }, foreach: { do: [ { look: { set: { ok: '${ <probe> == <value> }' } } } ] }, output: { as: '.[0]' } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                                  | fix                        |
      | output   | $output | 1     | `$output` is not available in the definition of a task | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here                     | in a `catch`               |

  @core
  Scenario Outline: output.as of a foreach: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-foreach-output, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { listen: { to: { one: { with: { type: v21.<variable> } } } }, foreach: { do: [ { note: { set: { n: 1 } } } ], output: { as: '{ ok: (<probe> == <value>) }' } }, output: { as: '.[0]' } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    And the event is published:
      """yaml
      type: v21.<variable>
      data: { n: 8 }
      """
    Then the workflow should complete with output:
      """yaml
      ok: true
      """

    Examples:
      | variable      | probe             | value   |
      | context       | $context.n        | 1       |
      | input         | $input.n          | 1       |
      | secrets       | $secrets.token    | "***"   |
      | task          | $task.name        | "look"  |
      | workflow      | $workflow.input.n | 1       |
      | runtime       | $runtime.name     | "tutti" |
      | authorization | $authorization    | null    |
      | steps         | $steps.before.s   | 3       |
      | item          | $item.n           | 8       |
      | index         | $index            | 0       |

  @core
  Scenario Outline: output.as of a foreach: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-foreach-output, version: '1.0.0' }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - look: { listen: { to: { one: { with: { type: v21.<variable> } } } }, foreach: { do: [ { note: { set: { n: 1 } } } ], output: { as: '{ ok: (<probe> == <value>) }' } }, output: { as: '.[0]' } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable | probe   | value | words                                     | fix                        |
      | output   | $output | 1     | `$output` is not available in `output.as` | exists in `export.as` only |
      | error    | $error  | 1     | there is no variable `$error` here        | in a `catch`               |

  @core
  Scenario Outline: a compensation: $<variable> is there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-compensation, version: '1.0.0', metadata: { tutti: { saga: true } } }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - book: { set: { o: 2 }, metadata: { tutti: { compensate: [ { look: { call: http, with: { method: post, endpoint: 'https://shop.test/undo', body: { ok: '${ <probe> == <value> }' } } } } ] } } }
      - stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } }
      """
    And given the workflow input is:
      """yaml
      n: 1
      """
    And the server answers POST /undo with status 204
    When the workflow is executed
    Then the workflow should fault
    And request 1 should be:
      """yaml
      body: { ok: true }
      """

    Examples:
      | variable | probe             | value               |
      | context  | $context.n        | 1                   |
      | input    | $input.n          | 1                   |
      | secrets  | $secrets.token    | "token-of-the-shop" |
      | task     | $task.name        | "look"              |
      | workflow | $workflow.input.n | 1                   |
      | runtime  | $runtime.name     | "tutti"             |
      | steps    | $steps.before.s   | 3                   |
      | output   | $output.o         | 2                   |
      | error    | $error.status     | 418                 |

  @core
  Scenario Outline: a compensation: $<variable> is not there
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: v21-compensation, version: '1.0.0', metadata: { tutti: { saga: true } } }
      use: { secrets: [ token ] }
      do:
      - before: { set: { n: '${ .n }', s: 3 } }
      - book: { set: { o: 2 }, metadata: { tutti: { compensate: [ { look: { call: http, with: { method: post, endpoint: 'https://shop.test/undo', body: { ok: '${ <probe> == <value> }' } } } } ] } } }
      - stop: { raise: { error: { type: 'https://x.test/e', status: 418 } } }
      """
    Then the workflow should be refused with V21
    And the finding should say "<words>"
    And the fix should say "<fix>"

    Examples:
      | variable      | probe          | value | words                                               | fix                    |
      | authorization | $authorization | 1     | `$authorization` is not available in a compensation | of its own             |
      | item          | $item          | 1     | there is no variable `$item` here                   | in the body of a `for` |
      | index         | $index         | 1     | there is no variable `$index` here                  | in the body of a `for` |
