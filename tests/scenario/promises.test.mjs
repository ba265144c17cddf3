// Small promises to callers, over the death of the scheduler: a run's deadline, what was said when a draft was approved, and keys that
// make the same thing one thing.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];

async function poll(suite) {
  const answer = await suite.api.call('POST', '/v1/queues/jobs/poll', { worker: 'test', wait: '0s', max: 20 });
  return answer.status === 200 ? answer.body.jobs : [];
}

scenario('the deadline of a run holds whatever restarts', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: wait, version: '1.0.0' }
do:
  - hear: { listen: { to: { one: { with: { type: go } } } } }
`);
  const deadline = new Date(Date.now() + 3000).toISOString();
  const start = () => suite.api.ok('POST', '/v1/runs', { workflow: 'wait', input: {}, deadline }, { headers: { 'idempotency-key': 'once' } });
  const run = await start();
  assert.equal(run.deadline, deadline);
  await suite.killScheduler();
  const ended = await suite.runEnds(run.id, 'faulted');
  assert.match(ended.error.type, /\/timeout$/);
  assert.ok(ended.ended_at >= deadline);
  const late = await suite.api.refused('POST', '/v1/runs', { workflow: 'wait', deadline }, 400, 'invalid_request');
  assert.equal(late.detail, `/deadline: ${deadline} is past: name a time to come, or leave it out`);
  assert.equal((await start()).id, run.id, 'a repetition starts nothing');
  await suite.api.refused('POST', '/v1/runs', { workflow: 'wait', deadline: 'soon' }, 400, 'invalid_request');
  const free = await suite.startRun('wait', {});
  await suite.api.refused('POST', `/v1/runs/${free.id}/restart`, { version: '' }, 400, 'invalid_request');
  const again = await suite.api.ok('POST', `/v1/runs/${free.id}/restart`, {});
  assert.equal(again.workflow.version, '1.0.0');
});

scenario('who approved a draft, and what was said', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: echo, version: '1.0.0' }
do: [ { e: { set: '\${ . }' } } ]
`);
  const draft = await suite.api.ok('POST', '/v1/runs', { workflow: 'echo', draft: true, input: { n: 1 } });
  await suite.api.ok('POST', `/v1/runs/${draft.id}/approve`, { comment: 'looks fine' });
  await suite.runEnds(draft.id);
  await suite.killScheduler();
  const approved = (await suite.history(draft.id)).filter((event) => event.type === 'run.approved');
  assert.equal(approved.length, 1);
  assert.equal(approved[0].data.approval.comment, 'looks fine');
  assert.ok(approved[0].data.approval.by);
});

scenario('what has a key is one thing: runs of a batch, and texts of an ingestion', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(`
document:
  dsl: '1.0.3'
  namespace: default
  name: ingest
  version: '1.0.0'
  metadata: { tutti: { idempotencyKey: '\${ $workflow.input.ingest_id }' } }
do:
  - each:
      for: { each: document, in: .documents }
      do:
        - again:
            try:
              - embed: { call: worker.embed, with: { id: '\${ $document.doc_id }' }, metadata: { tutti: { queue: jobs, idempotencyKey: '\${ "\\($workflow.input.ingest_id)/\\($document.doc_id)/embed" }' } } }
              - store: { call: worker.store, with: {}, metadata: { tutti: { queue: jobs, idempotencyKey: '\${ "\\($workflow.input.ingest_id)/\\($document.doc_id)/store" }' } } }
            catch: { retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 3 } } } }
`);
  const item = (id) => ({ workflow: 'ingest', input: { ingest_id: id, documents: [{ doc_id: 'd1' }, { doc_id: 'd2' }] } });
  const batch = (headers) => suite.api.ok('POST', '/v1/runs/batch', { items: [item('i-1'), item('i-2'), item('i-1')] }, { headers });
  const first = await batch({});
  const ids = first.results.map((result) => result.run.id);
  assert.equal(ids[0], ids[2]);
  assert.notEqual(ids[0], ids[1]);
  await suite.killScheduler();
  assert.deepEqual((await batch({})).results.map((result) => result.run.id), ids);

  // Of each step there is one completion: a try that is entered again finds those before it done.
  const done = {};
  let hasFailed = false;
  await suite.until('both are through', async () => {
    for (const job of await poll(suite)) {
      const key = job.idempotency_key;
      assert.match(key, /^i-[12]\/d[12]\/(embed|store)\b/);
      if (job.function === 'worker.store' && !hasFailed) {
        hasFailed = true;
        await suite.api.ok('POST', `/v1/jobs/${job.id}/fail`, { lease_token: job.lease_token, error: { type: 'urn:busy', status: 503, title: 'Busy' }, retryable: true });
        await suite.killScheduler();
        continue;
      }
      done[key] = (done[key] ?? 0) + 1;
      await suite.api.ok('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output: {} });
    }
    return (await suite.api.ok('GET', '/v1/runs?status=completed')).items.length === 2;
  });
  assert.ok(hasFailed);
  assert.equal(Object.keys(done).length, 8);
  assert.ok(Object.values(done).every((count) => count === 1), JSON.stringify(done));
  assert.deepEqual((await batch({})).results.map((result) => result.run.id), ids); // also when they have ended
});
