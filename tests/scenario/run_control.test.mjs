// What is done to runs after their start, with a scheduler that dies in the middle.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway'];
const define = (name, tasks, version = '1.0.0') => `document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '${version}' }\ndo:\n${tasks}\n`;

scenario('runs are deleted, also by a scheduler that dies meanwhile', { needs: NEEDS }, async (suite) => {
  await suite.apply(define('grow', "  - l: { for: { each: i, in: '${ [range(200)] }' }, do: [ { s: { set: { text: '${ $workflow.input.text + ($i | tostring) }' } } } ] }"));
  await suite.apply(define('sleep', '  - nap: { wait: { hours: 1 } }'));
  const text = 'x'.repeat(2000);
  const runs = [];
  for (let i = 0; i < 20; i++) runs.push(await suite.api.ok('POST', '/v1/runs?wait=30s', { workflow: 'grow', input: { text: text + i }, client_id: `grow-${i}` }));
  const kept = await suite.api.ok('POST', '/v1/runs', { workflow: 'sleep' });

  await suite.api.refused('DELETE', `/v1/runs/${kept.id}`, undefined, 409, 'run_not_finished');
  await Promise.all(runs.map((run) => suite.api.ok('DELETE', `/v1/runs/${run.id}`)));
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.api.patient('GET', `/v1/runs/${kept.id}`);
  for (const run of runs) await suite.api.refused('GET', `/v1/runs/${run.id}`, undefined, 404, 'not_found');
  await suite.api.refused('GET', `/v1/runs/${runs[0].id}/history`, undefined, 404, 'not_found');
  assert.deepEqual((await suite.api.ok('GET', '/v1/runs')).items.map((run) => run.id), [kept.id]);

  const again = await suite.api.ok('POST', '/v1/runs', { workflow: 'sleep', client_id: 'grow-0' });
  assert.equal((await suite.api.call('DELETE', '/v1/runs/grow-0?force=true')).status, 204);
  await suite.api.refused('GET', `/v1/runs/${again.id}`, undefined, 404, 'not_found');
  assert.equal((await suite.api.call('DELETE', `/v1/runs/${kept.id}?force=maybe`)).status, 400);
});

const JOBS = `  - a: { call: http, with: { method: post, endpoint: '\${ $workflow.input.url + "/a" }' } }
  - nap: { wait: { milliseconds: 50 } }
  - b: { call: http, with: { method: post, endpoint: '\${ $workflow.input.url + "/b" }' } }`;

scenario('a wizard: a draft is edited, approved, and survives', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(`document: { dsl: '1.0.3', namespace: default, name: campaign, version: '1.0.0' }
input: { schema: { document: { type: object, required: [ name ], properties: { name: { type: string } } } } }
do:
  - back: { set: { hello: '\${ $workflow.input.name }' } }
`);
  const draft = await suite.api.ok('POST', '/v1/runs', { workflow: 'campaign', draft: true, client_id: 'wizard', input: { steps: [1] } });
  assert.equal(draft.status, 'draft');
  const found = await suite.api.refused('POST', '/v1/runs/wizard/approve', {}, 422, 'input_invalid');
  assert.equal(found.errors[0].pointer, '/input');
  const seen = await suite.api.call('GET', '/v1/runs/wizard');
  const tag = seen.headers.get('etag');
  const patch = (body, headers = {}) => suite.api.call('PATCH', '/v1/runs/wizard/input', body, { headers: { 'content-type': 'application/merge-patch+json', ...headers } });
  assert.equal((await patch({ steps: [1, 2] }, { 'if-match': tag })).status, 200);
  assert.equal((await patch({ steps: [3] }, { 'if-match': tag })).status, 412);
  assert.equal((await patch({ steps: [1, 2] }, { 'if-match': '*' })).status, 200);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.until('it is back', async () => (await patch({ name: 'Ada' })).status === 200);
  assert.deepEqual((await suite.api.ok('GET', '/v1/runs?status=draft')).items.map((run) => run.id), [draft.id]);
  assert.deepEqual((await suite.api.ok('GET', '/v1/runs/wizard')).input, { steps: [1, 2], name: 'Ada' });
  await suite.api.ok('POST', '/v1/runs/wizard/approve', { comment: 'go' });
  const run = await suite.runEnds(draft.id, 'completed');
  assert.deepEqual(run.output, { hello: 'Ada' });
  await suite.api.refused('POST', '/v1/runs/wizard/approve', {}, 409, 'run_not_draft');
  assert.equal((await patch({})).status, 409);
});

scenario('restart and reset make new runs, over a scheduler that dies', { needs: [...NEEDS, 'tool-adapter'], checkNeeds: false }, async (suite) => {
  const calls = [];
  const upstream = await Upstream.start(async ({ path, headers }) => {
    calls.push({ path, key: headers['idempotency-key'] });
    return { n: calls.length };
  });
  try {
    await suite.apply(define('two', JOBS));
    const run = await suite.api.ok('POST', '/v1/runs?wait=30s', { workflow: 'two', input: { url: upstream.url }, labels: { team: 'x' } });
    assert.equal(run.status, 'completed');
    const events = (await suite.api.ok('GET', `/v1/runs/${run.id}/history`)).items;
    const nap = events.find((event) => event.type === 'task.completed' && event.task.endsWith('/nap'));

    const again = await suite.api.call('POST', `/v1/runs/${run.id}/restart`, { id: 'second' }, { headers: { 'idempotency-key': 'r1' } });
    assert.equal(again.status, 201, again.text);
    assert.deepEqual([again.body.forked_from, again.body.labels, again.body.client_id], [{ run: run.id }, { team: 'x' }, 'second']);
    const same = await suite.api.call('POST', `/v1/runs/${run.id}/restart`, { id: 'second' }, { headers: { 'idempotency-key': 'r1' } });
    assert.equal(same.body.id, again.body.id);
    assert.equal(same.headers.get('idempotent-replayed'), 'true');
    await suite.api.refused('POST', `/v1/runs/${run.id}/restart`, { id: 'third' }, 422, 'idempotency_key_reused', { headers: { 'idempotency-key': 'r1' } });
    await suite.runEnds(again.body.id, 'completed');

    const last = events.at(-1).sequence;
    const beyond = await suite.api.refused('POST', `/v1/runs/${run.id}/reset`, { to_sequence: last + 1 }, 400, 'invalid_request');
    assert.equal(beyond.detail, `to_sequence: the last event of run ${run.id} is ${last}`);
    calls.length = 0;
    const forked = await suite.api.ok('POST', `/v1/runs/${run.id}/reset`, { to_sequence: nap.sequence, reason: 'b was wrong' });
    await suite.scheduler.kill();
    await suite.scheduler.start();
    await suite.runEnds(forked.id, 'completed');
    assert.ok(calls.length >= 1 && calls.every((call) => call.path === '/b'), JSON.stringify(calls));
    const history = (await suite.api.ok('GET', `/v1/runs/${forked.id}/history`)).items;
    assert.ok(history.some((event) => event.type === 'run.reset' && event.data.reset.reason === 'b was wrong'));
    assert.ok(history.some((event) => event.type === 'job.completed' && event.task === '/do/0/a'), 'what was done is known');
    assert.deepEqual((await suite.api.ok('GET', `/v1/runs/${forked.id}`)).forked_from, { run: run.id, sequence: nap.sequence });
  } finally {
    await upstream.stop();
  }
});

scenario('a run that has ended is undone, and one that is signalled starts', { needs: [...NEEDS, 'tool-adapter'], checkNeeds: false }, async (suite) => {
  const upstream = await Upstream.start(async () => ({}));
  try {
    await suite.apply(`document: { dsl: '1.0.3', namespace: default, name: trip, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
  - book: { call: http, with: { method: post, endpoint: '\${ $workflow.input.url + "/book" }' }, metadata: { tutti: { compensate: [ { undo: { call: http, with: { method: post, endpoint: '\${ $workflow.input.url + "/undo" }' } } } ] } } }
`);
    const run = await suite.api.ok('POST', '/v1/runs?wait=30s', { workflow: 'trip', input: { url: upstream.url } });
    assert.equal(run.status, 'completed');
    assert.equal((await suite.api.call('POST', `/v1/runs/${run.id}/compensate`, { reason: 'rain' })).status, 202);
    await suite.scheduler.kill();
    await suite.scheduler.start();
    const ended = await suite.runEnds(run.id, 'cancelled');
    assert.deepEqual(ended.compensation, { state: 'completed', done: 1, failed: 0, total: 1 });
    assert.ok(upstream.count('/undo') >= 1);
    await suite.api.refused('POST', `/v1/runs/${run.id}/compensate`, {}, 409, 'nothing_to_compensate');

    await suite.apply(define('cart', '  - one: { listen: { to: { one: { with: { type: item } } } } }\n  - two: { listen: { to: { one: { with: { type: item } } } } }'));
    const add = (n) => suite.api.call('POST', '/v1/runs/signal-with-start', { start: { workflow: 'cart', client_id: 'cart-1', on_conflict: 'return' }, signal: { name: 'item', data: { n } } });
    assert.equal((await add(1)).status, 201);
    assert.equal((await add(2)).status, 200);
    await suite.runEnds('cart-1', 'completed');
    assert.equal((await add(3)).body.code, 'run_finished');
  } finally {
    await upstream.stop();
  }
});

scenario('a batch starts what it can, so many at a time, and only once', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(define('wait', '  - l: { listen: { to: { one: { with: { type: go } } } } }'));
  const body = {
    items: [...Array(7).keys()].map((i) => (i === 3 ? { workflow: 'missing' } : { workflow: 'wait', client_id: `b-${i}`, labels: { i: `${i}` } })),
    labels: { batch: 'one' }, max_concurrent: 2,
  };
  const start = (headers = { 'idempotency-key': 'batch-1' }, more = {}) => suite.api.call('POST', '/v1/runs/batch', { ...body, ...more }, { headers });
  const first = await start();
  assert.equal(first.status, 200, first.text);
  assert.deepEqual(first.body.results.map((result) => result.status), [201, 201, 201, 404, 201, 201, 201]);
  assert.equal(first.body.results[3].problem.code, 'not_found');
  const ids = first.body.results.map((result) => result.run?.id);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.until('it is back', async () => (await suite.api.call('GET', '/v1/runs')).status === 200);
  const again = await suite.until('all of it is answered', async () => {
    const { body } = await start();
    return !body.results?.some((result) => result.status >= 500) && body.results;
  });
  assert.deepEqual(again.map((result) => result.run?.id), ids, 'the same runs');
  assert.equal((await start(undefined, { max_concurrent: 3 })).body.code, 'idempotency_key_reused');

  const states = async () => (await suite.api.ok('GET', '/v1/runs?label=batch:one&order=oldest')).items.map((run) => run.status);
  assert.deepEqual((await states()).sort(), ['pending', 'pending', 'pending', 'pending', 'waiting', 'waiting']);
  const pending = (await suite.api.ok('GET', '/v1/runs?status=pending')).items[0];
  const why = await suite.api.ok('GET', `/v1/runs/${pending.id}?explain=true`);
  assert.equal(why.waiting_for[0].kind, 'slot');
  assert.match(why.waiting_for[0].reason, /of its batch/);
  for (let left = 6; left > 0; left--) {
    const [open] = (await suite.api.ok('GET', '/v1/runs?status=waiting')).items;
    await suite.api.ok('POST', `/v1/runs/${open.id}/signals/go`, {});
    assert.equal((await states()).filter((state) => state === 'waiting').length, Math.min(2, left - 1));
  }
});

scenario('why a run does not move, in sentences', { needs: [...NEEDS, 'tool-adapter'], checkNeeds: false }, async (suite) => {
  const why = async (id) => (await suite.api.ok('GET', `/v1/runs/${id}?explain=true`)).waiting_for[0];
  await suite.apply(define('ask', "  - p: { listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 } } } }, metadata: { tutti: { approval: { title: Go } } } }"));
  await suite.apply(define('nap', '  - w: { wait: { hours: 1 } }'));
  await suite.apply(define('own', '  - j: { call: worker.grind, with: { n: 1 }, metadata: { tutti: { queue: mill } } }'));
  await suite.apply(define('bad', "  - s: { set: { n: 1 } }\n  - r: { raise: { error: { type: https://x.test/no, status: 400, title: No, detail: too dear } } }"));
  const start = async (workflow, more = {}) => (await suite.api.ok('POST', '/v1/runs', { workflow, ...more })).id;
  const run = { ask: await start('ask'), nap: await start('nap'), own: await start('own'), bad: await start('bad'), draft: await start('nap', { draft: true }) };
  assert.match((await why(run.ask)).advice, /tutti approve/);
  assert.match((await why(run.nap)).reason, /\/do\/0\/w waits until 20/);
  const job = await why(run.own);
  assert.deepEqual([job.kind, job.state], ['job', 'queued']);
  assert.match(job.reason, /waits for a worker of queue mill since 20/);
  assert.match(job.advice, /no worker serves queue mill/);
  const fault = await why(run.bad);
  assert.equal(fault.kind, 'fault');
  assert.match(fault.reason, /^it has faulted at 20.*Z with https:\/\/x\.test\/no: too dear at \/do\/1\/r$/);
  assert.match((await why(run.draft)).reason, /draft since 20/);
  await suite.api.ok('POST', `/v1/runs/${run.nap}/pause`, { reason: 'lunch' });
  const paused = await why(run.nap);
  assert.equal(paused.kind, 'paused');
  assert.match(paused.reason, /suspended it at 20.*lunch/);

  await suite.apply(define('two', '  - l: { listen: { to: { any: [ { with: { type: order.paid } }, { with: { type: order.lost } } ] } } }'));
  const two = await why(await start('two'));
  assert.deepEqual([two.kind, two.detail], ['event', 'order.paid, order.lost']);
  assert.match(two.reason, /waits for an event of type order.paid, order.lost since 20/);
});

scenario('why a call does not go out: queues, their limits, breakers', { needs: [...NEEDS, 'tool-adapter'], checkNeeds: false }, async (suite) => {
  const why = async (run) => (await suite.api.ok('GET', `/v1/runs/${run.id}?explain=true`)).waiting_for[0];
  await suite.apply(define('own', '  - j: { call: worker.grind, with: { n: 1 }, metadata: { tutti: { queue: mill } } }'));
  await suite.apply(define('away', '  - j: { call: http, with: { method: get, endpoint: http://127.0.0.1:9/x } }'));
  await suite.api.ok('POST', '/v1/queues/mill/pause');
  const runs = [await suite.startRun('own'), await suite.startRun('own')];
  const shut = await why(runs[0]);
  assert.match(shut.reason, /waits since 20.*queue mill is paused/);
  assert.equal(shut.advice, '`tutti queue resume mill`');

  await suite.api.ok('PATCH', '/v1/queues/mill', { concurrency: 1 });
  await suite.api.ok('POST', '/v1/queues/mill/resume');
  const { jobs: [job] } = await suite.api.ok('POST', '/v1/queues/mill/poll', { worker: 'w', max: 9 });
  const full = await why(runs.find((run) => run.id !== job.run));
  assert.deepEqual([full.kind, full.detail], ['limit', 'queue:mill']);
  assert.match(full.reason, /limit of queue mill \(1 of its jobs are at work, and 1 may be\)/);
  await suite.api.ok('PATCH', '/v1/queues/mill', { concurrency: null, rate: { count: 1, per: '24h' } });
  await suite.api.ok('POST', '/v1/queues/mill/poll', { worker: 'w', max: 9 });
  const late = await why(await suite.startRun('own'));
  assert.equal(late.kind, 'limit');
  assert.match(late.reason, /limit of queue mill \(1 in 1d; the next one at 20/);

  const target = 'tool:127.0.0.1:9';
  await suite.api.ok('POST', `/v1/circuit-breakers/${encodeURIComponent(target)}/open`);
  const held = await why(await suite.startRun('away'));
  assert.deepEqual([held.kind, held.state], ['breaker', 'held']);
  assert.match(held.reason, /held by the circuit breaker of tool:127.0.0.1:9 since 20.*opened by hand at 20/);
  assert.equal(held.advice, `let it go on: \`tutti breakers ${target} reset\``);
});

scenario('bulk: many runs by a filter, over a scheduler that dies', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(define('wait', '  - l: { listen: { to: { one: { with: { type: go } } } } }'));
  const items = [...Array(300).keys()].map((i) => ({ workflow: 'wait', labels: { color: i % 3 === 0 ? 'red' : 'blue' } }));
  const started = await suite.api.ok('POST', '/v1/runs/batch', { items });
  assert.ok(started.results.every((result) => result.status === 201));
  const over = (id) => suite.until('the operation ends', async () => {
    const seen = await suite.api.patient('GET', `/v1/operations/${id}`);
    return seen.status === 'done' && seen;
  });
  const ask = async (body) => over((await suite.api.ok('POST', '/v1/runs/bulk', body)).id);
  const red = { labels: { color: 'red' } };
  const dry = await ask({ action: 'cancel', filter: red, dry_run: true });
  assert.deepEqual([dry.matched, dry.done, dry.refused, dry.dry_run], [100, 100, 0, true]); // what would come of it
  assert.equal((await suite.api.ok('GET', '/v1/runs?status=cancelled')).items.length, 0);

  const operation = await suite.api.ok('POST', '/v1/runs/bulk', { action: 'cancel', filter: red, reason: 'no red' });
  await suite.scheduler.kill();
  await suite.scheduler.start();
  const done = await over(operation.id);
  assert.deepEqual([done.matched, done.done, done.refused], [100, 100, 0]);
  const cancelled = (await suite.api.ok('GET', '/v1/runs?status=cancelled&page_size=500')).items;
  assert.equal(cancelled.length, 100);
  assert.ok(cancelled.every((run) => run.labels.color === 'red' && run.error.reason === 'no red'));

  // A dry run is refused for what the action would be refused for, and changes nothing.
  const all = { workflow: 'wait' };
  const looks = async () => (await suite.api.ok('GET', '/v1/runs?page_size=500')).items.map((run) => [run.id, run.status]);
  const before = await looks();
  const running = before.find((run) => run[1] !== 'cancelled')[0];
  const history = await suite.history(running);
  for (const [action, refusals, more] of [['cancel', { run_finished: 100 }], ['terminate', { run_finished: 100 }], ['retry', { nothing_to_retry: 300 }],
    ['delete', { run_not_finished: 200 }], ['delete', {}, { force: true }], ['erase', { run_not_finished: 200 }]]) {
    const tried = await ask({ action, filter: all, dry_run: true, ...more });
    const count = Object.values(refusals).reduce((sum, n) => sum + n, 0);
    assert.deepEqual([tried.matched, tried.done, tried.refused, tried.reasons], [300, 300 - count, count, refusals], action);
  }
  assert.deepEqual(await looks(), before);
  assert.deepEqual(await suite.history(running), history);

  const refused = await ask({ action: 'retry', filter: { status: ['cancelled'] } });
  assert.deepEqual(refused.reasons, { nothing_to_retry: 100 });
  assert.deepEqual([refused.matched, refused.done, refused.refused, refused.refusals[0].code], [100, 0, 100, 'nothing_to_retry']);
  const gone = await ask({ action: 'delete', filter: { workflow: 'wait' }, force: true });
  assert.deepEqual([gone.matched, gone.done], [300, 300]);
  assert.deepEqual((await suite.api.ok('GET', '/v1/runs')).items, []);
  assert.equal((await suite.api.call('POST', '/v1/runs/bulk', { action: 'delete', filter: {} })).status, 400);
  await suite.api.refused('GET', `/v1/operations/${started.results[0].run.id}`, undefined, 404, 'not_found');
});
