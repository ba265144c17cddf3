Feature: scrape-batch.yaml

  Background:
    Given the workflow of the example 'scrape-batch.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And given the workflow input is:
      """yaml
      urls: [ 'https://a.test/1', 'https://a.test/2' ]
      """

  Scenario: One page cannot be read, the other is there
    Given the function web.scrape_batch answers:
      """yaml
      results:
        - { url: 'https://a.test/1', ok: true, data: { title: One } }
        - { url: 'https://a.test/2', ok: false, error: { status: 404 } }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      total: 2
      ok: 1
      pages: [ { url: 'https://a.test/1', data: { title: One } } ]
      failed: [ { url: 'https://a.test/2', error: { status: 404 } } ]
      """
    And the function web.scrape_batch should be called with:
      """yaml
      urls: [ 'https://a.test/1', 'https://a.test/2' ]
      max_concurrent: 5
      """

  Scenario: Nothing could be read
    Given the function web.scrape_batch answers:
      """yaml
      results:
        - { url: 'https://a.test/1', ok: false, error: { status: 500 } }
        - { url: 'https://a.test/2', ok: false, error: { status: 404 } }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://tutti.dev/errors/nothing-scraped
      status: 502
      detail: 'https://a.test/1 - {"status":500}; https://a.test/2 - {"status":404}'
      instance: /do/1/requireOne
      """

  Scenario: An input without pages is refused
    Given given the workflow input is:
      """yaml
      urls: []
      """
    When the workflow is executed
    Then the start should be refused with code input_invalid
