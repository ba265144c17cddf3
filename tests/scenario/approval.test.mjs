// A person decides: after the scheduler was away in between, or not in time.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];

const review = (name, after) => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - draft: { set: { text: 'a draft' } }
  - review:
      try:
        - ask:
            listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '\${ $workflow.id }' } } } } }
            timeout: { after: ${after} }
            output: { as: '.[0]' }
            metadata:
              tutti:
                approval:
                  title: Publish it?
                  payload: '\${ $steps.draft }'
                  form: { type: object, required: [ grade ], properties: { grade: { type: integer } } }
      catch:
        errors: { with: { status: 408 } }
        do:
          - late: { set: { approved: false, late: true } }
`;

async function pendingApproval(suite, run) {
  return suite.until('the approval is asked for', async () => {
    const { items } = await suite.api.patient('GET', `/v1/approvals?status=pending&run=${run.id}`);
    return items[0];
  });
}

scenario('an approval is answered after a restart of the scheduler', { needs: NEEDS }, async (suite) => {
  await suite.apply(review('review', 'PT24H'));
  const run = await suite.startRun('review');
  const approval = await pendingApproval(suite, run);
  assert.equal(approval.title, 'Publish it?');
  assert.deepEqual(approval.payload, { text: 'a draft' });
  const waiting = await suite.until('the run waits', async () => {
    const seen = await suite.api.ok('GET', `/v1/runs/${run.id}`);
    return seen.status === 'waiting' && seen;
  });
  assert.equal(waiting.waiting_for[0].kind, 'approval');

  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.until('the gateway reaches it again', async () => (await suite.api.call('GET', `/v1/approvals/${approval.id}`)).status === 200);

  // What does not fit the form changes nothing.
  await suite.api.refused('POST', `/v1/approvals/${approval.id}/approve`, { data: { grade: 'good' } }, 422, 'input_invalid');
  await suite.api.refused('POST', `/v1/approvals/${approval.id}/approve`, { comment: 'fine' }, 422, 'input_invalid'); // nor does nothing
  const decided = await suite.api.ok('POST', `/v1/approvals/${approval.id}/approve`, { comment: 'fine', data: { grade: 1 } });
  assert.equal(decided.status, 'approved');
  const ended = await suite.runEnds(run.id);
  assert.equal(ended.output.approved, true);
  assert.equal(ended.output.comment, 'fine');
  assert.deepEqual(ended.output.data, { grade: 1 });
  await suite.api.refused('POST', `/v1/approvals/${approval.id}/reject`, {}, 409, 'approval_closed');
});

scenario('an approval that nobody answers expires', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(review('expiry', 'PT0.5S'));
  const run = await suite.startRun('expiry');
  const approval = await pendingApproval(suite, run).catch(() => null);
  const ended = await suite.runEnds(run.id);
  assert.deepEqual(ended.output, { approved: false, late: true });
  const { items } = await suite.api.patient('GET', `/v1/approvals?run=${run.id}&status=expired`);
  assert.equal(items.length, 1);
  if (approval) await suite.api.refused('POST', `/v1/approvals/${approval.id}/approve`, {}, 409, 'approval_closed');
});

scenario('an approval whose time runs out while the scheduler is away expires when it is back', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(review('away', 'PT1S'));
  const run = await suite.startRun('away'); // acknowledged: the timer is in the store
  await suite.scheduler.kill();
  const due = Date.parse(run.created_at) + 1000;
  await suite.until('its time is over', () => Date.now() > due);
  await suite.scheduler.start();
  const ended = await suite.runEnds(run.id);
  assert.equal(ended.output.late, true);
});

scenario('an approval is edited before it is decided, by one person at a time', { needs: NEEDS }, async (suite) => {
  await suite.apply(review('edited', 'PT24H').replace('title: Publish it?', 'title: Publish it?\n                  editable: true'));
  const run = await suite.startRun('edited');
  const approval = await pendingApproval(suite, run);
  const path = `/v1/approvals/${approval.id}`;
  const tag = (await suite.api.call('GET', path)).headers.get('etag');
  const patch = { payload: { text: 'a better draft' } };
  const headers = { 'content-type': 'application/merge-patch+json' };
  await suite.api.refused('PATCH', path, patch, 428, 'precondition_required', { headers });
  const edited = await suite.api.ok('PATCH', path, patch, { headers: { ...headers, 'if-match': tag } });
  assert.equal(edited.changed, true);
  await suite.api.refused('PATCH', path, patch, 412, 'precondition_failed', { headers: { ...headers, 'if-match': tag } });
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.api.patient('GET', path);
  await suite.api.ok('POST', `${path}/approve`, { data: { grade: 1 } });
  const { output } = await suite.runEnds(run.id);
  assert.deepEqual(output.payload, { text: 'a better draft' });
  assert.equal(output.changed, true);
  await suite.api.refused('PATCH', path, patch, 409, 'approval_closed', { headers: { ...headers, 'if-match': '"2"' } });
});
