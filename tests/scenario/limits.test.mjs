// Turns and limits, over the death of the scheduler: a burst of one workflow, limits of keys and of targets.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway'];
const BURST = 200;

const work = (name, limit = '') => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - do: { call: worker.do, with: {}, metadata: { tutti: { queue: jobs${limit} } } }
`;
const CALL = `
document: { dsl: '1.0.3', namespace: default, name: caller, version: '1.0.0' }
do:
  - ask: { call: http, with: { method: get, endpoint: '\${ .url }' } }
`;

const poll = async (suite, max = 10) => {
  const answer = await suite.api.call('POST', '/v1/queues/jobs/poll', { worker: 'test', wait: '0s', max });
  assert.ok([200, 204].includes(answer.status), answer.text);
  return answer.status === 200 ? answer.body.jobs : [];
};
const complete = (suite, job) => suite.api.ok('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output: {} });

scenario('workflows take turns, whatever dies meanwhile', { needs: NEEDS }, async (suite) => {
  for (const name of ['burst', 'calm', 'other']) await suite.apply(work(name));
  const items = Array.from({ length: BURST }, () => ({ workflow: 'burst' }));
  await suite.api.ok('POST', '/v1/runs/batch', { items });
  for (const name of ['calm', 'calm', 'other']) await suite.startRun(name);
  await suite.killScheduler();
  const jobs = await poll(suite, 6);
  assert.deepEqual(jobs.map((job) => job.workflow), ['burst', 'calm', 'other', 'burst', 'calm', 'burst']);
});

scenario('so many jobs of a key are at work', { needs: NEEDS }, async (suite) => {
  await suite.apply(work('keyed', `, limit: { key: '\${ .customer }', concurrency: 2 }`));
  const runs = [];
  for (const customer of ['a', 'a', 'a', 'b']) runs.push(await suite.startRun('keyed', { customer }));
  const jobs = await poll(suite);
  assert.equal(jobs.length, 3);
  const held = await suite.until('it says why', async () => {
    const run = await suite.api.ok('GET', `/v1/runs/${runs[2].id}?explain=true`);
    return run.waiting_for[0].kind === 'limit' && run.waiting_for[0];
  });
  assert.ok(held.detail.startsWith('key:default/keyed'), held.detail);
  assert.ok(held.reason.includes('2 of 2 are at work'), held.reason);
  const { items } = await suite.api.ok('GET', '/v1/limits');
  const shown = items.find((one) => one.name === held.detail);
  assert.deepEqual({ ...shown }, { name: held.detail, concurrency: 2, source: 'workflow', running: 2, waiting: 1 });

  await suite.killScheduler();
  assert.equal((await poll(suite)).length, 0, 'both are still leased');
  await complete(suite, jobs[0]);
  const [last] = await poll(suite);
  assert.equal(last.run, runs[2].id);
  assert.equal(last.attempt, 1, 'no attempt was burnt');

  assert.deepEqual((await suite.api.ok('PATCH', '/v1/queues/jobs', { per_key: { concurrency: 1 } })).per_key, { concurrency: 1 });
  await suite.killScheduler();
  assert.deepEqual((await suite.api.ok('GET', '/v1/queues/jobs')).per_key, { concurrency: 1 });
  await suite.startRun('keyed', { customer: 'b' });
  assert.equal((await poll(suite)).length, 0, 'the other one of its key is at work');
  assert.equal((await suite.api.ok('PATCH', '/v1/queues/jobs', { per_key: null })).per_key, undefined);
  assert.equal((await poll(suite)).length, 1);
});

scenario('a function of a worker is limited, if it is named', { needs: NEEDS, checkNeeds: false, config: { limits: { targets: { 'worker:do': { concurrency: 1 } } } } }, async (suite) => {
  await suite.apply(work('one-by-one'));
  const runs = [await suite.startRun('one-by-one'), await suite.startRun('one-by-one')];
  const [job, ...more] = await poll(suite);
  assert.deepEqual(more, []);
  const held = runs.find((run) => run.id !== job.run);
  const [wait] = (await suite.api.ok('GET', `/v1/runs/${held.id}?explain=true`)).waiting_for;
  assert.deepEqual([wait.kind, wait.detail], ['limit', 'worker:do']);
  await complete(suite, job);
  const next = await suite.until('the other one', async () => (await poll(suite))[0]);
  assert.equal(next.run, held.id);
});

scenario('a target is limited, in all and in a time', { needs: [...NEEDS, 'tool-adapter'] }, async (suite) => {
  let underWay = 0;
  let mostAtOnce = 0;
  const upstream = await Upstream.start(async () => {
    mostAtOnce = Math.max(mostAtOnce, ++underWay);
    await sleep(20);
    underWay--;
    return { body: { ok: true } };
  });
  const name = `tool:${new URL(upstream.url).host}`;
  const path = `/v1/limits/${encodeURIComponent(name)}`;
  try {
    await suite.apply(CALL);
    await suite.api.refused('PUT', '/v1/limits/nobody', { concurrency: 1 }, 422, 'input_invalid');
    await suite.api.refused('PUT', '/v1/limits/worker:do', { concurrency: 1 }, 409, 'conflict');
    await suite.api.refused('PUT', path, { rate: { count: 1, per: 'soon' } }, 400, 'invalid_request');
    assert.equal((await suite.api.ok('PUT', path, { concurrency: 2 })).concurrency, 2);
    const start = async (count) => {
      const runs = [];
      for (let i = 0; i < count; i++) runs.push(await suite.startRun('caller', { url: upstream.url }));
      return runs;
    };
    const first = await start(12);
    await suite.killScheduler();
    for (const { id } of first) await suite.runEnds(id);
    assert.ok(mostAtOnce <= 2, `${mostAtOnce} at once`);

    const rate = { count: 3, per: '1h' };
    assert.deepEqual((await suite.api.ok('PUT', path, { rate })).rate, rate);
    await suite.killScheduler();
    const before = upstream.requests.length;
    const second = await start(5);
    await suite.until('three have started', () => upstream.requests.length === before + 3);
    const there = await suite.until('the others wait', async () => {
      const limit = await suite.api.ok('GET', path);
      return limit.waiting === 2 && limit;
    });
    assert.ok(Date.parse(there.opens) > Date.now());
    assert.equal((await suite.api.call('DELETE', path)).status, 204);
    for (const { id } of second) await suite.runEnds(id);
    assert.equal((await suite.api.ok('GET', '/v1/limits')).items.length, 0);
  } finally {
    await upstream.stop();
  }
});
