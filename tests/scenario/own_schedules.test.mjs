// Schedules that callers made, while the scheduler is killed: each time that was due has one run.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario } from './support/suite.mjs';

const KILLS = 4;
const JOB = `
document: { dsl: '1.0.3', namespace: default, name: job, version: '1.0.0' }
input: { schema: { document: { type: object, required: [ n ], properties: { n: { type: integer } } } } }
do: [ { got: { set: '\${ $workflow.input.n }' } } ]
`;
const headers = { 'tutti-namespace': 'default' };

async function runsOf(suite) {
  const { items } = await suite.api.patient('GET', '/v1/runs?workflow=job&label=by:clock&page_size=500');
  return items;
}

scenario('each time that is due has one run, whatever is killed', { needs: ['scheduler', 'gateway'], timeout: 180_000 }, async (suite) => {
  await suite.apply(JOB);
  const made = await suite.api.ok('POST', '/v1/schedules', { id: 'often', workflow: 'job', input: { n: 7 }, every: '1s', overlap: 'allow', labels: { by: 'clock' } }, { headers });
  assert.equal(made.status, 'active');
  const first = Date.parse(made.next_at);
  for (let kills = 0; kills < KILLS; kills++) {
    await sleep(700 + kills * 300); // at another place of its second each time
    await suite.scheduler.kill();
    await suite.scheduler.start();
  }
  await suite.until('some runs', async () => (await runsOf(suite)).length >= 5);
  const paused = await suite.api.patient('POST', '/v1/schedules/often/pause', undefined, { headers });
  assert.equal(paused.status, 'paused');
  assert.equal(paused.next_at, undefined);
  const last = Date.parse(paused.last_at);
  const expected = [];
  for (let at = first; at <= last; at += 1000) expected.push(`scheduled:often:${new Date(at).toISOString()}`);
  await suite.until('all that were ordered have started', async () => (await runsOf(suite)).length >= expected.length);
  assert.deepEqual((await runsOf(suite)).map((run) => run.client_id).sort(), expected);
  for (const { id } of await runsOf(suite)) assert.equal((await suite.runEnds(id)).output, 7);
});

scenario('schedules are made, changed and asked', { needs: ['scheduler', 'gateway'], checkNeeds: false }, async (suite) => {
  const { api } = suite;
  await suite.apply(JOB);
  const spec = { workflow: 'job', input: { n: 1 }, cron: '30 2 * * *', time_zone: 'Europe/Berlin' };
  const made = await api.ok('POST', '/v1/schedules', spec, { headers });
  assert.match(made.id, /^[a-z0-9]{20}$/);
  assert.equal(made.overlap, 'skip');
  assert.equal(made.catch_up, '1d');

  for (const [change, pointer] of [
    [{ cron: '61 * * * *' }, '/cron'],
    [{ time_zone: 'Europe/Atlantis' }, '/time_zone'],
    [{ every: '1h' }, ''],
    [{ cron: undefined, time_zone: undefined, every: '10ms' }, '/every'],
    [{ cron: undefined, time_zone: undefined, at: '2001-01-01T00:00:00Z' }, '/at'],
    [{ workflow: 'nobody' }, '/workflow'],
    [{ jitter: '9d' }, '/jitter'],
  ]) {
    const problem = await api.refused('POST', '/v1/schedules', { ...spec, ...change }, 422, 'schedule_invalid', { headers });
    assert.equal(problem.errors[0].pointer, pointer, JSON.stringify(problem));
  }
  await api.refused('POST', '/v1/schedules', { ...spec, input: { n: 'x' } }, 422, 'input_invalid', { headers });
  await api.refused('POST', '/v1/schedules', { ...spec, id: made.id }, 409, 'already_exists', { headers });

  const { items } = await api.ok('GET', `/v1/schedules/${made.id}/upcoming?count=100`, undefined, { headers });
  assert.equal(items.length, 100);
  assert.equal(items[0].due_at, made.next_at);
  assert.equal((await api.call('GET', `/v1/schedules/${made.id}/upcoming?count=101`, undefined, { headers })).status, 400);

  const changed = await api.ok('PUT', `/v1/schedules/${made.id}`, { workflow: 'job:1.0.0', input: { n: 2 }, every: '30d' }, { headers: { ...headers, 'if-match': '"1"' } });
  assert.equal(changed.every, '30d');
  await api.refused('PUT', `/v1/schedules/${made.id}`, spec, 412, 'precondition_failed', { headers: { ...headers, 'if-match': '"1"' } });

  const triggered = await api.ok('POST', `/v1/schedules/${made.id}/trigger`, undefined, { headers });
  assert.equal(triggered.outcome, 'started');
  await suite.until('its run', async () => (await api.call('GET', `/v1/runs/${triggered.client_id}`, undefined, { headers })).status === 200);
  const filled = await api.ok('POST', `/v1/schedules/${made.id}/backfill`, { from: '2026-01-01T00:00:00Z', to: '2026-05-01T00:00:00Z' }, { headers });
  assert.equal(filled.count, 4);
  await suite.until('they are made up for', async () => (await api.ok('GET', '/v1/runs?workflow=job')).items.length === 5);
  assert.equal((await api.ok('GET', '/v1/schedules?workflow=job', undefined, { headers })).items.length, 1);
  assert.ok((await api.ok('GET', '/v1/schedules')).items.some(({ id }) => id === made.id), 'of all namespaces');
  assert.equal((await api.call('DELETE', `/v1/schedules/${made.id}`, undefined, { headers })).status, 204);
  await api.refused('GET', `/v1/schedules/${made.id}`, undefined, 404, 'not_found', { headers });
});
