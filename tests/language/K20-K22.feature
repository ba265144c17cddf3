Feature: K20 to K22, programs

  Scenario Outline: Their form is checked, then they are refused
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', namespace: language, name: k20-k22, version: '1.0.0' }
      do:
        - go: { run: { <run> } }
      """
    Then the workflow should be refused with <code>

    Examples:
      | run                                                                      | code |
      | container: { image: hello, lifetime: { cleanup: eventually, after: PT1M } } | V31  |
      | script: { language: js, code: 'x' }, return: all                         | V31  |
      | script: { language: javascript, code: 'x' }                              | V31  |
      | shell: { command: ls, arguments: [ -l ] }, await: false                  | V31  |
      | shell: { comand: ls }                                                    | V04  |
      | script: { language: ruby, code: 'x' }                                    | V06  |
