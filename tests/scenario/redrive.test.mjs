// Dead letters that are tried again by themselves, over the death of the scheduler: by the rule of their queue, as often as it says
// and no more; when a circuit breaker closes; all of them at a rate.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway'];
const BUSY = { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/communication', status: 503, title: 'Busy' };

const WORK = `
document: { dsl: '1.0.3', namespace: default, name: work, version: '1.0.0' }
do:
  - job: { call: worker.do, with: {}, metadata: { tutti: { queue: jobs, onExhausted: pause, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 2 } } } } } }
`;
const FAULT = `
document: { dsl: '1.0.3', namespace: default, name: fault, version: '1.0.0' }
do:
  - job: { call: worker.do, with: {}, metadata: { tutti: { queue: jobs, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 1 } } } } } }
`;

const letters = (suite, query = '') => suite.api.ok('GET', `/v1/queues/jobs/dead-letters${query}`);

async function poll(suite, max = 20) {
  const answer = await suite.api.call('POST', '/v1/queues/jobs/poll', { worker: 'test', wait: '0s', max });
  assert.ok([200, 204].includes(answer.status), answer.text);
  return answer.status === 200 ? answer.body.jobs : [];
}

// Fails whatever attempt comes, until something is so.
const failUntil = (suite, what, isSo) =>
  suite.until(what, async () => {
    for (const job of await poll(suite)) {
      await suite.api.ok('POST', `/v1/jobs/${job.id}/fail`, { lease_token: job.lease_token, error: BUSY, retryable: true });
    }
    return isSo();
  });
const failJobs = (suite, count) =>
  failUntil(suite, `${count} jobs are given up`, async () => (await suite.api.ok('GET', '/v1/queues/jobs')).dead_letters >= count);

const eventsOf = async (suite, run, type) => (await suite.api.ok('GET', `/v1/runs/${run}/history?page_size=500`)).items.filter((e) => e.type === type);

scenario('a rule redrives as often as it says, whatever restarts', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(WORK);
  await suite.apply(FAULT);
  const rule = { errors: ['communication'], after: '0s', times: 2, rate: { count: 100, per: '1s' } };
  await suite.api.refused('PATCH', '/v1/queues/jobs', { redrive: { after: '0s', times: 0 } }, 400, 'invalid_request');
  await suite.api.refused('PATCH', '/v1/queues/jobs', { redrive: { after: 'soon', times: 1 } }, 400, 'invalid_request');
  await suite.api.refused('PATCH', '/v1/queues/jobs', { redrive: { after: '31d', times: 1 } }, 400, 'invalid_request');
  const set = await suite.api.ok('PATCH', '/v1/queues/jobs', { redrive: rule });
  assert.deepEqual(set.redrive, { ...rule, on_breaker_close: true });

  for (const workflow of ['work', 'fault']) {
    const run = await suite.startRun(workflow, {});
    const again = workflow === 'work' ? 'task.resumed' : 'run.retried';
    await failUntil(suite, 'it is tried again', async () => (await eventsOf(suite, run.id, again)).length === 1);
    await suite.killScheduler();
    await failUntil(suite, 'once more, and not again', async () =>
      (await letters(suite)).items.some((letter) => letter.run === run.id && letter.redrives === 2));
    await suite.killScheduler();
    assert.deepEqual(await poll(suite), []);
    const events = await eventsOf(suite, run.id, again);
    assert.equal(events.length, 2);
    const [letter] = (await letters(suite)).items.filter((one) => one.run === run.id);
    assert.deepEqual([letter.redrives, letter.unknown_outcome], [2, false]);
  }
  assert.deepEqual((await suite.api.ok('GET', '/v1/queues/jobs')).redrive, { ...rule, on_breaker_close: true });
  await suite.api.ok('PATCH', '/v1/queues/jobs', { redrive: null });
  assert.equal((await suite.api.ok('GET', '/v1/queues/jobs')).redrive, undefined);
});

scenario('a rule is for the errors it names', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(WORK);
  const run = await suite.startRun('work', {});
  await failJobs(suite, 1);
  await suite.api.ok('PATCH', '/v1/queues/jobs', { redrive: { errors: ['timeout'], after: '0s', times: 5 } });
  await suite.killScheduler();
  assert.deepEqual(await poll(suite), []);
  assert.equal((await letters(suite)).items.length, 1);
  await suite.api.ok('PATCH', '/v1/queues/jobs', { redrive: { errors: ['timeout', 'communication'], after: '0s', times: 5 } });
  await suite.until('it is tried again', async () => (await suite.api.ok('GET', '/v1/queues/jobs')).depth === 1);
  const [job] = await poll(suite);
  await suite.api.ok('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output: { ok: true } });
  await suite.runEnds(run.id, 'completed');
});

scenario('all of them at a rate, whatever restarts', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(WORK);
  const runs = [];
  for (let i = 0; i < 6; i++) runs.push(await suite.startRun('work', {}));
  await failJobs(suite, 6);
  const { items, analysis } = await letters(suite, '?page_size=4');
  assert.equal(items.length, 4);
  assert.deepEqual([analysis.length, analysis[0].count, analysis[0].error_type, analysis[0].function], [1, 6, BUSY.type, 'worker.do']);
  const begun = await suite.api.ok('POST', '/v1/queues/jobs/dead-letters/redrive-all', { filter: { error_type: BUSY.type }, rate: { count: 2, per: '1h' } });
  assert.deepEqual(begun, { redriven: 0, refused: 0, under_way: true });
  await suite.until('two of them are tried again', async () => (await suite.api.ok('GET', '/v1/queues/jobs')).depth === 2);
  await suite.killScheduler();
  const after = await suite.api.ok('GET', '/v1/queues/jobs');
  assert.deepEqual([after.depth, after.dead_letters, after.redriving], [2, 4, true]);

  await suite.api.ok('POST', '/v1/queues/jobs/dead-letters/redrive-all', { rate: { count: 100, per: '1s' } });
  await suite.until('so are the others', async () => (await suite.api.ok('GET', '/v1/queues/jobs')).depth === 6);
  await suite.until('it is over', async () => !(await suite.api.ok('GET', '/v1/queues/jobs')).redriving);
  for (const job of await poll(suite)) await suite.api.ok('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output: {} });
  for (const run of runs) await suite.runEnds(run.id, 'completed');

  const rule = { errors: ['communication'], after: '1h', times: 1, on_breaker_close: true };
  await suite.api.ok('PATCH', '/v1/queues/jobs', { redrive: rule });
  const empty = await suite.api.ok('POST', '/v1/queues/jobs/dead-letters/redrive-all', { rate: { count: 1, per: '1s' } }); // over before it is answered
  assert.deepEqual(empty, { redriven: 0, refused: 0, under_way: true });
  assert.deepEqual((await suite.api.ok('GET', '/v1/queues/jobs')).redrive, rule);
});

const CALL = `
document: { dsl: '1.0.3', namespace: default, name: caller, version: '1.0.0' }
do:
  - ask: { call: http, with: { method: get, endpoint: '\${ "\\(.url)/ask" }' }, metadata: { tutti: { onExhausted: pause, deadLetter: { queue: asked } } } }
`;

scenario('letters go again when the circuit breaker closes', { needs: [...NEEDS, 'tool-adapter'], checkNeeds: false }, async (suite) => {
  let isDown = true;
  const upstream = await Upstream.start(() => (isDown ? { status: 503, body: {} } : { body: { ok: true } }));
  const breaker = `/v1/circuit-breakers/${encodeURIComponent(`tool:${new URL(upstream.url).host}`)}`;
  try {
    await suite.apply(CALL);
    await suite.api.ok('PATCH', '/v1/queues/asked', { redrive: { after: '30d', times: 1 } });
    const run = await suite.startRun('caller', { url: upstream.url });
    await suite.until('it waits', async () => (await suite.api.ok('GET', `/v1/runs/${run.id}`)).status === 'suspended');
    const [letter] = (await suite.api.ok('GET', '/v1/queues/asked/dead-letters')).items;
    assert.equal(letter.target, `tool:${new URL(upstream.url).host}`);
    await suite.api.ok('POST', `${breaker}/open`);
    await suite.killScheduler();
    isDown = false;
    await suite.api.ok('POST', `${breaker}/reset`);
    await suite.runEnds(run.id, 'completed');
    assert.equal((await suite.api.ok('GET', '/v1/queues/asked')).dead_letters, 0);
  } finally {
    await upstream.stop();
  }
});
