// The audit log: who changed what, who was refused, what was written outside; whole over kill -9.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { Ledger, ledgerConfig } from './support/ledger.mjs';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { merged } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

const upstream = await Upstream.start(({ path }) => (path === '/held' ? { silent: true } : undefined));
const ledger = await Ledger.start();
after(() => Promise.all([upstream.stop(), ledger.stop()]));

const QUICK = `
document: { dsl: '1.0.3', namespace: default, name: quick, version: '1.0.0' }
do:
  - answer: { set: { x: 1 } }
`;
const ASKS = `
document: { dsl: '1.0.3', namespace: default, name: asks, version: '1.0.0' }
do:
  - ask:
      listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '\${ $workflow.id }' } } } } }
      metadata: { tutti: { approval: { title: Go?, payload: { text: a, to: ann }, editable: true } } }
`;
// The secret is a part of an address, of a query, of a body.
const WRITES = `
document: { dsl: '1.0.3', namespace: default, name: writes, version: '1.0.0' }
do:
  - look: { call: http, with: { method: get, endpoint: '${upstream.url}/look' } }
  - post: { call: http, with: { method: post, endpoint: '${upstream.url}/hooks/T0123/PLANTED0123456789abcdefgh', query: { token: planted-in-query }, body: { mail: 'ann@example.org' } } }
`;

const BOOKS = `
document: { dsl: '1.0.3', namespace: default, name: books, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
  - book: { call: ledger.book, with: { text: planted } }
`;

// Calls that nobody answers, each of another kind.
const HELD = `
document: { dsl: '1.0.3', namespace: default, name: held, version: '1.0.0' }
do:
  - all:
      fork:
        branches:
          - look: { call: http, with: { method: get, endpoint: '${upstream.url}/held' } }
          - post: { call: http, with: { method: post, endpoint: '${upstream.url}/held', body: { text: planted } } }
          - book: { call: ledger.book, with: { text: planted } }
          - tool: { call: mcp, with: { transport: { http: { endpoint: '${upstream.url}/held' } }, protocolVersion: '2026-07-28', method: tools/call, parameters: { name: planted } } }
`;

const tutti = (suite, ...args) =>
  new Promise((resolve) => {
    const env = { PATH: process.env.PATH, TUTTI_KEY: suite.key, TUTTI_URL: suite.url };
    execFile(join(BIN, 'tutti'), args, { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });

// All records that fit, the oldest first.
async function records(suite, filter = '') {
  const items = [];
  let token = '';
  do {
    const page = await suite.api.patient('GET', `/v1/audit-events?page_size=500${filter && `&${filter}`}${token && `&page_token=${token}`}`);
    items.push(...page.items);
    token = page.next_page_token ?? '';
  } while (token);
  return items.reverse();
}

// What gateways hand over comes a moment later.
const comes = (suite, what, filter, check = (items) => items.length > 0) =>
  suite.until(`the log has ${what}`, async () => {
    const items = await records(suite, filter);
    return check(items) && items;
  });

async function isIntact(suite) {
  const all = await records(suite);
  all.forEach((one, i) => assert.equal(one.number, i + 1, 'numbers have no gap'));
  const checked = await tutti(suite, 'audit', 'verify');
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  const [, last] = checked.stdout.trim().split('\n');
  assert.match(last, /^\d+:[0-9a-f]{64}$/);
  const [number, hash] = last.split(':');
  const same = (await records(suite)).find((one) => one.number === Number(number));
  assert.equal(same.hash, hash);
  return { all, last };
}

scenario('changes and refusals are recorded, once, with who and what, and nothing else', { needs: ['scheduler', 'gateway'] }, async (suite) => {
  const admin = suite.key.split('_')[1];
  await suite.apply(QUICK);
  await suite.apply(ASKS);
  const viewer = await suite.api.ok('POST', '/v1/api-keys', { name: 'viewer', roles: ['viewer'] });
  const headers = { 'x-request-id': 'asked-as-this', 'idempotency-key': 'once' };
  const run = await suite.api.ok('POST', '/v1/runs', { workflow: 'quick', input: { secret: 'planted-in-input' }, client_id: 'ann.example.org' }, { headers });
  await suite.api.ok('POST', '/v1/runs', { workflow: 'quick', input: { secret: 'planted-in-input' }, client_id: 'ann.example.org' }, { headers });
  await suite.api.refused('POST', '/v1/runs/ann.example.org/cancel', {}, 409, 'run_finished');
  const asking = await suite.startRun('asks');
  const approval = await suite.until('it asks', async () => (await suite.api.ok('GET', `/v1/approvals?run=${asking.id}`)).items[0]);
  const { headers: tag } = await suite.api.call('GET', `/v1/approvals/${approval.id}`);
  await suite.api.ok('PATCH', `/v1/approvals/${approval.id}`, { payload: { text: 'planted-in-edit' } }, { headers: { 'if-match': tag.get('etag') } });
  await suite.api.ok('POST', `/v1/approvals/${approval.id}/approve`, { comment: 'planted-in-comment' });
  const batch = await suite.api.ok('POST', '/v1/runs/batch', { items: [1, 2, 3].map((n) => ({ workflow: 'quick', input: { n } })) });

  // Reading, polling and checking change nothing.
  await suite.api.ok('GET', '/v1/runs');
  await suite.api.ok('POST', '/v1/queues/gpu/poll', { worker: 'w', wait: '0s' });
  await suite.api.call('POST', '/v1/workflows/validate', QUICK, { headers: { 'content-type': 'application/yaml' } });

  // Refusals, many of which are one record.
  for (let i = 0; i < 5; i++) await suite.api.refused('POST', '/v1/runs', { workflow: 'quick' }, 403, 'forbidden', { key: viewer.key });
  await suite.api.refused('GET', '/v1/api-keys', undefined, 401, 'unauthenticated', { key: `${viewer.key.slice(0, -4)}0000` });
  await suite.api.refused('PUT', '/v1/workflows/broken', 'do: 1', 422, 'workflow_invalid', { headers: { 'content-type': 'application/yaml' } });
  const refused = await comes(suite, 'the refusals', 'result=refused', (items) => ['forbidden', 'unauthenticated', 'workflow_invalid', 'run_finished'].every((code) => items.some((one) => one.code === code)));
  const forbidden = refused.filter((one) => one.code === 'forbidden');
  assert.equal(forbidden.reduce((sum, one) => sum + (one.count ?? 1), 0), 5);
  assert.deepEqual([forbidden[0].actor, forbidden[0].roles, forbidden[0].action, forbidden[0].resource, forbidden[0].status], [viewer.id, ['viewer'], 'startRun', '/v1/runs', 403]);
  assert.equal(refused.find((one) => one.code === 'unauthenticated').actor, viewer.id);
  assert.equal(refused.find((one) => one.code === 'run_finished').resource, '/v1/runs/{id}/cancel', 'the id is the caller’s');

  const { all, last } = await isIntact(suite);
  const started = all.filter((one) => one.action === 'startRun' && one.result === 'done');
  assert.deepEqual(started.map((one) => one.run), [run.id, asking.id], 'the repeated start is none');
  const { number, time, noted_at, hash, ...start } = started[0];
  assert.deepEqual(start, { namespace: 'default', actor: admin, roles: ['admin'], action: 'startRun', resource: `/v1/runs/${run.id}`, run: run.id, result: 'done', request_id: 'asked-as-this', address: '127.0.0.1' });
  const of = (action) => all.filter((one) => one.action === action && one.result === 'done');
  assert.deepEqual(of('createKey').map((one) => one.resource), [`/v1/api-keys/${viewer.id}`]);
  assert.deepEqual(of('putWorkflow').map((one) => one.resource), ['/v1/workflows/quick', '/v1/workflows/asks']);
  assert.deepEqual(of('startRuns').map((one) => one.run).sort(), batch.results.map((one) => one.run.id).sort());
  const [edited] = of('editApproval');
  assert.deepEqual([edited.resource, edited.run, edited.members], [`/v1/approvals/${approval.id}`, asking.id, ['payload', 'payload.text']]);
  assert.equal(of('approve').length, 1);
  assert.deepEqual(all.filter((one) => /poll|validate/i.test(one.action)), []);
  assert.doesNotMatch(JSON.stringify(all), /planted|example\.org|tutti_/i);

  // Filters.
  assert.deepEqual((await records(suite, `resource=/v1/runs/${run.id}`)).map((one) => one.action), ['startRun']);
  assert.deepEqual((await records(suite, 'resource=/v1/workfl')).length, 0);
  assert.deepEqual((await records(suite, `actor=${viewer.id}&action=startRun`)).map((one) => one.code), forbidden.map(() => 'forbidden'));
  const half = all[Math.floor(all.length / 2)].noted_at;
  const before = await records(suite, `to=${half}`);
  const behind = await records(suite, `from=${half}`);
  assert.ok(before.length > 0 && behind.length > 0);
  assert.equal(before.at(-1).number + 1, behind[0].number);
  await suite.api.refused('GET', '/v1/audit-events?from=yesterday', undefined, 400, 'invalid_request');
  await suite.api.refused('GET', '/v1/audit-events', undefined, 403, 'forbidden', { key: viewer.key });

  // What was noted elsewhere still holds; another hash does not.
  assert.equal((await tutti(suite, 'audit', 'verify', '--expect', last)).code, 0);
  const other = last.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  const wrong = await tutti(suite, 'audit', 'verify', '--expect', other);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stdout, /another hash/);
  const table = await tutti(suite, 'audit', 'list', '--action', 'createKey');
  assert.match(table.stdout, new RegExp(`createKey +/v1/api-keys/${viewer.id} +done`));
  const metrics = await (await fetch(`http://${suite.scheduler.host}:${suite.scheduler.adminPort}/metrics`)).text();
  assert.match(metrics, /tutti_audit_events_total\{result="done"\} \d+/);

  // The erasure of a run is a change; what is known of the run elsewhere in the log stays.
  await suite.api.ok('POST', `/v1/runs/${run.id}/erase`, { reason: 'asked for' });
  assert.deepEqual((await records(suite, `run=${run.id}`)).filter((one) => one.result === 'done').map((one) => one.action), ['startRun', 'eraseRun']);

  // In a copy of all data the chain is whole, too.
  const headersOf = async () => (await suite.api.ok('GET', '/v1/system/backups/one')).status;
  await suite.api.ok('POST', '/v1/system/backups', { name: 'one' });
  await suite.until('the backup is whole', async () => (await headersOf()) === 'completed');
  await comes(suite, 'the backup', 'action=createBackup');
  const verified = await tutti(suite, '--json', 'backup', 'verify', join(suite.folder, 'backups', 'one'));
  assert.equal(JSON.parse(verified.stdout).fault_count, 0, verified.stdout);

  // Restored, it is the log of then: what was noted elsewhere before that holds, what was noted later does not.
  const { last: later } = await isIntact(suite);
  const data = suite.config.scheduler.store.path;
  await suite.scheduler.kill();
  await rename(data, `${data}.lost`);
  const restored = await tutti(suite, 'backup', 'restore', join(suite.folder, 'backups', 'one'), '--to', data);
  assert.equal(restored.code, 0, restored.stderr);
  await suite.scheduler.start();
  await suite.scheduler.ready();
  await suite.until('the gateway reaches it again', () => records(suite).then((items) => items.length > 0));
  const held = await tutti(suite, 'audit', 'verify', '--expect', last);
  assert.equal(held.code, 0, held.stdout + held.stderr);
  const gone = await tutti(suite, 'audit', 'verify', '--expect', later);
  assert.equal(gone.code, 1, gone.stdout);
  assert.match(gone.stdout, /is missing|another hash/);
});

scenario('what is written outside is recorded without its secrets', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false, config: merged(ledgerConfig(ledger), { tools: { lease: '10m' } }) }, async (suite) => {
  const admin = suite.key.split('_')[1];
  await suite.apply(WRITES);
  const run = await suite.startRun('writes');
  await suite.runEnds(run.id);
  const written = await comes(suite, 'the write', `action=outsideWrite&run=${run.id}`);
  assert.equal(written.length, 1, 'reading is none');
  const { actor, namespace, result, write } = written[0];
  assert.deepEqual([actor, namespace, result], [admin, 'default', 'done']);
  const { duration_ms, params_hmac, job, ...rest } = write;
  assert.deepEqual(rest, { function: 'http', method: 'POST', host: new URL(upstream.url).host, path: '/hooks/T0123/***', status: 200, class: 'ok', bytes: '{"mail":"ann@example.org"}'.length, attempt: 1, undo: false, task: '/do/1/post' });
  assert.match(params_hmac, /^[0-9a-f]{64}$/);

  // What is undone is written, too.
  await suite.apply(BOOKS);
  const booked = await suite.startRun('books');
  await suite.runEnds(booked.id);
  await suite.api.ok('POST', `/v1/runs/${booked.id}/compensate`, { reason: 'no' });
  const both = await comes(suite, 'its undoing', `action=outsideWrite&run=${booked.id}`, (items) => items.length === 2);
  assert.deepEqual(both.map(({ write: one }) => [one.function, one.method, one.path, one.undo]), [['ledger.book', 'POST', '/entries', false], ['ledger.remove', 'DELETE', '/entries/e1', true]]);
  assert.notEqual(both[0].write.params_hmac, both[1].write.params_hmac);

  // A call that is cancelled had left all the same: nobody knows what became of it.
  ledger.before = () => ({ silent: true });
  await suite.apply(HELD);
  const held = await suite.startRun('held');
  await suite.until('all have left', () => upstream.count('/held') === 3 && ledger.upstream.count('/entries') === 2);
  await suite.api.ok('POST', `/v1/runs/${held.id}/cancel`, { reason: 'enough' });
  const unheard = await comes(suite, 'what was cancelled', `action=outsideWrite&run=${held.id}`, (items) => items.length === 3);
  assert.deepEqual(unheard.map(({ result: how, write: one }) => [one.function, one.method, one.path, one.class, how]).sort(), [
    ['http', 'POST', '/held', 'unknown', 'unknown'], ['ledger.book', 'POST', '/entries', 'unknown', 'unknown'], ['mcp', 'POST', '/held', 'unknown', 'unknown'],
  ]);
  ledger.before = () => {};

  // A function of an adapter for somebody who waits: the call, and what it wrote.
  const called = await suite.api.ok('POST', '/v1/tools/ledger.book/invoke', { arguments: { text: 'planted' } });
  assert.ok(called.output);
  const [added] = await comes(suite, 'the function', 'action=outsideWrite', (items) => items.some((one) => one.write.function === 'ledger.book')).then((items) => items.filter((one) => one.write.function === 'ledger.book'));
  assert.deepEqual([added.actor, added.write.connection, added.write.method, added.write.class], [admin, 'ledger', 'POST', 'ok']);
  await comes(suite, 'its call', 'action=invokeTool', (items) => items.some((one) => one.result === 'done' && one.resource === '/v1/tools/ledger.book/invoke'));
  assert.doesNotMatch(JSON.stringify(await records(suite)), /planted|PLANTED|example\.org/);

  // Whoever waits for a function goes away: the read ends, and so does the change, of which nobody knows then what became.
  ledger.upstream.requests.length = 0;
  ledger.before = () => ({ silent: true });
  const calls = new AbortController();
  const waits = [['ledger.book', { text: 'late' }], ['ledger.list', {}]].map(([name, args]) => fetch(`${suite.url}/v1/tools/${name}/invoke`, {
    method: 'POST', signal: calls.signal, headers: { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json' }, body: JSON.stringify({ arguments: args }),
  }).catch((error) => error.name));
  await suite.until('both have left', () => ledger.upstream.requests.length === 2);
  calls.abort();
  assert.deepEqual(await Promise.all(waits), ['AbortError', 'AbortError']);
  await suite.until('both are ended', () => ledger.upstream.requests.every(({ isGone }) => isGone));
  const ofBook = ({ write: one }) => one.function === 'ledger.book' && one.class === 'unknown' && !one.job;
  const late = (await comes(suite, 'what had left', 'action=outsideWrite', (items) => items.some(ofBook))).find(ofBook);
  assert.deepEqual([late.actor, late.result, late.write.method, late.write.path], [admin, 'unknown', 'POST', '/entries']);
  ledger.before = () => {};
  await isIntact(suite);
});

const KILLS = 4;
const BATCH = 12;

scenario('two scheduler processes die again and again, and no record is lost or there twice', { needs: ['scheduler-0', 'scheduler-1', 'gateway'], schedulers: 2, config: { scheduler: { partitions: 4 } }, checkNeeds: false, timeout: 300_000 }, async (suite) => {
  await suite.until('the workflow is registered', () => suite.apply(QUICK).catch(() => null));
  const started = new Set();
  const start = async (key) => {
    const options = { headers: { 'idempotency-key': key } };
    started.add((await suite.api.patient('POST', '/v1/runs', { workflow: 'quick' }, options)).id);
  };
  for (let kill = 0; kill < KILLS; kill++) {
    const under = Array.from({ length: BATCH }, (_, i) => start(`${kill}-${i}`));
    await Promise.race(under); /* some are recorded, some are on their way */
    const victim = suite[`scheduler-${kill % 2}`];
    await victim.kill();
    await victim.start();
    await Promise.all(under);
  }
  await comes(suite, 'all starts', 'action=startRun&result=done', (items) => items.length >= started.size);
  const { all } = await isIntact(suite);
  const runs = all.filter((one) => one.action === 'startRun' && one.result === 'done').map((one) => one.run);
  assert.deepEqual(runs.sort(), [...started].sort());
});
