Feature: a campaign as in marketing-campaign.yaml, in which every channel has to succeed and anybody may approve

  Background:
    Given a workflow with definition:
      """yaml
      document:
        dsl: '1.0.3'
        namespace: language
        name: samples-all-or-nothing
        version: '1.0.0'
        metadata: { tutti: { saga: true } }
      do:
        - draft: { call: memory.remember, with: { namespace: campaigns, key: draft, content: Roll } }
        - design:
            fork:
              branches:
                - banner: { call: s3.put_object, with: { key: banner.png, body: aW1n } }
                - square: { call: s3.put_object, with: { key: square.png, body: aW1n } }
        - branch: { call: github.create_branch, with: { repo: acme/app, branch: campaign, sha: abc } }
        - pullRequest:
            call: github.create_pull_request
            with: { repo: acme/app, title: Wheels, head: campaign }
            metadata:
              tutti:
                compensate:
                  - explain: { call: github.comment, with: { repo: acme/app, number: '${ $output.number }', body: '${ "Taken back: \($error.title)" }' } }
                  - close: { call: github.close_pull_request, with: { repo: acme/app, number: '${ $output.number }' } }
        - decision:
            listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 } } } }
            output: { as: '.[0]' }
            metadata: { tutti: { approval: { title: Shall it go out? } } }
        - stopIfRejected:
            if: $steps.decision.approved != true
            raise: { error: { type: 'https://tutti.dev/errors/rejected', status: 403, title: Turned down } }
        - announce: { call: slack.send_message, with: { channel: C1, text: Now } }
        - distribution:
            fork:
              branches:
                - email:
                    if: $workflow.input.channels | index("email")
                    call: sendgrid.send_email
                    with: { to: list@acme.test, subject: Roll, html: Roll }
                - social:
                    if: $workflow.input.channels | index("social")
                    call: buffer.schedule_post
                    with: { channels: [ s1 ], text: Roll }
            output: { as: '{ email: $steps.email, social: $steps.social }' }
      output: { as: '{ pr: $steps.pullRequest.url, distribution: $steps.distribution }' }
      """
    And the functions of the file 'samples/functions.yaml' are there
    And the function memory.remember answers:
      """yaml
      key: draft
      """
    And it is undone by:
      """yaml
      - { function: memory.delete, with: { namespace: campaigns, key: draft } }
      """
    And the function memory.delete answers with its input
    And the function s3.put_object answers:
      """yaml
      url: https://s3.test/x.png
      """
    And it is undone by:
      """yaml
      - { function: s3.delete_object, with: { key: x.png } }
      """
    And the function s3.delete_object answers with its input
    And the function github.create_branch answers:
      """yaml
      {}
      """
    And it is undone by:
      """yaml
      - { function: github.delete_branch, with: { branch: campaign } }
      """
    And the function github.delete_branch answers with its input
    And the function github.create_pull_request answers:
      """yaml
      { number: 12, url: 'https://github.test/pr/12' }
      """
    And the function github.comment answers with its input
    And the function github.close_pull_request answers with its input
    And the function slack.send_message answers:
      """yaml
      { ts: '1' }
      """
    And it is undone by:
      """yaml
      - { function: slack.delete_message, with: { ts: '1' } }
      """
    And the function slack.delete_message answers with its input

  Scenario: Approved, and only the channels that were asked for are used
    Given the function buffer.schedule_post answers:
      """yaml
      { id: p1 }
      """
    And given the workflow input is:
      """yaml
      channels: [ social ]
      """
    When the workflow is executed
    And the approval is approved
    Then the workflow should complete with output:
      """yaml
      pr: https://github.test/pr/12
      distribution: { email: null, social: { id: p1 } }
      """
    And the task email should be skipped
    And the function sendgrid.send_email should be called 0 times
    And the function memory.delete should be called 0 times

  Scenario: The distribution fails, and everything is taken back, the newest first
    Given the function sendgrid.send_email fails with status 400
    And given the workflow input is:
      """yaml
      channels: [ email ]
      """
    When the workflow is executed
    And the approval is approved
    Then the workflow should fault with error:
      """yaml
      status: 400
      instance: /do/7/distribution/fork/branches/0/email
      """
    And functions should be called in this order:
      | sendgrid.send_email       |
      | slack.delete_message      |
      | github.comment            |
      | github.close_pull_request |
      | github.delete_branch      |
      | s3.delete_object          |
      | s3.delete_object          |
      | memory.delete             |
    And the function s3.delete_object should be called 2 times
    And the function memory.delete should be called with:
      """yaml
      { namespace: campaigns, key: draft }
      """
    And the run's 'compensation' should be:
      """yaml
      { state: completed, done: 6, failed: 0, total: 6 }
      """
