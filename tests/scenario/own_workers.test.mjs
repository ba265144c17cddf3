// Workers of a user's own: three languages without an SDK, leases that are lost, results in a poll.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const FOLDER = new URL('../../compose/examples/workers/', import.meta.url).pathname;

const work = (name, more = '') => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - job:
      call: worker.do
      with: { n: '\${ .n }' }
      metadata: { tutti: { queue: ${name}${more} } }
`;

const poll = (suite, queue, body = {}) => suite.api.call('POST', `/v1/queues/${queue}/poll`, { worker: 'test', wait: '10s', ...body });

async function lease(suite, queue) {
  const answer = await poll(suite, queue);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.jobs.length, 1);
  return answer.body.jobs[0];
}

scenario('the example workers do the example workflow', { needs: NEEDS }, async (suite) => {
  await suite.apply(readFileSync(join(FOLDER, 'words.yaml'), 'utf8'));
  const folder = mkdtempSync(join(tmpdir(), 'tutti-worker-'));
  execFileSync('cc', [join(FOLDER, 'worker.c'), '-lcurl', '-o', join(folder, 'worker')]);
  const programs = [['python3', [join(FOLDER, 'worker.py')]], ['node', [join(FOLDER, 'worker.mjs')]], [join(folder, 'worker'), []]];
  for (const [program, args] of programs) {
    const worker = spawn(program, args, { env: { ...process.env, TUTTI_URL: suite.url, TUTTI_API_KEY: suite.key }, stdio: 'inherit' });
    const gone = once(worker, 'exit');
    try {
      const run = await suite.startRun('words', { text: 'one two three' });
      const ended = await suite.runEnds(run.id);
      assert.deepEqual(ended.output, { count: 3, text: 'ONE TWO THREE' }, program);
    } finally {
      worker.kill('SIGKILL');
      await gone; // or the next job may be leased to it
    }
  }
});

scenario('a job, its lease and its end', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(work('lease'));
  assert.equal((await poll(suite, 'lease', { wait: '0s' })).status, 204);
  const run = await suite.startRun('lease', { n: 1 });
  const job = await lease(suite, 'lease');
  assert.equal(job.function, 'worker.do');
  assert.deepEqual(job.input, { n: 1 });
  assert.equal(job.attempt, 1);
  assert.equal(job.run, run.id);
  assert.equal((await suite.api.ok('GET', `/v1/jobs/${job.id}`)).state, 'leased');
  await suite.until('the worker is seen', async () => {
    const { items } = await suite.api.ok('GET', '/v1/workers');
    return items.some((worker) => worker.name === 'default:test' && worker.kind === 'external' && worker.busy === 1);
  });
  assert.deepEqual((await suite.api.ok('GET', '/v1/workers/default:test')).queues, ['lease']);

  const mine = { lease_token: job.lease_token };
  assert.equal((await suite.api.ok('POST', `/v1/jobs/${job.id}/heartbeat`, { ...mine, checkpoint: { at: 3 } })).cancel_requested, false);
  const { progress } = await suite.api.ok('GET', `/v1/jobs/${job.id}`);
  assert.equal(progress, undefined);
  await suite.api.ok('POST', `/v1/jobs/${job.id}/heartbeat`, { ...mine, progress: { progress: 1, total: 4 } });
  assert.deepEqual((await suite.api.ok('GET', `/v1/jobs/${job.id}`)).progress, { progress: 1, total: 4 });
  await suite.api.ok('POST', `/v1/jobs/${job.id}/release`, mine);
  assert.equal((await suite.api.ok('GET', `/v1/jobs/${job.id}`)).progress, undefined, 'nobody has it any more');
  await suite.api.refused('POST', `/v1/jobs/${job.id}/heartbeat`, mine, 409, 'lease_lost');

  // The next lease gets the checkpoint; no attempt was burnt; the old token is worth nothing.
  const again = await lease(suite, 'lease');
  assert.equal(again.id, job.id);
  assert.equal(again.attempt, 1);
  assert.deepEqual(again.checkpoint, { at: 3 });
  await suite.api.refused('POST', `/v1/jobs/${job.id}/complete`, { ...mine, output: 'stale' }, 409, 'lease_lost');

  // A worker may answer a scheduler that was away in between.
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.until('the gateway reaches it again', async () => (await suite.api.call('GET', `/v1/jobs/${job.id}`)).status === 200);
  await suite.api.ok('POST', `/v1/jobs/${again.id}/complete`, { lease_token: again.lease_token, output: { done: true } });
  assert.deepEqual((await suite.runEnds(run.id)).output, { done: true });
  await suite.api.refused('POST', `/v1/jobs/${again.id}/complete`, { lease_token: again.lease_token }, 409, 'lease_lost');
  const over = await suite.api.ok('GET', `/v1/jobs/${again.id}`);
  assert.equal(over.state, 'completed');
  assert.equal(over.run, run.id);
});

// Its connection is closed before the job is there: whoever polls next has the job, not the lease's end.
scenario('a poll whose worker has gone takes no job', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(work('gone'));
  const body = JSON.stringify({ worker: 'gone', wait: '60s' });
  const { hostname, port } = new URL(suite.url);
  const socket = connect(port, hostname);
  socket.write(`POST /v1/queues/gone/poll HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${suite.key}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await suite.until('it waits', async () => {
    const { items } = await suite.api.ok('GET', '/v1/workers');
    return items.some((worker) => worker.name === 'default:gone');
  });
  socket.destroy();
  await once(socket, 'close');
  const run = await suite.startRun('gone', { n: 1 });
  const job = await lease(suite, 'gone');
  assert.equal(job.run, run.id);
  assert.equal(job.attempt, 1);
  await suite.api.ok('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output: 1 });
  await suite.runEnds(run.id);
});

// A worker that can do one thing only is not held up by what waits for others, nor wakes for it.
scenario('a poll for some functions', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const one = (name) => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - job: { call: worker.${name}, with: {}, metadata: { tutti: { queue: mixed } } }
`;
  await suite.apply(one('cut'));
  await suite.apply(one('paint'));
  for (let i = 0; i < 20; i++) await suite.startRun('cut', {});
  const painter = (wait, more = {}) => poll(suite, 'mixed', { worker: 'painter', functions: ['worker.paint', 'worker.draw'], wait, slots: 3, max: 5, ...more });
  assert.equal((await painter('0s')).status, 204);
  const waiting = painter('30s'); // is parked while jobs of others wait and come
  await suite.until('it waits', async () => (await suite.api.ok('GET', '/v1/workers')).items.some((worker) => worker.name === 'default:painter'));
  await suite.startRun('cut', {});
  const paint = await suite.startRun('paint', {});
  const [job, ...others] = (await waiting).body.jobs;
  assert.equal(job.run, paint.id);
  assert.equal(job.function, 'worker.paint');
  assert.deepEqual(others, []);
  await suite.until('its slots are the queue’s', async () => (await suite.api.ok('GET', '/v1/queues/mixed')).slots >= 3);

  // What waits is found again after a restart; who takes all gets all.
  const second = await suite.startRun('paint', {});
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.until('the gateway reaches it again', async () => (await suite.api.call('GET', `/v1/jobs/${job.id}`)).status === 200);
  const again = await painter('10s');
  assert.deepEqual(again.body.jobs.map((leased) => leased.run), [second.id]);
  const all = (await poll(suite, 'mixed', { max: 100 })).body.jobs;
  assert.deepEqual(new Set(all.map((leased) => leased.function)), new Set(['worker.cut']));
  assert.equal(all.length, 21);
  await suite.api.refused('POST', '/v1/queues/mixed/poll', { worker: 'painter', functions: [] }, 400, 'invalid_request');
  const tooMany = Array.from({ length: 33 }, (_, i) => `worker.${i}`);
  await suite.api.refused('POST', '/v1/queues/mixed/poll', { worker: 'painter', functions: tooMany }, 400, 'invalid_request');
});

scenario('a heartbeat asks for a longer lease', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(work('extend'));
  await suite.startRun('extend', { n: 1 });
  const job = await lease(suite, 'extend');
  const left = async (body) => Date.parse((await suite.api.ok('POST', `/v1/jobs/${job.id}/heartbeat`, { lease_token: job.lease_token, ...body })).lease_expires_at) - Date.now();
  assert.ok(await left({}) <= 180_000);
  assert.ok(await left({ extend: '50m' }) > 40 * 60_000);
  assert.ok(await left({}) > 40 * 60_000, 'it stays so long');
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.until('the gateway reaches it again', async () => (await suite.api.call('GET', `/v1/jobs/${job.id}`)).status === 200);
  assert.ok(await left({}) > 40 * 60_000, 'after a restart, too');
  for (const extend of ['61m', '10ms', 'long', 5]) {
    await suite.api.refused('POST', `/v1/jobs/${job.id}/heartbeat`, { lease_token: job.lease_token, extend }, 400, 'invalid_request');
  }
});

scenario('failures are tried again if the worker says so', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(work('fail', ', retry: { limit: { attempt: { count: 5 } } }'));
  await suite.apply(work('fail-once'));
  const run = await suite.startRun('fail', { n: 1 });
  const first = await lease(suite, 'fail');
  await suite.api.ok('POST', `/v1/jobs/${first.id}/fail`, { lease_token: first.lease_token, error: { status: 503, detail: 'busy' }, retryable: true });
  const second = await lease(suite, 'fail');
  assert.equal(second.attempt, 2);
  assert.equal(second.idempotency_key, first.idempotency_key);

  // Results and the next poll in one round trip; each is answered for itself.
  const next = await suite.startRun('fail', { n: 2 });
  const both = await poll(suite, 'fail', { results: [
    { job: second.id, lease_token: second.lease_token, output: 2 },
    { job: first.id, lease_token: 'bm8=~default:test', output: 3 },
  ] });
  assert.deepEqual(both.body.results.map((result) => result.accepted), [true, false]);
  assert.equal((await suite.runEnds(run.id)).output, 2);
  const third = both.body.jobs[0];
  assert.equal(third.run, next.id);
  await suite.api.ok('POST', `/v1/jobs/${third.id}/complete`, { lease_token: third.lease_token, output: null });
  assert.equal((await suite.runEnds(next.id)).output, null);

  const final = await suite.startRun('fail-once', { n: 3 });
  const job = await lease(suite, 'fail-once');
  await suite.api.ok('POST', `/v1/jobs/${job.id}/fail`, { lease_token: job.lease_token, error: { type: 'https://x.test/e', status: 422, title: 'No' } });
  const faulted = await suite.runEnds(final.id, 'faulted');
  assert.equal(faulted.error.type, 'https://x.test/e');
  assert.equal(faulted.error.instance, '/do/0/job');
});

// Over two processes of the scheduler, one of them killed meanwhile.
scenario('a drained worker keeps its jobs and gets no others', { needs: ['scheduler-0', 'scheduler-1', 'gateway'], schedulers: 2, checkNeeds: false }, async (suite) => {
  await suite.apply(work('drained'));
  await suite.api.refused('POST', '/v1/workers/default:test/drain', undefined, 404, 'not_found');
  const first = await suite.startRun('drained', { n: 1 });
  const job = await lease(suite, 'drained');
  await suite.until('the worker is seen', async () => (await suite.api.call('GET', '/v1/workers/default:test')).status === 200);
  const { draining, drained, busy } = await suite.api.ok('POST', '/v1/workers/default:test/drain');
  assert.deepEqual({ draining, drained, busy }, { draining: true, drained: false, busy: 1 });

  const runs = [];
  for (let n = 2; n < 8; n++) runs.push(await suite.startRun('drained', { n })); // in both processes
  await suite.until('why says that they are drained', async () => {
    const waits = await Promise.all(runs.map((run) => suite.api.ok('GET', `/v1/runs/${run.id}?explain=true`)));
    return waits.some((one) => /1 worker\(s\) of queue drained are drained and take no jobs.*tutti workers resume/.test(JSON.stringify(one)));
  });
  const answer = await poll(suite, 'drained', { wait: '1s' });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.body, { jobs: [], results: [], draining: true });
  for (const name of ['scheduler-0', 'scheduler-1']) {
    await suite[name].kill();
    await suite[name].start();
  }
  const again = await suite.until('its job is known again', async () => {
    const { body } = await suite.api.call('GET', '/v1/workers/default:test');
    return body?.busy === 1 && body;
  });
  assert.equal(again.kind, 'external', 'so that other namespaces are not shown it');
  const none = await suite.until('both processes are asked', async () => {
    const polled = await poll(suite, 'drained', { wait: '1s' });
    return polled.status === 200 && polled.body;
  });
  assert.deepEqual(none, { jobs: [], results: [], draining: true });
  await suite.api.patient('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output: 1 });
  await suite.runEnds(first.id);
  await suite.until('it is drained', async () => (await suite.api.call('GET', '/v1/workers/default:test')).body?.drained);
  assert.deepEqual((await suite.api.ok('GET', '/v1/workers')).items.map((one) => one.drained), [true]);
  const other = await poll(suite, 'drained', { worker: 'other', max: 100 });
  assert.equal(other.status, 200, other.text);
  assert.ok(other.body.jobs.length > 0);

  assert.equal((await suite.api.call('DELETE', '/v1/workers/default:test/drain')).status, 204);
  await suite.api.refused('DELETE', '/v1/workers/default:test/drain', undefined, 404, 'not_found');
  const more = await suite.startRun('drained', { n: 8 });
  assert.equal((await suite.until('it has a job again', async () => {
    const polled = await poll(suite, 'drained', { max: 100 });
    return polled.status === 200 && polled.body.jobs.find((one) => one.run === more.id);
  })).run, more.id);
});

scenario('what a worker may not do', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.api.refused('POST', '/v1/queues/tools/poll', { worker: 'test' }, 403, 'forbidden');
  await suite.api.refused('POST', '/v1/queues/tools.memory/poll', { worker: 'test' }, 403, 'forbidden');
  await suite.api.refused('POST', '/v1/queues/mine/poll', {}, 400, 'invalid_request');
  const { items } = await suite.api.ok('GET', '/v1/tools');
  assert.ok(items.some((tool) => tool.name === 'llm.chat'));
  assert.equal((await suite.api.ok('GET', '/v1/tools/llm.chat:1')).version, '1.0.0');
  await suite.api.refused('GET', '/v1/tools/llm.chit', undefined, 404, 'not_found');
});
