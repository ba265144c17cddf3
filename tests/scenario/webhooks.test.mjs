// Each kind of event reaches its subscriber, with a signature that holds.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'tool-adapter', 'llm-proxy'];

// The world: subscribers below /hooks, a service that fails, and a model whose answers cost 15 tokens.
const world = await Upstream.start(({ path }, count) => {
  if (path.startsWith('/hooks/')) return { status: 204 };
  if (path === '/flaky') return { status: count === 1 ? 503 : 200, body: { fine: true } };
  if (path === '/down') return { status: 503 };
  if (path.endsWith('/chat/completions')) {
    return { body: { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'Hm.' }, finish_reason: 'stop' }], usage: { prompt_tokens: 10, completion_tokens: 5 } } };
  }
  return { body: { id: 7 } };
});
after(() => world.stop());

const config = {
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${world.url}/v1`, price: 'free' } },
    routes: { smart: { targets: [{ model: 'test/m' }] } },
  },
};

const namespace = { headers: { 'tutti-namespace': 'default' } };

// The events that a subscriber has heard, in the order in which they came; each is checked.
function heardBy(name, secret) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return world.requests.filter(({ path }) => path === `/hooks/${name}`).map(({ method, headers, body }) => {
    assert.equal(method, 'POST');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['ce-specversion'], '1.0');
    assert.equal(headers['ce-id'], headers['webhook-id']);
    assert.equal(headers['ce-source'], `/default/${name}/1.0.0`);
    assert.ok(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 300, 'a timestamp of now');
    const signature = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
    assert.equal(headers['webhook-signature'], `v1,${signature}`);
    const data = JSON.parse(body);
    return { type: headers['ce-type'].replace('io.serverlessworkflow.', '').replace(/\.v1$/, ''), task: data.task ?? '', subject: headers['ce-subject'], iteration: headers['ce-iteration'], data };
  });
}

// A workflow `name` and a subscriber of its own; returns what it has heard once `count` events came.
async function told(suite, name, tasks, { document = '', types } = {}) {
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0'${document} }
do:
${tasks}`);
  const { secret } = await suite.api.ok('POST', '/v1/subscriptions', { url: `${world.url}/hooks/${name}`, workflow: name, ...(types && { types }) }, namespace);
  const run = await suite.startRun(name, {});
  const heard = (count) => suite.until(`${count} events of ${name}`, () => {
    const found = heardBy(name, secret);
    return found.length >= count && found;
  });
  return { name, run, heard };
}

const waits = (suite, run) => suite.until('the run waits', async () => (await suite.api.ok('GET', `/v1/runs/${run.id}`)).status === 'waiting');

const short = (events) => events.map(({ type, task }) => `${type} ${task}`.trim());

// What every event of a workflow or a task says: of which run, and when.
function checkData({ name, run }, { type, data }) {
  const [kind, what] = type.split('.');
  if (kind === 'dev') return;
  const time = { 'correlation-started': 'startedAt', 'correlation-completed': 'completedAt', 'status-changed': 'updatedAt' }[what] ?? `${what}At`;
  assert.equal(kind === 'task' ? data.workflow : data.name, `${name}-${run.id}.default`, type);
  assert.match(data[time] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, `${type}: ${time}`);
  if (what === 'faulted') assert.ok(data.error.type && data.error.status && data.error.instance, type);
  if (what === 'completed') assert.ok(data.outputUri, type);
}

// Exactly these events, in this order; a moment later there are no more.
async function expect(subscriber, expected) {
  const events = await subscriber.heard(expected.length);
  assert.deepEqual(short(events), expected);
  for (const event of events) {
    assert.equal(event.subject, subscriber.run.id);
    checkData(subscriber, event);
  }
  return events;
}

scenario('suspended, resumed after a kill, cancelled and terminated', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  const held = await told(suite, 'held', `  - hold: { wait: PT1H }\n`);
  await waits(suite, held.run);
  await suite.api.ok('POST', `/v1/runs/${held.run.id}/pause`, {});
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.api.patient('POST', `/v1/runs/${held.run.id}/resume`, {});
  await suite.api.ok('POST', `/v1/runs/${held.run.id}/cancel`, {});
  await expect(held, [
    'workflow.started', 'task.created /do/0/hold', 'task.started /do/0/hold',
    'workflow.suspended', 'task.suspended /do/0/hold',
    'workflow.resumed', 'task.resumed /do/0/hold',
    'task.cancelled /do/0/hold', 'workflow.cancelled',
  ]);

  const ended = await told(suite, 'ended', `  - hold: { wait: PT1H }\n`, { types: ['io.serverlessworkflow.workflow.*', 'io.serverlessworkflow.workflow.status-changed.v1'] });
  await waits(suite, ended.run);
  await suite.api.ok('POST', `/v1/runs/${ended.run.id}/terminate`, {});
  const events = await ended.heard(4);
  assert.deepEqual(short(events).sort(), ['workflow.cancelled', 'workflow.started', 'workflow.status-changed', 'workflow.status-changed']);
  assert.deepEqual(events.filter(({ type }) => type === 'workflow.status-changed').map(({ data }) => data.status), ['running', 'cancelled']);
});

scenario('iterations, correlations, and an output that is too large to send', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  const looped = await told(suite, 'looped', `
  - outer: { for: { in: '[1]' }, do: [ { inner: { for: { in: '[1, 2]', each: x }, do: [ { big: { set: { text: '\${ "x" * 40000 }' } } } ] } } ] }
  - hear: { listen: { to: { one: { with: { type: order.paid }, correlate: { order: { from: .data.id, expect: '\${ 7 }' } } } } } }
`, { types: ['io.serverlessworkflow.task.completed.v1', 'io.serverlessworkflow.workflow.correlation-*'] });
  await waits(suite, looped.run);
  await suite.api.ok('POST', `/v1/runs/${looped.run.id}/signals/order.paid`, { id: 7 });
  const big = '/do/0/outer/do/0/inner/do/0/big';
  const events = await expect(looped, [
    `task.completed ${big}`, `task.completed ${big}`, 'task.completed /do/0/outer/do/0/inner', 'task.completed /do/0/outer',
    'workflow.correlation-started', 'workflow.correlation-completed', 'task.completed /do/1/hear',
  ]);
  assert.deepEqual(events.map(({ iteration }) => iteration), ['0/0', '0/1', '0', undefined, undefined, undefined, undefined]);
  assert.deepEqual(events.map(({ data }) => 'output' in data), [false, false, false, false, false, false, true]);
  assert.deepEqual(events[5].data.correlationKeys, { order: 7 });
});

scenario('retried, dead letters, and a compensation', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const retried = await told(suite, 'retried', `
  - ask:
      call: http
      with: { method: get, endpoint: '${world.url}/flaky' }
      metadata: { tutti: { retry: { delay: PT0.1S, limit: { attempt: { count: 3 } } } } }
`);
  await expect(retried, ['workflow.started', 'task.created /do/0/ask', 'task.started /do/0/ask', 'task.retried /do/0/ask', 'task.completed /do/0/ask', 'workflow.completed']);

  const dead = await told(suite, 'dead', `
  - ask:
      try:
        - get:
            call: http
            with: { method: get, endpoint: '${world.url}/down' }
            metadata: { tutti: { retry: { delay: PT0.1S, limit: { attempt: { count: 1 } } } } }
      catch:
        do:
          - bury: { emit: { event: { with: { type: dev.tutti.deadletter.v1, data: { queue: late, error: '\${ $error }', input: { a: 1 } } } } } }
`, { types: ['dev.tutti.*'] });
  const letters = await expect(dead, ['dev.tutti.deadletter /do/0/ask/try/0/get', 'dev.tutti.deadletter /do/0/ask/catch/do/0/bury']);
  assert.equal(letters[0].data.error.status, 503);
  assert.equal(letters[0].data.attempts, 2);
  assert.deepEqual(letters[1].data.letter.input, { a: 1 });

  const undone = await told(suite, 'undone', `
  - book:
      call: http
      with: { method: post, endpoint: '${world.url}/book' }
      metadata: { tutti: { compensate: [ { unbook: { call: http, with: { method: delete, endpoint: '\${ "${world.url}/book/\\($output.id)" }' } } } ] } }
  - stop: { raise: { error: { type: 'https://x.test/e', status: 418, title: Teapot } } }
`, { document: `, metadata: { tutti: { saga: true } }` });
  const unbook = '/do/0/book/metadata/tutti/compensate/0/unbook';
  const events = await expect(undone, [
    'workflow.started',
    'task.created /do/0/book', 'task.started /do/0/book', 'task.completed /do/0/book',
    'task.created /do/1/stop', 'task.started /do/1/stop', 'task.faulted /do/1/stop',
    `task.created ${unbook}`, `task.started ${unbook}`, `task.completed ${unbook}`,
    'workflow.faulted',
  ]);
  assert.equal(events.at(-1).data.error.status, 418);
  assert.equal(world.count('/book/7'), 1);
});

scenario('approvals, and budgets of a run and of an agent', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const asked = await told(suite, 'asked', `
  - ask:
      listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '\${ $workflow.id }' } } } } }
      metadata: { tutti: { approval: { title: Go on?, payload: { n: 1 } } } }
`, { types: ['dev.tutti.*', 'io.serverlessworkflow.workflow.correlation-*'] });
  const [requested] = (await asked.heard(1)).filter(({ type }) => type === 'dev.tutti.approval.requested');
  const approval = requested ?? (await asked.heard(2)).find(({ type }) => type === 'dev.tutti.approval.requested');
  assert.equal(approval.data.approval.title, 'Go on?');
  await suite.api.ok('POST', `/v1/approvals/${approval.data.id}/approve`, { comment: 'fine' });
  const events = await asked.heard(4);
  assert.deepEqual(short(events).sort(), ['dev.tutti.approval.decided /do/0/ask', 'dev.tutti.approval.requested /do/0/ask', 'workflow.correlation-completed', 'workflow.correlation-started']);
  const decided = events.find(({ type }) => type === 'dev.tutti.approval.decided');
  assert.equal(decided.data.decision.approved, true);
  assert.equal(decided.data.decision.comment, 'fine');

  const spent = await told(suite, 'spent', `
  - group:
      do:
        - one: { call: llm.chat, with: { model: smart, prompt: One } }
        - two: { call: llm.chat, with: { model: smart, prompt: Two } }
`, { document: `, metadata: { tutti: { budget: { tokens: 15 } } }`, types: ['dev.tutti.budget.exceeded.v1', 'io.serverlessworkflow.workflow.faulted.v1'] });
  const [over, faulted] = await expect(spent, ['dev.tutti.budget.exceeded /do/0/group/do/1/two', 'workflow.faulted']);
  assert.equal(over.data.error.status, 402);
  assert.equal(faulted.data.error.type, 'https://tutti.dev/errors/budget');

  const agent = await told(suite, 'agent', `
  - think: { call: agent.run, with: { model: smart, input: Go, budget: { tokens: 12 }, schema: { type: object } } }
`, { types: ['dev.tutti.budget.exceeded.v1', 'io.serverlessworkflow.workflow.faulted.v1'] });
  await expect(agent, ['dev.tutti.budget.exceeded /do/0/think', 'workflow.faulted']);
});
