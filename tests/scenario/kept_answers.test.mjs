// Answers of calls that are kept (metadata.tutti.cache): equal calls of many runs, in several
// partitions, are one call, whoever dies meanwhile. The worker counts the calls.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const RUNS = 50;
const CONFIG = { scheduler: { partitions: 4 } };

const ask = (name, more = '') => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - look:
      call: worker.${name}
      with: { n: '\${ .n }' }
      metadata: { tutti: { queue: ${name}, cache: { maxAge: PT1H }${more} } }
`;

const poll = (suite, queue, wait) => suite.api.call('POST', `/v1/queues/${queue}/poll`, { worker: 'test', wait, max: 10 });

async function lease(suite, queue) {
  const answer = await poll(suite, queue, '20s');
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.jobs.length, 1, 'one call is made for all');
  return answer.body.jobs[0];
}

const nothing = async (suite, queue) => assert.equal((await poll(suite, queue, '0s')).status, 204, 'nobody else calls');
const complete = (suite, job, output) => suite.api.ok('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output });

const waitsForAnswer = async (suite, id) => {
  const run = await suite.api.patient('GET', `/v1/runs/${id}`);
  return run.waiting_for?.[0]?.kind === 'slot' && run;
};

async function startAll(suite, workflow, count) {
  return Promise.all(Array.from({ length: count }, () => suite.startRun(workflow, { n: 1 })));
}

// All but one, which calls.
async function othersWait(suite, runs) {
  return suite.until('the others wait for the answer', async () => {
    const waiting = [];
    for (const { id } of runs) if (await waitsForAnswer(suite, id)) waiting.push(id);
    return waiting.length === runs.length - 1 && waiting;
  });
}

async function cacheOf(suite) {
  return suite.api.ok('GET', '/v1/cache');
}

scenario('fifty equal calls are one, though the scheduler is killed', { needs: NEEDS, config: CONFIG }, async (suite) => {
  await suite.apply(ask('look'));
  const runs = await startAll(suite, 'look', RUNS);
  const job = await lease(suite, 'look');
  const waiting = await othersWait(suite, runs);
  assert.match((await waitsForAnswer(suite, waiting[0])).waiting_for[0].detail, /equal call/);
  await nothing(suite, 'look');

  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.until('the gateway reaches it again', async () => (await suite.api.call('GET', `/v1/jobs/${job.id}`)).status === 200);
  await nothing(suite, 'look');
  await suite.api.ok('POST', `/v1/runs/${waiting[0]}/cancel`);
  await suite.runEnds(waiting[0], 'cancelled');
  await suite.api.ok('POST', `/v1/runs/${waiting[1]}/pause`);

  await complete(suite, job, { found: 7 });
  for (const { id } of runs) {
    if (waiting.slice(0, 2).includes(id)) continue;
    assert.deepEqual((await suite.runEnds(id)).output, { found: 7 });
  }
  await nothing(suite, 'look');
  const { hits, ...stats } = await suite.until('it is kept', async () => (await cacheOf(suite)).entries > 0 && cacheOf(suite));
  assert.deepEqual({ ...stats, limits: undefined }, { misses: 1, entries: 1, bytes: 11, limits: undefined });
  // Who counts may be another partition, which may hear of the pause after the answer was sent.
  assert.ok(hits === RUNS - 3 || hits === RUNS - 2, String(hits));

  // The one that was paused asks again when it goes on; the answer outlives the scheduler.
  assert.equal((await suite.api.ok('GET', `/v1/runs/${waiting[1]}`)).status, 'suspended');
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.api.patient('POST', `/v1/runs/${waiting[1]}/resume`);
  assert.deepEqual((await suite.runEnds(waiting[1])).output, { found: 7 });
  const done = (await suite.history(waiting[1])).find((event) => event.type === 'task.completed');
  assert.equal(done.data.cache.hit, true);
  assert.equal(typeof done.data.cache.age, 'number');
  assert.equal((await suite.runEnds(runs.find(({ id }) => !waiting.includes(id)).id)).usage.cost_usd, '0');
});

scenario('whoever calls for others may fail, end or pause', { needs: NEEDS, config: CONFIG, checkNeeds: false }, async (suite) => {
  // An error is its own; the next one calls.
  await suite.apply(ask('fails', ', retry: none'));
  let runs = await startAll(suite, 'fails', 3);
  const failing = await lease(suite, 'fails');
  await othersWait(suite, runs);
  await suite.api.ok('POST', `/v1/jobs/${failing.id}/fail`, { lease_token: failing.lease_token, error: { status: 404, detail: 'not there' }, retryable: false });
  await suite.runEnds(failing.run, 'faulted');
  const second = await lease(suite, 'fails');
  assert.notEqual(second.run, failing.run);
  await complete(suite, second, 1);
  for (const { id } of runs) if (id !== failing.run) assert.equal((await suite.runEnds(id)).output, 1);

  // Cancelled, and then paused before a worker was there.
  await suite.apply(ask('goes'));
  runs = await startAll(suite, 'goes', 4);
  const gone = await lease(suite, 'goes');
  await othersWait(suite, runs);
  await suite.api.ok('POST', `/v1/runs/${gone.run}/cancel`);
  await suite.until('the next one calls', async () => (await suite.api.ok('GET', '/v1/queues/goes')).depth === 1);
  const waiting = [];
  for (const { id } of runs) if (id !== gone.run && (await waitsForAnswer(suite, id))) waiting.push(id);
  assert.equal(waiting.length, 2);
  const leader = runs.find(({ id }) => id !== gone.run && !waiting.includes(id)).id;
  await suite.api.ok('POST', `/v1/runs/${leader}/pause`);
  const third = await lease(suite, 'goes');
  assert.ok(waiting.includes(third.run));
  await complete(suite, third, 2);
  for (const id of waiting) assert.equal((await suite.runEnds(id)).output, 2);
  await suite.api.ok('POST', `/v1/runs/${leader}/terminate`);
});

scenario('a worker that dies calls again, and for all', { needs: NEEDS, config: { scheduler: { partitions: 4 }, defaults: { job: { heartbeat_timeout: '1s' } } }, checkNeeds: false }, async (suite) => {
  await suite.apply(ask('dies'));
  const runs = await startAll(suite, 'dies', 3);
  const lost = await lease(suite, 'dies');
  await othersWait(suite, runs);
  const again = await lease(suite, 'dies');
  assert.equal(again.id, lost.id);
  await complete(suite, again, 3);
  for (const { id } of runs) assert.equal((await suite.runEnds(id)).output, 3);
});

scenario('kept answers are cleared', { needs: NEEDS, config: CONFIG, checkNeeds: false }, async (suite) => {
  await suite.apply(ask('first'));
  await suite.apply(ask('second'));
  for (const name of ['first', 'second']) {
    const run = await suite.startRun(name, { n: 1 });
    await complete(suite, await lease(suite, name), name);
    await suite.runEnds(run.id);
  }
  await suite.until('both are kept', async () => (await cacheOf(suite)).entries === 2);
  // Neither a variable that is not set nor a slip means "all".
  for (const query of ['?function=', '?prefix=', '?workflow=']) {
    await suite.api.refused('DELETE', `/v1/cache${query}`, undefined, 400, 'invalid_request');
  }
  await suite.api.refused('DELETE', '/v1/cache?functoin=worker.first', undefined, 400, 'unknown_parameter');
  assert.deepEqual(await suite.api.ok('DELETE', '/v1/cache?function=worker.fir'), { deleted: 0, bytes: 0, has_more: false });
  assert.deepEqual(await suite.api.ok('DELETE', '/v1/cache?prefix=worker.&workflow=first'), { deleted: 1, bytes: 7, has_more: false });
  assert.deepEqual((await suite.runEnds((await suite.startRun('second', { n: 1 })).id)).output, 'second');
  const run = await suite.startRun('first', { n: 1 });
  await complete(suite, await lease(suite, 'first'), 'again');
  assert.equal((await suite.runEnds(run.id)).output, 'again');
  await suite.until('both are kept', async () => (await cacheOf(suite)).entries === 2);
  assert.equal((await suite.api.ok('DELETE', '/v1/cache')).deleted, 2);
  assert.equal((await cacheOf(suite)).bytes, 0);
});
