// Requests with an Idempotency-Key that are repeated: after the death of the scheduler they get the same answer and nothing is done again.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const WAIT = `
document: { dsl: '1.0.3', namespace: default, name: wait, version: '1.0.0' }
do:
  - hear: { listen: { to: { any: [ { with: { type: go } } ], until: 'length == 3' } } }
`;

// What an answer says that does not depend on when it is sent.
function said(answer) {
  const body = structuredClone(answer.body);
  delete body.request_id;
  delete body.progress?.elapsed_seconds;
  return body;
}

scenario('a repeated command is answered as before, whatever restarts', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(WAIT);
  const post = (path, body, key) => suite.api.call('POST', path, body, { headers: { 'idempotency-key': key, 'tutti-namespace': 'default' } });
  const one = await suite.startRun('wait', {});
  const other = await suite.startRun('wait', {});
  const schedule = await suite.api.ok('POST', '/v1/schedules', { id: 'daily', workflow: 'wait', every: '24h', input: {} });
  assert.ok(schedule);
  const requests = [
    [`/v1/runs/${one.id}/signals/go`, { n: 1 }, { n: 2 }],
    [`/v1/runs/${one.id}/pause`, { reason: 'lunch' }, { reason: 'dinner' }],
    [`/v1/runs/${one.id}/resume`, { reason: 'done' }, {}],
    [`/v1/runs/${other.id}/cancel`, { reason: 'no' }, { reason: 'yes' }],
    [`/v1/runs/${other.id}/cancel`, { reason: 'again' }, { reason: 'once more' }], // is refused: it has ended
    ['/v1/schedules/daily/trigger', undefined, undefined],
    ['/v1/queues/jobs/pause', undefined, undefined],
    ['/v1/events', { specversion: '1.0', id: 'e1', source: '/s', type: 'other' }, { specversion: '1.0', id: 'e2', source: '/s', type: 'other' }],
  ];
  const answers = [];
  for (const [i, [path, body]] of requests.entries()) answers.push(await post(path, body, `key-${i}`));
  assert.equal(answers[4].body.code, 'run_finished');
  for (const [i, answer] of answers.entries()) if (i !== 4) assert.ok(answer.status < 300, `${requests[i][0]}: ${answer.text}`);
  for (const answer of answers) assert.equal(answer.headers.get('idempotent-replayed'), null);
  for (const [i, [path, body]] of requests.entries()) { // from memory; below from disk
    const again = await post(path, body, `key-${i}`);
    assert.deepEqual([again.status, said(again), again.headers.get('idempotent-replayed')], [answers[i].status, said(answers[i]), 'true'], path);
  }
  const triggered = (await suite.api.ok('GET', '/v1/runs?workflow=wait&page_size=100')).items.length;

  for (let round = 0; round < 2; round++) {
    await suite.killScheduler();
    for (const [i, [path, body]] of requests.entries()) {
      const again = await post(path, body, `key-${i}`);
      assert.equal(again.status, answers[i].status, `${path}: ${again.text}`);
      assert.deepEqual(said(again), said(answers[i]), path);
      assert.equal(again.headers.get('idempotent-replayed'), 'true', path);
    }
  }
  for (const [i, [path, , wrong]] of requests.entries()) {
    if (wrong === undefined) continue;
    await suite.api.refused('POST', path, wrong, 422, 'idempotency_key_reused', { headers: { 'idempotency-key': `key-${i}`, 'tutti-namespace': 'default' } });
  }
  const history = await suite.history(one.id);
  const count = (type) => history.filter((event) => event.type === type).length;
  assert.deepEqual([count('signal.received'), count('run.suspended'), count('run.resumed')], [1, 1, 1]);
  assert.equal((await suite.api.ok('GET', '/v1/runs?workflow=wait&page_size=100')).items.length, triggered);
});
