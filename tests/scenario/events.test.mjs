// Events for runs that sleep, in three modes, through a kill; and subscribers that hear of it all.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const ORDER = `
document: { dsl: '1.0.3', namespace: default, name: order, version: '1.0.0' }
do:
  - paid:
      listen: { to: { one: { with: { type: com.example.paid }, correlate: { order: { from: .data.order, expect: '\${ $workflow.input.order }' } } } } }
  - tell: { emit: { event: { with: { type: com.example.shipped, data: '\${ .[0] }' } } }, output: { as: .data } }
`;
const WATCH = `
document: { dsl: '1.0.3', namespace: default, name: watch, version: '1.0.0' }
do:
  - all:
      listen: { to: { any: [ { with: { type: com.example.shipped } } ], until: length == 2 } }
      foreach: { item: one, do: [ { note: { set: '\${ $one.order }' } } ] }
`;

const event = (id, order) => ({ specversion: '1.0', id, source: '/shop', type: 'com.example.paid', data: { order } });
const publish = (suite, body, headers) => suite.api.patient('POST', '/v1/events', body, { headers: { 'tutti-namespace': 'default', ...headers } });
const STRUCTURED = { 'content-type': 'application/cloudevents+json' };
const BATCH = { 'content-type': 'application/cloudevents-batch+json' };

scenario('an event finds its run, once, whatever is killed', { needs: ['scheduler', 'gateway'] }, async (suite) => {
  await suite.apply(ORDER);
  await suite.apply(WATCH);
  const watch = await suite.startRun('watch');
  const runs = [];
  for (const order of [1, 2, 3]) runs.push(await suite.startRun('order', { order }));
  const first = await publish(suite, event('a', 2), STRUCTURED);
  assert.deepEqual(first.items, [{ source: '/shop', id: 'a', duplicate: false }]);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  const again = await publish(suite, [event('a', 1), event('b', 3)], BATCH);
  assert.deepEqual(again.items.map(({ duplicate }) => duplicate), [true, false]);
  assert.deepEqual((await suite.runEnds(runs[1].id)).output, { order: 2 });
  assert.deepEqual((await suite.runEnds(runs[2].id)).output, { order: 3 });
  assert.deepEqual((await suite.runEnds(watch.id)).output, [2, 3], 'what others emit');
  assert.equal((await suite.api.patient('GET', `/v1/runs/${runs[0].id}`)).status, 'waiting');
  await publish(suite, JSON.stringify({ order: 1 }), {
    'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-id': 'c', 'ce-source': '/shop', 'ce-type': 'com.example.paid',
  });
  assert.deepEqual((await suite.runEnds(runs[0].id)).output, { order: 1 });
  await suite.api.refused('POST', '/v1/events', { specversion: '1.0' }, 400, 'invalid_request', { headers: { 'tutti-namespace': 'default', ...STRUCTURED } });
  const wrong = await suite.api.refused('POST', '/v1/events', { specversion: '0.3', id: '', type: 'x' }, 400, 'invalid_request', { headers: STRUCTURED });
  assert.deepEqual(wrong.errors.map((fault) => fault.pointer), ['/specversion', '/id', '/source', ''], 'all at once, the namespace last');
  assert.match(wrong.errors[3].detail, /namespace/);
  const batch = { 'content-type': 'application/cloudevents-batch+json', 'tutti-namespace': 'default' };
  const second = await suite.api.refused('POST', '/v1/events', [event('d', 9), { ...event('e', 9), type: 5 }], 400, 'invalid_request', { headers: batch });
  assert.deepEqual(second.errors.map((fault) => fault.pointer), ['/1/type']);
});

const target = await Upstream.start(({ path }, count) => (path === '/flaky' && count === 1 ? { status: 503 } : {}));
after(() => target.stop());

scenario('a subscriber hears of a run in order, signed', { needs: ['scheduler', 'gateway', 'tool-adapter'] }, async (suite) => {
  target.requests.length = 0;
  const namespace = { headers: { 'tutti-namespace': 'default' } };
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: told, version: '1.0.0' }
do: [ { a: { set: { n: 1 } } }, { b: { wait: PT0.1S } } ]
`);
  const made = await suite.api.ok('POST', '/v1/subscriptions', { url: `${target.url}/hook`, workflow: 'told' }, namespace);
  assert.match(made.secret, /^whsec_/);
  assert.equal((await suite.api.ok('GET', `/v1/subscriptions/${made.id}`, undefined, namespace)).secret, undefined);
  const flaky = await suite.api.ok('POST', '/v1/subscriptions', { url: `${target.url}/flaky`, types: ['io.serverlessworkflow.workflow.completed.v1'], workflow: 'told' }, namespace);
  const run = await suite.startRun('told');
  await suite.runEnds(run.id);
  const types = ['workflow.started', 'task.created', 'task.started', 'task.completed', 'task.created', 'task.started', 'task.completed', 'workflow.completed'];
  const heard = await suite.until('all events arrived', () => {
    const found = target.requests.filter(({ path }) => path === '/hook');
    return found.length >= types.length && found;
  });
  assert.deepEqual(heard.map(({ headers }) => headers['ce-type']), types.map((type) => `io.serverlessworkflow.${type}.v1`));
  const key = Buffer.from(made.secret.slice('whsec_'.length), 'base64');
  for (const { headers, body } of heard) {
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    assert.equal(headers['webhook-signature'], `v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
    assert.equal(headers['ce-subject'], run.id);
  }
  assert.equal(JSON.parse(heard.at(-1).body).output.n, 1);
  const repeated = await suite.until('the event comes again', () => {
    const found = target.requests.filter(({ path }) => path === '/flaky');
    return found.length === 2 && found;
  });
  assert.equal(repeated[0].headers['webhook-id'], repeated[1].headers['webhook-id']);
  await suite.api.ok('DELETE', `/v1/subscriptions/${flaky.id}`, undefined, namespace);
  await suite.api.refused('GET', `/v1/subscriptions/${flaky.id}`, undefined, 404, 'not_found', namespace);
});
