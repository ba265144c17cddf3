Feature: marketing-campaign.yaml

  Background:
    Given the workflow of the example 'marketing-campaign.yaml'
    And the functions of the file 'samples/functions.yaml' are there
    And the approver has the label 'team:marketing-leads'
    And given the workflow input is:
      """yaml
      campaign: Spring Wheels
      brief: New wheels for spring
      audience: commuters
      brand_voice: calm
      competitors: [ 'https://rival.test' ]
      repo: acme/campaigns
      base_sha: abc
      review_channel: C1
      channels: [ email, blog ]
      mailing_list: list@acme.test
      blog_repo: acme/blog
      """
    And the function notion.search fails with status 404
    And the function web.scrape_page answers:
      """yaml
      url: https://rival.test
      data: { headlines: [ Wheels ] }
      """
    And the function memory.recall answers:
      """yaml
      items: [ { key: k, content: They ride in rain. } ]
      """
    And the function memory.get answers:
      """yaml
      item: { content: Calm and short. }
      """
    And the function llm.chat answers:
      """yaml
      content: { headline: Wheels, subjects: { a: Roll, b: Turn }, email: <p>Roll</p>, post: Roll!, article: Long. }
      """
    And the function memory.remember answers:
      """yaml
      key: draft
      """
    And it is undone by:
      """yaml
      - { function: memory.delete, with: { namespace: campaigns, key: draft } }
      """
    And the function memory.delete answers:
      """yaml
      {}
      """
    And the function browser.render_template answers:
      """yaml
      image: aW1n
      """
    And the function s3.put_object answers:
      """yaml
      url: https://s3.test/x.png
      """
    And it is undone by:
      """yaml
      - { function: s3.delete_object, with: { key: x.png } }
      """
    And the function s3.delete_object answers:
      """yaml
      {}
      """
    And the function github.create_branch answers:
      """yaml
      {}
      """
    And it is undone by:
      """yaml
      - { function: github.delete_branch, with: { branch: campaign } }
      """
    And the function github.delete_branch answers:
      """yaml
      {}
      """
    And the function github.create_or_update_file answers:
      """yaml
      {}
      """
    And the function github.create_pull_request answers:
      """yaml
      { number: 12, url: 'https://github.test/pr/12' }
      """
    And the function github.comment answers:
      """yaml
      {}
      """
    And the function github.close_pull_request answers:
      """yaml
      {}
      """
    And the function slack.send_message answers:
      """yaml
      { ts: '1' }
      """
    And it is undone by:
      """yaml
      - { function: slack.delete_message, with: { ts: '1' } }
      """
    And the function slack.delete_message answers:
      """yaml
      {}
      """
    And the function buffer.schedule_post answers:
      """yaml
      { id: p1 }
      """
    And it is undone by:
      """yaml
      - { function: buffer.delete_post, with: { id: p1 } }
      """
    And the function buffer.delete_post answers:
      """yaml
      {}
      """
    And the function grafana.create_dashboard answers:
      """yaml
      url: https://grafana.test/d/1
      """

  Scenario: Approved, one channel fails, the campaign is out
    Given the function sendgrid.send_email fails with status 400
    When the workflow is executed
    And the approval is approved
    Then the workflow should complete
    And the workflow output should have a 'pr' property with value:
      """yaml
      https://github.test/pr/12
      """
    And the workflow output should have a 'distribution.blog' property with value:
      """yaml
      ok: true
      """
    And the workflow output should have a 'distribution.email.ok' property with value:
      """yaml
      false
      """
    And the workflow output should have a 'distribution.social' property with value:
      """yaml
      null
      """
    And the workflow output should have a 'analytics' property with value:
      """yaml
      { tracked: true, url: 'https://grafana.test/d/1' }
      """
    And the function s3.put_object should be called 3 times
    And the function sendgrid.send_email should be called with:
      """yaml
      { to: list@acme.test, html: <p>Roll</p> }
      """
    And the function buffer.schedule_post should be called 0 times
    And the task social should be skipped
    And the function s3.delete_object should be called 0 times
    And the function memory.delete should be called 0 times

  Scenario: Rejected, and everything is taken back, the newest first
    Given the function sendgrid.send_email answers:
      """yaml
      {}
      """
    When the workflow is executed
    And the approval is rejected
    Then the workflow should fault with error:
      """yaml
      type: https://tutti.dev/errors/rejected
      status: 403
      detail: seen
      """
    And functions should be called in this order:
      | slack.send_message        |
      | slack.delete_message      |
      | github.comment            |
      | github.close_pull_request |
      | github.delete_branch      |
      | s3.delete_object          |
      | s3.delete_object          |
      | s3.delete_object          |
      | memory.delete             |
    And the function sendgrid.send_email should be called 0 times
    And the function slack.delete_message should be called 1 time
    And the function github.comment should be called with:
      """yaml
      number: 12
      body: 'Taken back: The campaign was turned down'
      """
    And the function github.close_pull_request should be called 1 time
    And the function github.delete_branch should be called 1 time
    And the function s3.delete_object should be called 3 times
    And the function memory.delete should be called 1 time
    And the run's 'compensation' should be:
      """yaml
      { state: completed, done: 7, failed: 0, total: 7 }
      """

  Scenario: Called off while a channel hangs, and everything is taken back, what went out as well
    Given the function sendgrid.send_email never answers
    And given the workflow input is:
      """yaml
      campaign: Autumn Wheels
      brief: New wheels for autumn
      audience: commuters
      brand_voice: calm
      competitors: [ 'https://rival.test' ]
      repo: acme/campaigns
      base_sha: abc
      review_channel: C1
      channels: [ email, social ]
      mailing_list: list@acme.test
      social_accounts: [ s1 ]
      """
    When the workflow is executed
    And the approval is approved
    Then the function buffer.schedule_post should be called 1 time
    And the function sendgrid.send_email should be called 1 time
    And the task schedulePost should be completed
    When the run is cancelled
    Then the workflow should cancel
    And functions should be called in this order:
      | buffer.delete_post        |
      | slack.delete_message      |
      | github.comment            |
      | github.close_pull_request |
      | github.delete_branch      |
      | s3.delete_object          |
      | s3.delete_object          |
      | s3.delete_object          |
      | memory.delete             |
    And the function memory.delete should be called 1 time
    And the function buffer.delete_post should be called with:
      """yaml
      id: p1
      """
    And the run's 'compensation' should be:
      """yaml
      { state: completed, done: 8, failed: 0, total: 8 }
      """

  @core
  Scenario: Nobody answers within a day
    Given the function sendgrid.send_email answers:
      """yaml
      {}
      """
    When the workflow is executed
    And 24 hours pass
    Then the workflow should fault with error:
      """yaml
      type: https://tutti.dev/errors/rejected
      detail: Nobody has answered within a day
      """
    And the function memory.delete should be called 1 time
    And the function sendgrid.send_email should be called 0 times
