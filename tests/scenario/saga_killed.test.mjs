// Sagas that undo while the scheduler is killed again and again. The upstream counts: everything
// that was booked is cancelled, in the reverse order, all attempts of an undo carry one key, and
// nothing is undone again once its undoing was acknowledged.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';
import { randomOf } from './support/wait.mjs';

const RUNS = process.env.TUTTI_LONG ? 200 : 40;
const KILLS = process.env.TUTTI_LONG ? 60 : 12;
const STEPS = 4;
const SEED = Number(process.env.TUTTI_SEED ?? Date.now() % 1_000_000);

const url = (verb, step) => `'\${ "\\($workflow.input.url)/\\($workflow.input.key)/${verb}/${step}" }'`;
const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: trip, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
${Array.from({ length: STEPS }, (_, step) => `  - book${step}:
      call: http
      with: { method: post, endpoint: ${url('book', step)}, body: {} }
      metadata: { tutti: { compensate: [ { cancel: { call: http, with: { method: post, endpoint: ${url('cancel', step)}, body: {} } } } ] } }`).join('\n')}
  - broke: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
`;

// What the outside world has seen of each run: the undos in their order, and the keys they came with.
class Witness {
  constructor() {
    this.runs = new Map();
    this.wrong = [];
  }

  see(path, key) {
    const [, run, verb, text] = path.split('/');
    const step = Number(text);
    const seen = this.runs.get(run) ?? { booked: new Set(), cancelled: [], keys: [] };
    this.runs.set(run, seen);
    if (verb === 'book') {
      if (seen.cancelled.length > 0) this.wrong.push(`${path} after the undoing began`);
      seen.booked.add(step);
      return;
    }
    seen.keys[step] ??= key;
    if (!key || !key.endsWith('/undo/1') || seen.keys[step] !== key) this.wrong.push(`${path} with the key ${key}`);
    const last = seen.cancelled.at(-1);
    if (last === step) return; // an attempt whose answer was lost
    if (step !== (last === undefined ? STEPS - 1 : last - 1)) this.wrong.push(`${path} after ${last}`);
    seen.cancelled.push(step);
  }
}

scenario('sagas are undone over the deaths of the scheduler', { needs: ['scheduler', 'gateway', 'tool-adapter'], config: { tools: { lease: '3s' } }, timeout: 600_000 }, async (suite) => {
  console.log(`# seed ${SEED} (TUTTI_SEED), ${RUNS} runs, ${KILLS} kills`);
  const random = randomOf(SEED);
  const witness = new Witness();
  const upstream = await Upstream.start(({ path, headers }) => {
    witness.see(path, headers['idempotency-key']);
    return sleep(random() * 40, {});
  });
  try {
    await suite.apply(WORKFLOW);
    const runs = [];
    for (let i = 0; i < RUNS; i++) {
      const body = { workflow: 'trip', client_id: `trip-${i}`, on_conflict: 'return', input: { url: upstream.url, key: `trip-${i}` } };
      runs.push(await suite.api.patient('POST', '/v1/runs', body));
    }
    for (let i = 0; i < KILLS; i++) {
      await sleep(random() * 400);
      await suite.scheduler.kill();
      await suite.scheduler.start();
    }
    for (const run of runs) {
      const ended = await suite.runEnds(run.id, 'faulted');
      assert.equal(ended.error.status, 402, 'the error of the workflow stays');
      assert.deepEqual(ended.compensation, { state: 'completed', done: STEPS, failed: 0, total: STEPS });
      const events = await suite.history(run.id);
      assert.equal(events.filter((event) => event.type === 'compensation.completed').length, STEPS);
      const seen = witness.runs.get(ended.client_id);
      assert.equal(seen.booked.size, STEPS);
      assert.deepEqual(seen.cancelled, [3, 2, 1, 0], 'in the reverse order');
    }
    assert.deepEqual(witness.wrong, []);
  } finally {
    await upstream.stop();
  }
});

scenario('a cancelled run is undone by a scheduler that died meanwhile', { needs: ['scheduler', 'gateway', 'tool-adapter'], config: { tools: { lease: '1s' } } }, async (suite) => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const upstream = await Upstream.start(async ({ path }, count) => {
    if (path.endsWith('/cancel/1') && count === 1) await held;
    return {};
  });
  try {
    await suite.apply(WORKFLOW.replace("broke: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }", 'rest: { wait: { hours: 1 } }'));
    const run = await suite.startRun('trip', { url: upstream.url, key: 'x' });
    await suite.until('the run waits', async () => (await suite.api.ok('GET', `/v1/runs/${run.id}`)).status === 'waiting');
    await suite.api.ok('POST', `/v1/runs/${run.id}/cancel`, { reason: 'rain' });
    await suite.until('it is half undone', () => upstream.count('/x/cancel/1') === 1);
    const half = await suite.api.ok('GET', `/v1/runs/${run.id}`);
    assert.equal(half.status, 'running');
    assert.deepEqual(half.compensation, { state: 'running', done: 2, failed: 0, total: 4 });
    await suite.scheduler.kill();
    release();
    await suite.scheduler.start();
    const ended = await suite.runEnds(run.id, 'cancelled');
    assert.equal(ended.error.reason, 'rain');
    assert.deepEqual(ended.compensation, { state: 'completed', done: 4, failed: 0, total: 4 });
    assert.equal(upstream.count('/x/cancel/3'), 1, 'what was undone is not undone again');
    assert.equal(upstream.count('/x/cancel/2'), 1);
  } finally {
    await upstream.stop();
  }
});
