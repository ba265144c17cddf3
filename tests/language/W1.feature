Feature: W1 document

  Scenario: Everything that a document may say
    Given a workflow with definition:
      """yaml
      document:
        dsl: '1.0.2'
        namespace: language
        name: w1-all
        version: 1.2.3-rc.1+build.5
        title: All of it
        summary: '**All** of it'
        tags: { team: core, n: 1 }
        metadata: { owner: nobody, tutti: { priority: 3 } }
      do: [ { a: { set: { ok: true } } } ]
      """
    Then the workflow should be accepted without findings

  Scenario Outline: What a document may not say
    Given a workflow with definition:
      """yaml
      document: <document>
      do: []
      """
    Then the workflow should be refused with <code>
    And the fix should say '<fix>'

    Examples:
      | document                                                               | code | fix              |
      | { dsl: '0.9', namespace: n, name: w, version: '1.0.0' }                | V02  | dsl:             |
      | { dsl: '1.1.0', namespace: n, name: w, version: '1.0.0' }              | V02  | dsl:             |
      | { dsl: '1.0.3', namespace: n, name: a_b, version: '1.0.0' }            | V03  | letters, digits  |
      | { dsl: '1.0.3', namespace: n, name: w, version: '1.0' }                | V03  | version:         |
      | { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0', labels: {} }  | V04  | tags             |

  Scenario Outline: What is no name and no version
    Given a workflow with definition:
      """yaml
      document: { dsl: '1.0.3', <names> }
      do: []
      """
    Then the workflow should be refused with V03

    Examples:
      | names |
      | namespace: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, name: w, version: '1.0.0' |
      | namespace: n, name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, version: '1.0.0' |
      | namespace: n, name: -a, version: '1.0.0' |
      | namespace: n, name: a-, version: '1.0.0' |
      | namespace: n, name: ünï, version: '1.0.0' |
      | namespace: '', name: w, version: '1.0.0' |
      | namespace: n, name: w, version: 1.0 |
      | namespace: n, name: w, version: '01.0.0' |
      | namespace: n, name: w, version: v1.0.0 |
      | namespace: n, name: w, version: '1.0.0-01' |
      | name: w, version: '1.0.0' |
      | namespace: n, version: '1.0.0' |
      | namespace: n, name: w |
