// The services start in any order, and stop when they are asked to.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ALL, scenario, withSuite } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';
import { FETCH } from './support/workflows.mjs';

const upstream = await Upstream.start(() => ({ body: { here: true } }));
after(() => upstream.stop());

async function works(suite) {
  await suite.ready();
  await suite.apply(FETCH);
  const run = await suite.startRun('fetch', { url: upstream.url });
  assert.deepEqual((await suite.runEnds(run.id)).output, { here: true });
  const answer = await suite.api.patient('POST', '/v1/chat/completions', { model: 'simulated', messages: [{ role: 'user', content: 'Hello' }] });
  assert.match(answer.choices[0].message.content, /^\[simulated\] /);
}

const orders = [
  ['scheduler', 'llm-proxy', 'tool-adapter', 'gateway'],
  ['gateway', 'tool-adapter', 'llm-proxy', 'scheduler'],
  ['llm-proxy', 'gateway', 'scheduler', 'tool-adapter'],
  ['tool-adapter', 'scheduler', 'gateway', 'llm-proxy'],
];
for (const order of orders) {
  test(`started as ${order.join(', ')}`, { timeout: 120_000 }, () =>
    withSuite({}, undefined, async (suite) => {
      for (const name of order) await suite[name].start();
      await works(suite);
    }));
}

test('the whole suite goes on after a restart of all of it', { timeout: 120_000 }, () =>
  withSuite({}, undefined, async (suite) => {
    await suite.start();
    await works(suite);
    for (const name of ALL) await suite[name].stop(); // checks the exit code
    await suite.start();
    await works(suite);
  }));

scenario('SIGTERM: a request that waits gets an answer, and the run goes on without the gateway', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false }, async (suite) => {
  let release;
  const slow = await Upstream.start(() => new Promise((resolve) => (release = () => resolve({ body: { late: true } }))));
  try {
    await suite.apply(FETCH);
    const answer = suite.api.ok('POST', '/v1/runs?wait=30s', { workflow: 'fetch', input: { url: slow.url } });
    await suite.until('the call is under way', () => slow.requests.length === 1);
    const [run] = await Promise.all([answer, suite.gateway.stop()]);
    assert.ok(['running', 'waiting'].includes(run.status), run.status);
    release();
    await suite.gateway.start();
    assert.deepEqual((await suite.runEnds(run.id)).output, { late: true });
  } finally {
    await slow.stop();
  }
});

scenario('SIGTERM lets a job under way end', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false }, async (suite) => {
  let release;
  const slow = await Upstream.start(() => new Promise((resolve) => (release = () => resolve({ body: { late: true } }))));
  try {
    await suite.apply(FETCH);
    const run = await suite.startRun('fetch', { url: slow.url });
    await suite.until('the call is under way', () => slow.requests.length === 1);
    const stopped = suite['tool-adapter'].stop();
    await suite.until('the tool-adapter drains', async () => !(await suite['tool-adapter'].health('ready')));
    release();
    await stopped;
    assert.deepEqual((await suite.runEnds(run.id)).output, { late: true });
    assert.equal(slow.requests.length, 1);
  } finally {
    await slow.stop();
  }
});
