// Four scheduler processes of one partition each behind one gateway: everything that crosses from
// one to another, and what goes on while one of them is away.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { partitionOf } from './support/ids.mjs';
import { EventStream } from './support/sse.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';
import { randomOf } from './support/wait.mjs';
import { Witness } from './support/witness.mjs';
import { steps } from './support/workflows.mjs';

const SCHEDULERS = ['scheduler-0', 'scheduler-1', 'scheduler-2', 'scheduler-3'];
const SEED = Number(process.env.TUTTI_SEED ?? Date.now() % 1_000_000);

let answer = () => {};
const upstream = await Upstream.start((request) => answer(request));
after(() => upstream.stop());

const partitioned = (name, body, more = {}) =>
  scenario(name, { needs: [...SCHEDULERS, 'gateway', 'tool-adapter', 'llm-proxy'], schedulers: SCHEDULERS.length, checkNeeds: false, timeout: 300_000, ...more }, body);

// Starts runs until every partition has `count` of them; returns their ids by partition.
async function startEverywhere(suite, count, body) {
  const ids = SCHEDULERS.map(() => []);
  for (let i = 0; ids.some((list) => list.length < count); i++) {
    assert.ok(i < 400, 'starts are spread over all partitions');
    const run = await suite.startRun(body.workflow, { ...body.input, key: `k${i}` });
    ids[partitionOf(run.id)].push(run.id);
  }
  return ids;
}

async function pages(suite, path, size) {
  const items = [];
  let token = '';
  do {
    const page = await suite.api.ok('GET', `${path}${path.includes('?') ? '&' : '?'}page_size=${size}${token && `&page_token=${encodeURIComponent(token)}`}`);
    items.push(...page.items);
    token = page.next_page_token ?? '';
  } while (token);
  return items;
}

const ASK = `
document: { dsl: '1.0.3', namespace: default, name: ask, version: '1.0.0' }
do:
  - hear: { listen: { to: { one: { with: { type: go } } } }, output: { as: '.[0]' } }
  - ask:
      listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '\${ $workflow.id }' } } } } }
      output: { as: '.[0]' }
      metadata: { tutti: { approval: { title: Go on? } } }
output: { as: '{ heard: $steps.hear, comment: $steps.ask.comment }' }
`;

const LEAF = `
document: { dsl: '1.0.3', namespace: default, name: leaf, version: '1.0.0' }
do:
  - get: { call: http, with: { method: post, body: {}, endpoint: '\${ "\\($workflow.input.url)/\\($workflow.input.key)-\\($workflow.input.n)/0" }' } }
  - more: { call: http, with: { method: post, body: {}, endpoint: '\${ "\\($workflow.input.url)/\\($workflow.input.key)-\\($workflow.input.n)/1" }' } }
  - square: { set: '\${ $workflow.input.n * $workflow.input.n }' }
`;
const TRUNK = `
document: { dsl: '1.0.3', namespace: default, name: trunk, version: '1.0.0' }
do:
  - squares:
      for: { each: n, in: '[range(6)]' }
      metadata: { tutti: { parallel: 6 } }
      do:
        - leaf: { run: { workflow: { namespace: default, name: leaf, version: latest, input: { n: '\${ $n }', key: '\${ $workflow.input.key }', url: '\${ $workflow.input.url }' } } } }
  - sum: { set: { sum: '\${ add }' } }
`;
const SUM = 55; // of the squares of 0 to 5

const ORDER = `
document: { dsl: '1.0.3', namespace: default, name: order, version: '1.0.0' }
do:
  - paid:
      listen: { to: { one: { with: { type: com.example.paid }, correlate: { order: { from: .data.order, expect: '\${ $workflow.input.key }' } } } } }
  - tell: { emit: { event: { with: { type: com.example.shipped, data: '\${ .[0] }' } } }, output: { as: .data } }
`;
const WATCH = `
document: { dsl: '1.0.3', namespace: default, name: watch, version: '1.0.0' }
do:
  - all:
      listen: { to: { any: [ { with: { type: com.example.shipped } } ], until: length == $workflow.input.count } }
      foreach: { item: one, do: [ { note: { set: '\${ $one.order }' } } ] }
`;
const KEYED = `
document: { dsl: '1.0.3', namespace: default, name: keyed, version: '1.0.0', metadata: { tutti: { idempotencyKey: '\${ .name }' } } }
do: [ { a: { wait: { milliseconds: 10 } } } ]
`;

partitioned('runs, lists, queues and signals over four processes', async (suite) => {
  answer = () => ({});
  await suite.apply(steps(2));
  const ids = await startEverywhere(suite, 3, { workflow: 'steps', input: { url: upstream.url } });
  const all = ids.flat();
  for (const id of all) {
    await suite.runEnds(id); // jobs are leased from all of them
    const history = await suite.history(id);
    assert.deepEqual(history.map((event) => event.sequence), history.map((_, i) => i + 1));
    const stream = new EventStream(suite, `/v1/runs/${id}/events`);
    assert.equal(await stream.connect(), 'end');
  }
  const listed = (await pages(suite, '/v1/runs', 4)).map((run) => run.id);
  assert.equal(new Set(listed).size, listed.length, 'nothing twice');
  assert.deepEqual(listed.toSorted(), all.toSorted(), 'and nothing is missing');
  const status = await suite.until('all workers are seen', async () => {
    const seen = await suite.api.ok('GET', '/v1/system/status');
    return seen.status === 'ok' && seen;
  });
  assert.deepEqual(status.components.scheduler.partitions.map((one) => one.partition).toSorted(), SCHEDULERS.map((_, i) => i));
  assert.deepEqual((await suite.api.ok('GET', '/v1/workers')).items.map((worker) => worker.name).toSorted(), ['llm-1', 'tools-1']);
});

partitioned('signals, approvals and cancels find their partition; queues are added up', async (suite) => {
  await suite.apply(ASK);
  const ids = await startEverywhere(suite, 2, { workflow: 'ask', input: {} });
  for (const [id, other] of ids) {
    await suite.api.ok('POST', `/v1/runs/${id}/signals/go`, { number: partitionOf(id) });
    const approval = await suite.until('it asks', async () => (await suite.api.ok('GET', `/v1/approvals?status=pending&run=${id}`)).items[0]);
    await suite.api.ok('POST', `/v1/approvals/${approval.id}/approve`, { comment: id });
    const ended = await suite.runEnds(id);
    assert.equal(ended.output.comment, id);
    await suite.api.ok('POST', `/v1/runs/${other}/cancel`, {});
    await suite.runEnds(other, 'cancelled');
  }
  let open = 0;
  const waiting = [];
  answer = () => new Promise((resolve) => { open++; waiting.push(() => resolve({})); });
  await suite.apply(steps(1));
  const held = (await startEverywhere(suite, 1, { workflow: 'steps', input: { url: upstream.url } })).flat();
  const queue = await suite.until('all jobs run', async () => {
    const { items } = await suite.api.ok('GET', '/v1/queues');
    return open === held.length && items.find((one) => one.running === held.length);
  });
  assert.equal((await suite.api.ok('GET', `/v1/queues/${queue.name}`)).running, open);
  await suite.api.refused('GET', '/v1/queues/nobody', undefined, 404, 'not_found');
  for (const go of waiting) go();
  for (const id of held) await suite.runEnds(id);
});

partitioned('queues are set, and dead letters listed and redriven, in all processes', async (suite) => {
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: job, version: '1.0.0' }
do:
  - job: { call: worker.do, with: {}, metadata: { tutti: { queue: jobs, onExhausted: pause, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 2 } } } } } }
`);
  const runs = (await startEverywhere(suite, 2, { workflow: 'job', input: {} })).flat();
  const queue = () => suite.api.ok('GET', '/v1/queues/jobs');
  const take = async () => {
    const answer = await suite.api.call('POST', '/v1/queues/jobs/poll', { worker: 'test', wait: '1s', max: 100 });
    return answer.status === 200 ? answer.body.jobs : [];
  };
  assert.equal((await suite.api.ok('POST', '/v1/queues/jobs/pause')).paused, true);
  assert.equal((await queue()).paused, true);
  assert.deepEqual(await take(), []); // of none of them
  await suite.api.ok('PATCH', '/v1/queues/jobs', { concurrency: 300, rate: { count: 9000, per: '1h' } });
  assert.equal((await queue()).concurrency, 300);
  await suite.api.ok('POST', '/v1/queues/jobs/resume');
  await suite.until('all of them are given up', async () => {
    for (const job of await take()) {
      await suite.api.ok('POST', `/v1/jobs/${job.id}/fail`, { lease_token: job.lease_token, error: { type: 'urn:busy', status: 503, title: 'Busy' }, retryable: true });
    }
    return (await queue()).dead_letters === runs.length;
  });
  const letters = '/v1/queues/jobs/dead-letters';
  const { analysis, items } = await suite.api.ok('GET', `${letters}?page_size=500`);
  assert.deepEqual(analysis.map((one) => [one.error_type, one.function, one.count]), [['urn:busy', 'worker.do', runs.length]]);
  assert.deepEqual(items.map((one) => one.time), items.map((one) => one.time).toSorted().toReversed());
  const paged = await pages(suite, letters, 2);
  assert.deepEqual(paged.map((one) => one.job), items.map((one) => one.job));
  assert.deepEqual(items.map((one) => one.run).toSorted(), runs.toSorted());

  const [first] = items;
  await suite.api.ok('POST', `${letters}/${first.job}/redrive`, {});
  const done = await suite.api.ok('POST', `${letters}/redrive-all`, {});
  assert.deepEqual(done, { redriven: runs.length - 1, refused: 0, under_way: false });
  assert.equal((await queue()).depth, runs.length);
  assert.equal((await suite.api.ok('POST', '/v1/queues/jobs/purge')).purging, true);
  for (const id of runs) await suite.runEnds(id, 'faulted');
});

partitioned('children, events and keys cross from process to process', async (suite) => {
  answer = () => ({});
  for (const text of [LEAF, TRUNK, ORDER, WATCH, KEYED]) await suite.apply(text);
  const parents = (await startEverywhere(suite, 1, { workflow: 'trunk', input: { url: upstream.url } })).flat();
  const places = new Set();
  for (const id of parents) {
    assert.deepEqual((await suite.runEnds(id)).output, { sum: SUM });
    const children = await pages(suite, `/v1/runs?parent=${id}`, 3);
    assert.equal(children.length, 6);
    for (const child of children) places.add(`${partitionOf(id)}>${partitionOf(child.id)}`);
  }
  assert.ok([...places].some((place) => place[0] !== place[2]), `children live elsewhere: ${[...places]}`);

  const orders = (await startEverywhere(suite, 1, { workflow: 'order', input: {} })).flat();
  const watches = await startEverywhere(suite, 1, { workflow: 'watch', input: { count: orders.length } });
  const keys = [];
  for (const id of orders) keys.push((await suite.api.ok('GET', `/v1/runs/${id}`)).input.key);
  for (const key of keys) {
    const event = { specversion: '1.0', id: key, source: '/shop', type: 'com.example.paid', data: { order: key } };
    await suite.api.ok('POST', '/v1/events', event, { headers: { 'content-type': 'application/cloudevents+json', 'tutti-namespace': 'default' } });
  }
  for (const id of orders) await suite.runEnds(id);
  for (const [id] of watches) assert.deepEqual((await suite.runEnds(id)).output.toSorted(), keys.toSorted());

  // The gateway asks any partition; the owner of the key answers (MOVED), whoever was asked.
  for (const name of ['a', 'b', 'c', 'd']) {
    const seen = new Set();
    for (let i = 0; i < 6; i++) seen.add((await suite.startRun('keyed', { name })).id);
    assert.equal(seen.size, 1);
  }
});

partitioned('one process is killed again and again under load: the others go on, and nothing is lost or done twice', async (suite) => {
  console.log(`# seed ${SEED} (TUTTI_SEED)`);
  const random = randomOf(SEED);
  const witness = new Witness();
  answer = ({ path, headers }) => witness.see(path, headers['idempotency-key']);
  await suite.apply(LEAF);
  await suite.apply(TRUNK);
  const runs = [];
  for (let kill = 0; kill < (process.env.TUTTI_LONG ? 60 : 6); kill++) {
    const victim = suite[SCHEDULERS[Math.floor(random() * SCHEDULERS.length)]];
    const start = async (at) => {
      const key = `${SEED}-${at}`;
      runs.push(await suite.api.patient('POST', '/v1/runs', { workflow: 'trunk', input: { url: upstream.url, key } }, { headers: { 'idempotency-key': key } }));
    };
    await Promise.all(Array.from({ length: 6 }, (_, i) => start(`${kill}-${i}`)));
    await victim.kill();
    const away = Array.from({ length: 3 }, (_, i) => start(`${kill}-away-${i}`)); // those of the dead one wait for it
    await victim.start();
    await Promise.all(away);
  }
  for (const { id } of runs) assert.deepEqual((await suite.runEnds(id)).output, { sum: SUM });
  assert.equal(witness.runs.size, runs.length * 6, 'every call was made');
  assert.deepEqual(witness.executedAgain, [], 'completed jobs are not executed again');
  assert.deepEqual(witness.otherKeys, [], 'all attempts of a job carry one key');
  const children = (await Promise.all(runs.map(({ id }) => pages(suite, `/v1/runs?parent=${id}`, 500)))).flat();
  assert.equal(children.length, runs.length * 6, 'one run per child');
  // Each job twice at the most: the second time because its lease was lost with the scheduler that had given it.
  for (const [path, count] of upstream.counts) if (path.startsWith(`/${SEED}-`)) assert.ok(count <= 2, `${path}: ${count} calls`);
}, { config: { tools: { lease: '3s' } } });

partitioned('while the process of the system partition is away the others start and end runs', async (suite) => {
  answer = () => ({});
  await suite.apply(LEAF);
  await suite.apply(steps(2));
  await startEverywhere(suite, 1, { workflow: 'steps', input: { url: upstream.url } });
  await suite['scheduler-0'].kill();
  let started = 0;
  let refused = 0;
  while (started < 6 || refused < 1) {
    assert.ok(started + refused < 200);
    const reply = await suite.api.call('POST', '/v1/runs', { workflow: 'steps', input: { url: upstream.url, key: `away-${started}-${refused}` } });
    if (reply.status === 201 || reply.status === 200) {
      assert.notEqual(partitionOf(reply.body.id), 0);
      await suite.runEnds(reply.body.id);
      started++;
    } else {
      assert.equal(reply.status, 503, reply.text);
      assert.ok(Number(reply.headers.get('retry-after')) >= 1);
      refused++;
    }
  }
  await suite.gateway.kill();
  await suite.gateway.start(); // knows no key any more
  const again = await suite.api.call('PUT', '/v1/workflows/leaf', LEAF, { headers: { 'content-type': 'application/yaml' } });
  assert.equal(again.status, 503, 'workflows are registered by that process alone');
  assert.ok(Number(again.headers.get('retry-after')) >= 1);
  const status = await suite.api.ok('GET', '/v1/system/status');
  assert.equal(status.status, 'degraded');
  await suite['scheduler-0'].start();
  await suite.api.patient('PUT', '/v1/workflows/leaf', LEAF, { headers: { 'content-type': 'application/yaml' } });

  // What providers have cost is not known while a part is away; all else of them is said.
  const spends = async () => (await suite.api.ok('GET', '/v1/llm/providers')).items.map(({ spend, spend_note }) => [spend?.calls, typeof spend_note]);
  await suite['scheduler-3'].kill();
  assert.deepEqual(await spends(), [[undefined, 'string']]);
  await suite['scheduler-3'].start();
  await suite.until('what was spent is known again', async () => (await spends())[0][1] === 'undefined');
});
