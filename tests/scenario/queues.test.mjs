// Queues under the hand of an operator: paused, limited and purged, over the death of the scheduler; jobs that are cancelled.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const ENV = { PATH: process.env.PATH, LSAN_OPTIONS: `suppressions=${new URL('../support/lsan.supp', import.meta.url).pathname}:print_suppressions=0` };
const WAITING = 600; // more than one piece of a purge

const WORK = `
document: { dsl: '1.0.3', namespace: default, name: work, version: '1.0.0' }
do:
  - job:
      try:
        - do: { call: worker.do, with: {}, metadata: { tutti: { queue: jobs } } }
      catch:
        as: error
        do: [ { caught: { set: { type: '\${ $error.type }', detail: '\${ $error.detail }' } } } ]
`;

const poll = async (suite, max = 10) => {
  const answer = await suite.api.call('POST', '/v1/queues/jobs/poll', { worker: 'test', wait: '0s', max });
  assert.ok([200, 204].includes(answer.status), answer.text);
  return answer.status === 200 ? answer.body.jobs : [];
};
const queue = (suite) => suite.api.ok('GET', '/v1/queues/jobs');
const complete = (suite, job) => suite.api.ok('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output: {} });

scenario('a queue is paused, limited and purged, whatever dies meanwhile', { needs: NEEDS }, async (suite) => {
  await suite.apply(WORK);
  const { api } = suite;

  assert.deepEqual(await api.ok('POST', '/v1/queues/jobs/pause'), { name: 'jobs', paused: true, purging: false, redriving: false });
  const runs = [];
  for (let i = 0; i < 5; i++) runs.push(await suite.startRun('work'));
  assert.equal((await poll(suite)).length, 0);
  await suite.killScheduler();
  assert.equal((await poll(suite)).length, 0);
  assert.equal((await queue(suite)).paused, true);
  assert.equal((await queue(suite)).depth, 5);
  assert.equal((await api.ok('POST', '/v1/queues/jobs/resume')).paused, false);

  const limits = await api.ok('PATCH', '/v1/queues/jobs', { concurrency: 2 });
  assert.deepEqual(limits, { name: 'jobs', paused: false, purging: false, redriving: false, concurrency: 2 });
  const two = await poll(suite);
  assert.equal(two.length, 2);
  await suite.killScheduler();
  assert.equal((await poll(suite)).length, 0, 'both are still leased');
  await complete(suite, two[0]);
  const third = await poll(suite);
  assert.equal(third.length, 1);

  // The rate outlives the scheduler as well: three in an hour, however often it dies.
  const rate = { count: 3, per: '1h' };
  assert.deepEqual((await api.ok('PATCH', '/v1/queues/jobs', { concurrency: null, rate })).rate, rate);
  assert.equal((await poll(suite)).length, 2);
  for (let i = 0; i < 3; i++) runs.push(await suite.startRun('work'));
  assert.equal((await poll(suite)).length, 1);
  await suite.killScheduler();
  assert.equal((await poll(suite)).length, 0);
  const seen = await queue(suite);
  assert.deepEqual(seen.rate, rate);
  assert.equal(seen.concurrency, undefined);
  assert.equal((await api.ok('PATCH', '/v1/queues/jobs', { rate: null })).rate, undefined);

  for (let i = 0; i < WAITING; i++) runs.push(await suite.startRun('work'));
  const before = await poll(suite, 1);
  assert.equal((await api.call('POST', '/v1/queues/jobs/purge')).status, 202);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  const after = await suite.until('nothing waits', async () => {
    const there = await suite.api.call('GET', '/v1/queues/jobs');
    return there.status === 200 && !there.body.purging && there.body.depth === 0 && there.body;
  });
  assert.equal(after.in_flight, 6, 'those of workers stay');
  await complete(suite, before[0]);
  const last = await suite.runEnds(runs.at(-1).id);
  assert.deepEqual(last.output, { type: 'https://tutti.dev/errors/cancelled', detail: 'its queue was purged' });
  // Rates begin anew with the process, and the purge may have ended before it was killed.
  await suite.startRun('work');
  assert.equal((await suite.api.call('POST', '/v1/queues/jobs/purge')).status, 202);
  assert.ok((await suite.until('the rate is seen', async () => (await queue(suite)).failed_per_second)) > 0);
  const later = await suite.startRun('work');
  await complete(suite, (await poll(suite))[0]);
  await suite.runEnds(later.id);
});

scenario('a job is cancelled, and its worker hears of it', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(WORK);
  const run = await suite.startRun('work');
  const [job] = await poll(suite);
  const mine = { lease_token: job.lease_token };
  assert.equal((await suite.api.ok('POST', `/v1/jobs/${job.id}/heartbeat`, mine)).cancel_requested, false);
  assert.deepEqual(await suite.api.ok('POST', `/v1/jobs/${job.id}/cancel`, { reason: 'too dear' }), { run: run.id });
  assert.deepEqual((await suite.runEnds(run.id)).output, { type: 'https://tutti.dev/errors/cancelled', detail: 'too dear' });
  assert.equal((await suite.api.ok('POST', `/v1/jobs/${job.id}/heartbeat`, mine)).cancel_requested, true);
  const over = await suite.api.ok('GET', `/v1/jobs/${job.id}`);
  assert.deepEqual([over.state, over.error.detail], ['cancelled', 'too dear']);
  await suite.api.refused('POST', `/v1/jobs/${job.id}/complete`, mine, 409, 'lease_lost');
  await suite.api.refused('POST', `/v1/jobs/${job.id}/cancel`, {}, 404, 'not_found');

  const next = await suite.startRun('work');
  const waiting = (await suite.history(next.id)).find((event) => event.type === 'job.scheduled').job;
  const tuttiJob = (...words) => execFileSync(join(BIN, 'tutti'), ['--url', suite.url, '--key', suite.key, 'job', ...words], { encoding: 'utf8', env: ENV });
  assert.match(tuttiJob('show', waiting), new RegExp(`^JOB .*PROGRESS.*\\n${waiting} +queued .*${next.id}`));
  assert.match(tuttiJob('cancel', waiting), /cancelled/);
  assert.equal((await suite.api.ok('GET', `/v1/jobs/${waiting}`)).state, 'cancelled');
  assert.equal((await suite.runEnds(next.id)).output.detail, 'somebody cancelled it');
  const metrics = await (await fetch(`http://${suite.scheduler.host}:${suite.scheduler.adminPort}/metrics`)).text();
  const counts = [...metrics.matchAll(/^tutti_job_finished_total\{queue="jobs",.*status="(\w+)".*\} (\d+)$/gm)];
  assert.deepEqual(counts.map(([, status, count]) => [status, count]), [['cancelled', '2']]);
  assert.equal((await poll(suite)).length, 0);
});

scenario('what cannot be set is refused', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const { api } = suite;
  for (const body of [{}, { concurrency: 0 }, { concurrency: 1.5 }, { concurrency: 1e9 }, { other: 1 }, { rate: { count: 1 } }, { rate: { count: 0, per: '1m' } }, { rate: 5 }]) {
    await api.refused('PATCH', '/v1/queues/jobs', body, 400, 'invalid_request').catch((error) => assert.fail(`${JSON.stringify(body)}: ${error.message}`));
  }
  for (const per of ['', 'soon', '1ms', '25h', '-1m']) {
    assert.equal((await api.call('PATCH', '/v1/queues/jobs', { rate: { count: 1, per } })).status, 400, per);
  }
  assert.equal((await api.call('POST', '/v1/queues/tools.webhooks/purge')).status, 409);
  await api.refused('POST', '/v1/jobs/nothing/cancel', {}, 404, 'not_found');
});
