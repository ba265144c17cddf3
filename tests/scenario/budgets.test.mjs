// Budgets over many runs with real processes: calls of several runs share what there is, the scheduler dies while they are under way, nothing is
// charged twice, and a run that was paused goes on when there is more.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const RUNS = 6;
const USED = 150; // tokens of each call: 50 asked, 100 answered

const CHAT = (name, model, max) => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { model: ${model}, prompt: hi, max_tokens: ${max} }, metadata: { tutti: { retry: { delay: PT0.2S, limit: { attempt: { count: 20 } } } } } }
`;
const OTHER_WAY = `
document: { dsl: '1.0.3', namespace: default, name: other-way, version: '1.0.0' }
do:
  - first:
      try: [ { ask: { call: llm.chat, with: { model: smart, prompt: hi, max_tokens: 400 } } } ]
      catch:
        errors: { with: { type: 'https://tutti.dev/errors/budget', status: 402 } }
        do: [ { other: { set: { way: other } } } ]
`;

let atOnce = 0;
let most = 0;
let onCall = async () => {};
const model = await Upstream.start(async (request, count) => {
  most = Math.max(most, ++atOnce);
  await onCall(count);
  atOnce--;
  return { body: { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }], usage: { prompt_tokens: 50, completion_tokens: 100 } } };
});
after(() => model.stop());

const config = {
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1` } },
    prices: { 'test/m': { input: '1', output: '10' } },
    routes: { smart: { targets: [{ model: 'test/m' }] }, unknown: { targets: [{ model: 'test/nobody-knows' }] } },
  },
};

const budgetOf = (suite, name) => suite.api.ok('GET', `/v1/budgets/${name}`);

scenario('runs share a budget over the death of the scheduler', { needs: NEEDS, config }, async (suite) => {
  await suite.apply(CHAT('chat', 'smart', 400));
  await suite.apply(OTHER_WAY);
  // A call may take some 405 tokens, so two fit beside each other.
  await suite.api.ok('PUT', '/v1/budgets/team-blue', { scope: { label: { team: 'blue' } }, tokens: 1000, on_spent: 'pause' });
  let killed = false;
  const runs = [];
  let allStarted;
  const started = new Promise((resolve) => { allStarted = resolve; });
  onCall = async () => {
    await started; // what starts a run would meet nobody
    if (killed) return;
    killed = true;
    await suite.scheduler.kill();
    await suite.scheduler.start();
  };
  const blue = { labels: { team: 'blue' } };
  for (let i = 0; i < RUNS; i++) runs.push(await suite.startRun('chat', {}, blue));
  allStarted();
  // 150, 300, 450, 600: then another one may take more than is left.
  const spent = await suite.until('four of them have ended', async () => {
    const budget = await budgetOf(suite, 'team-blue').catch(() => null);
    return budget?.spent.tokens >= 4 * USED && budget.reserved.tokens === 0 && budget.paused === RUNS - 4 && budget;
  });
  assert.ok(killed);
  assert.ok(most <= 2, `${most} at once`);
  assert.equal(spent.spent.tokens, 4 * USED, 'nothing was charged twice');
  assert.equal(spent.spent.usd, '0.0042'); // 4 x (50 x $1 + 100 x $10) per million
  assert.deepEqual(spent.remaining, { tokens: 400 });

  const states = await Promise.all(runs.map(({ id }) => suite.api.ok('GET', `/v1/runs/${id}?explain=true`)));
  const paused = states.filter((run) => run.status === 'suspended');
  assert.equal(paused.length, RUNS - 4);
  assert.ok(paused[0].waiting_for.some((one) => one.kind === 'paused' && one.reason.includes('team-blue')), JSON.stringify(paused[0].waiting_for));

  const raised = await suite.api.ok('PUT', '/v1/budgets/team-blue', { scope: { label: { team: 'blue' } }, tokens: 2000 });
  assert.equal(raised.on_spent, 'refuse');
  for (const { id } of runs) await suite.runEnds(id);
  const ended = await suite.until('all is settled', async () => {
    const budget = await budgetOf(suite, 'team-blue');
    return budget.reserved.tokens === 0 && budget;
  });
  assert.equal(ended.spent.tokens, RUNS * USED);

  // Refused where there is nothing left; whoever has another way takes it.
  await suite.api.ok('PUT', '/v1/budgets/team-blue', { scope: { label: { team: 'blue' } }, tokens: 901 });
  const calls = model.requests.length;
  const away = await suite.startRun('other-way', {}, blue);
  assert.deepEqual((await suite.runEnds(away.id)).output, { way: 'other' });
  const refused = await suite.runEnds((await suite.startRun('chat', {}, blue)).id, 'faulted');
  assert.equal(refused.error.status, 402);
  assert.equal(model.requests.length, calls);

  await suite.api.refused('PUT', '/v1/budgets/team-blue', { scope: 'namespace', tokens: 5 }, 409, 'conflict');
  await suite.api.ok('DELETE', '/v1/budgets/team-blue');
  await suite.runEnds((await suite.startRun('chat', {}, blue)).id);
  await suite.api.refused('GET', '/v1/budgets/team-blue', undefined, 404, 'not_found');
});

scenario('money needs a price', { needs: NEEDS, config }, async (suite) => {
  onCall = async () => {}; // that of the other scenario ends a process of its own
  await suite.apply(CHAT('dear', 'unknown', 100));
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', usd: '0.5', period: 'day', time_zone: 'Europe/Berlin' });
  const calls = model.requests.length;
  const run = await suite.runEnds((await suite.startRun('dear')).id, 'faulted');
  assert.equal(run.error.type, 'https://tutti.dev/errors/budget');
  assert.ok(run.error.detail.includes('unknown'), run.error.detail);
  assert.equal(model.requests.length, calls, 'nobody was called');
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', usd: '0.5', unpriced: 'allow' });
  await suite.runEnds((await suite.startRun('dear')).id);
  const budget = await suite.until('it is settled', async () => {
    const there = await budgetOf(suite, 'all');
    return there.unpriced_calls === 1 && there;
  });
  assert.equal(budget.reserved.usd, '0');
  await suite.api.ok('PUT', '/v1/budgets/more', { scope: 'namespace', tokens: 5 }, { headers: { 'tutti-namespace': 'other' } });
  const page = await suite.api.ok('GET', '/v1/budgets?page_size=1');
  const rest = await suite.api.ok('GET', `/v1/budgets?page_size=1&page_token=${page.next_page_token}`);
  assert.deepEqual([...page.items, ...rest.items].map(({ namespace, name }) => [namespace, name]), [['default', 'all'], ['other', 'more']]);
  assert.equal(rest.next_page_token, undefined);
  await suite.api.refused('PUT', '/v1/budgets/Bad%20Name', { scope: 'namespace', tokens: 5 }, 422, 'input_invalid');
});
