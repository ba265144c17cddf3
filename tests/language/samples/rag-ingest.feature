Feature: rag-ingest.yaml

  Scenario: Documents are embedded and stored in batches
    Given the workflow of the example 'rag-ingest.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      ingest_id: i-1
      batch_size: 2
      documents:
        - { doc_id: 0e2f5d5a-5a0e-4a6a-8f3e-000000000001, text: One }
        - { doc_id: 0e2f5d5a-5a0e-4a6a-8f3e-000000000002, text: Two }
        - { doc_id: 0e2f5d5a-5a0e-4a6a-8f3e-000000000003, text: Three }
        - { doc_id: 0e2f5d5a-5a0e-4a6a-8f3e-000000000004, text: Four }
      """
    And the function llm.embed answers:
      """yaml
      embeddings: [ [ 0.5 ], [ 0.25 ] ]
      """
    And the function memory.remember_many answers:
      """yaml
      {}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ingest_id: i-1
      stored: 4
      failed: 0
      """
    And the function llm.embed should be called 2 times
    And the function memory.remember_many should be called 2 times

  @core
  Scenario: A batch that cannot be stored is written down and left behind
    Given the workflow of the example 'rag-ingest.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      ingest_id: i-2
      documents: [ { doc_id: 0e2f5d5a-5a0e-4a6a-8f3e-000000000005, text: Five } ]
      """
    And the function llm.embed answers:
      """yaml
      embeddings: [ [ 0.5 ] ]
      """
    And the function memory.remember_many fails with status 503
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ingest_id: i-2
      stored: 0
      failed: 1
      """
    And the function memory.remember_many should be called 5 times
