// An upstream that fails: jobs are held and burn nothing, over two tool-adapters and the death of the
// scheduler; one probe goes first; what has another way takes it; `Retry-After` holds for everyone.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Service } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const HELD = 20;
const NEEDS = ['scheduler', 'gateway', 'tool-adapter'];

const CALL = `
document: { dsl: '1.0.3', namespace: default, name: caller, version: '1.0.0' }
do:
  - ask:
      call: http
      with: { method: get, endpoint: '\${ "\\(.url)/\\(.path)" }' }
      metadata: { tutti: { retry: none } }
`;
const OTHER_WAY = `
document: { dsl: '1.0.3', namespace: default, name: other-way, version: '1.0.0' }
do:
  - first:
      try:
        - ask: { call: http, with: { method: get, endpoint: '\${ "\\(.url)/ask" }' }, metadata: { tutti: { onOpen: fail } } }
      catch:
        errors: { with: { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/communication', status: 503 } }
        do: [ { other: { set: { way: other } } } ]
`;

const targetOf = (upstream) => `tool:${new URL(upstream.url).host}`;
const breakerOf = (suite, upstream) => suite.api.ok('GET', `/v1/circuit-breakers/${encodeURIComponent(targetOf(upstream))}`);

async function secondAdapter(suite) {
  const config = JSON.parse(await readFile(join(suite.folder, 'tutti.yaml'), 'utf8'));
  config.tools.name = 'tools-2';
  config.tools.memory.path += '-2'; // a folder belongs to one process
  if (config.tools.listen) config.tools.listen += '-2';
  await writeFile(join(suite.folder, 'second.yaml'), JSON.stringify(config));
  const adapter = new Service('tutti-tool-adapter', suite.folder, join(suite.folder, 'second.yaml'));
  await adapter.start();
  return adapter;
}

scenario('jobs of a failing target are held, probed and released', { needs: NEEDS, checkNeeds: false, config: { limits: { breaker: { open: '8s' } } } }, async (suite) => {
  let isDown = true;
  let underWay = 0;
  let mostAtOnce = 0;
  const upstream = await Upstream.start(async () => {
    mostAtOnce = Math.max(mostAtOnce, ++underWay);
    if (!isDown) await sleep(100);
    underWay--;
    return isDown ? { status: 500, body: {} } : { body: { ok: true } };
  });
  const second = await secondAdapter(suite);
  try {
    await suite.apply(CALL);
    for (let i = 0; i < 5; i++) {
      const run = await suite.startRun('caller', { url: upstream.url, path: `down${i}` });
      await suite.runEnds(run.id, 'faulted');
    }
    assert.equal((await breakerOf(suite, upstream)).state, 'open');
    assert.equal(upstream.requests.length, 5);

    const runs = [];
    for (let i = 0; i < HELD; i++) runs.push(await suite.startRun('caller', { url: upstream.url, path: `held${i}` }));
    assert.equal((await suite.api.ok('GET', '/v1/queues/tools')).held, HELD);
    assert.equal((await breakerOf(suite, upstream)).held, HELD);
    const [wait] = (await suite.api.ok('GET', `/v1/runs/${runs[0].id}?explain=true`)).waiting_for;
    assert.equal(wait.kind, 'breaker');
    assert.match(wait.reason, /held by the circuit breaker of .* since 20.*: open since 20.*tried again at 20/);
    assert.ok(wait.detail.startsWith(targetOf(upstream)), wait.detail);
    const job = wait.detail.split(' ').at(-1);
    assert.equal((await suite.api.ok('GET', `/v1/jobs/${job}`)).state, 'held');

    await suite.scheduler.kill();
    await suite.scheduler.start();
    await suite.ready(NEEDS);
    const there = await suite.until('it is open after the kill', () => breakerOf(suite, upstream).catch(() => null));
    assert.equal(there.state, 'open');
    assert.equal(upstream.requests.length, 5, 'nobody called meanwhile');
    assert.ok((await suite.scheduler.metric('tutti_queue_held', 'queue="tools"')) >= HELD);

    isDown = false;
    mostAtOnce = 0;
    await suite.until('the first probe', () => upstream.requests.length === 6);
    await suite.until('the second probe', () => upstream.requests.length >= 7);
    assert.equal(mostAtOnce, 1, 'one probe at a time');
    for (const { id } of runs) {
      assert.deepEqual((await suite.runEnds(id)).output, { ok: true });
      const types = (await suite.history(id)).map((event) => event.type);
      assert.ok(!types.includes('job.retried'), 'no attempt was burnt');
    }
    assert.equal(upstream.requests.length, 5 + HELD, 'each job was called once');
    const closed = await breakerOf(suite, upstream);
    assert.equal(closed.state, 'closed');
    assert.equal(closed.held, 0);
    assert.equal(closed.opened_total, 1);
  } finally {
    await second.stop();
    await upstream.stop();
  }
});

scenario('who has another way takes it, and an operator has the last word', { needs: NEEDS }, async (suite) => {
  const upstream = await Upstream.start(() => ({ body: { way: 'first' } }));
  const path = `/v1/circuit-breakers/${encodeURIComponent(targetOf(upstream))}`;
  try {
    await suite.apply(OTHER_WAY);
    await suite.api.refused('POST', `${path}/reset`, undefined, 404, 'not_found');
    assert.equal((await suite.api.ok('POST', `${path}/open`)).forced, true);
    const away = await suite.startRun('other-way', { url: upstream.url });
    assert.deepEqual((await suite.runEnds(away.id)).output, { way: 'other' });
    assert.equal(upstream.requests.length, 0);
    assert.equal((await suite.api.ok('POST', `${path}/reset`)).state, 'closed');
    const back = await suite.startRun('other-way', { url: upstream.url });
    assert.deepEqual((await suite.runEnds(back.id)).output, { way: 'first' });
    assert.ok((await suite.api.ok('GET', '/v1/circuit-breakers')).items.some((one) => one.name === targetOf(upstream)));
    await suite.api.refused('POST', '/v1/circuit-breakers/nobody/open', undefined, 422, 'input_invalid');
    await suite.api.refused('POST', '/v1/circuit-breakers/tool:API.example.com:443/open', undefined, 422, 'input_invalid');
  } finally {
    await upstream.stop();
  }
});

scenario('Retry-After holds a target for everyone', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const RUNS = 10;
  let from = 0;
  const upstream = await Upstream.start(() => {
    from ||= Date.now();
    if (Date.now() - from < 1_900) return { status: 429, headers: { 'retry-after': '2' }, body: {} };
    return { body: { ok: true } };
  });
  const second = await secondAdapter(suite);
  try {
    await suite.apply(CALL);
    const first = await suite.startRun('caller', { url: upstream.url, path: 'first' });
    await suite.until('it rests', async () => (await breakerOf(suite, upstream).catch(() => ({}))).rests_until);
    const runs = [first];
    for (let i = 1; i < RUNS; i++) runs.push(await suite.startRun('caller', { url: upstream.url, path: `run${i}` }));
    for (const { id } of runs) {
      await suite.runEnds(id);
      const types = (await suite.history(id)).map((event) => event.type);
      assert.ok(!types.includes('job.retried'), 'no attempt was burnt');
    }
    assert.equal(upstream.requests.length, RUNS + 1, 'one heard it for all');
    assert.equal((await breakerOf(suite, upstream)).failures_total, 0, '429 is no failure');
  } finally {
    await second.stop();
    await upstream.stop();
  }
});
