// Calls of models that are no jobs are charged to budgets: of a key, a label, a namespace, a day; once, also when the scheduler or the replica
// that made them dies between asking and settling; not at all those that the replica has not ended.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { partitionOf } from './support/ids.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const USED = 150; // tokens of each call: 50 asked, 100 answered
const MOST = 400; // of the answer, as the call says

let onCall = async () => {};
const model = await Upstream.start(async (request, count) => {
  await onCall(count);
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
const DONE = `
document: { dsl: '1.0.3', namespace: default, name: done, version: '1.0.0' }
do: [ { a: { set: { done: true } } } ]
`;
const WAITS = `
document: { dsl: '1.0.3', namespace: default, name: waits, version: '1.0.0' }
do: [ { a: { listen: { to: { one: { with: { type: go } } } } } } ]
`;
const BLUE = { headers: { 'tutti-labels': 'env=test, team=blue' } };

const chat = (suite, { name = 'smart', ...options } = BLUE) =>
  suite.api.call('POST', '/v1/chat/completions', { model: name, max_tokens: MOST, messages: [{ role: 'user', content: 'hi' }] }, options);
const settled = (suite, name, tokens) =>
  suite.until(`${name} has settled ${tokens} tokens`, async () => {
    const budget = await suite.api.ok('GET', `/v1/budgets/${name}`).catch(() => null);
    return budget?.reserved.tokens === 0 && budget.spent.tokens === tokens && budget;
  });
// The proxy hears within a second that there are budgets.
async function firstCharged(suite) {
  await suite.until('a call is charged', async () => {
    assert.equal((await chat(suite)).status, 200);
    const budget = await suite.api.ok('GET', '/v1/budgets/all');
    return budget.spent.tokens + budget.reserved.tokens > 0;
  });
  await settled(suite, 'all', USED);
}

scenario('clients are charged once over the death of the scheduler', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const plain = await chat(suite);
  assert.deepEqual([plain.status, plain.headers.get('tutti-provider'), plain.headers.get('tutti-model')], [200, 'test', 'm']);
  await suite.apply(DONE);
  const { created_by: key } = await suite.startRun('done');
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', tokens: 1000, period: 'day' });
  await suite.api.ok('PUT', '/v1/budgets/mine', { scope: { key }, tokens: 5000, usd: '1' });
  await suite.api.ok('PUT', '/v1/budgets/team-blue', { scope: { label: { team: 'blue' } }, tokens: 5000, on_spent: 'pause' });
  await suite.api.ok('PUT', '/v1/budgets/team-red', { scope: { label: { team: 'red' } }, tokens: 1 });
  await firstCharged(suite);

  onCall = async () => {
    onCall = async () => {};
    const { reserved } = await suite.api.ok('GET', '/v1/budgets/all');
    assert.ok(reserved.tokens > MOST, `${reserved.tokens}`);
    await suite.scheduler.kill();
    await suite.scheduler.start();
  };
  assert.equal((await chat(suite)).status, 200);
  await settled(suite, 'all', 2 * USED);
  assert.equal((await settled(suite, 'mine', 2 * USED)).spent.usd, '0.0021'); // 2 x (50 x $1 + 100 x $10) per million
  await settled(suite, 'team-blue', 2 * USED);
  await settled(suite, 'team-red', 0);
  const ratio = (name) => suite.scheduler.metric('tutti_budget_used_ratio', `budget="${name}"`);
  assert.equal(await ratio('all'), 0.3);
  assert.equal(await ratio('team-red'), 0);

  // Another one may take some 405 of the 700 that are left: the second waits for nobody.
  let letGo;
  const held = new Promise((resolve) => { letGo = resolve; });
  onCall = () => held;
  const slow = chat(suite);
  await suite.until('it is reserved', async () => (await suite.api.ok('GET', '/v1/budgets/all')).reserved.tokens > MOST);
  const later = await chat(suite);
  assert.equal(later.status, 429);
  assert.equal(later.body.error.code, 'rate_limited');
  assert.equal(later.headers.get('retry-after'), '1');
  onCall = async () => {};
  letGo();
  assert.equal((await slow).status, 200);
  await settled(suite, 'all', 3 * USED);

  // 450 + 150, then nothing fits.
  assert.equal((await chat(suite)).status, 200);
  await settled(suite, 'all', 4 * USED);
  const calls = model.requests.length;
  const spent = await chat(suite);
  assert.equal(spent.status, 402);
  assert.equal(spent.headers.get('x-should-retry'), 'false');
  assert.equal(spent.body.error.code, 'budget_exceeded');
  assert.equal(spent.body.error.type, 'budget_exceeded');
  assert.ok(spent.body.error.message.includes('budget `all`'), spent.body.error.message);
  assert.ok(Number(spent.headers.get('retry-after')) > 0, 'it begins anew at midnight');
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', tokens: 4 * USED });
  const vectors = await suite.api.call('POST', '/v1/embeddings', { model: 'smart', input: 'hi' });
  assert.equal(vectors.status, 402);
  assert.equal(vectors.body.error.code, 'budget_exceeded');
  assert.equal(vectors.headers.get('retry-after'), null);

  // Money needs a price; labels have a form.
  await suite.api.ok('DELETE', '/v1/budgets/all');
  const unpriced = await chat(suite, { name: 'unknown' });
  assert.equal(unpriced.status, 402);
  assert.equal(unpriced.body.error.code, 'price_unknown');
  assert.ok(unpriced.body.error.message.includes('`unknown`'), unpriced.body.error.message);
  assert.equal((await chat(suite, { headers: { 'tutti-labels': 'blue' } })).status, 400);
  assert.equal((await chat(suite, { headers: { 'tutti-labels': 'team=red' } })).body.error.code, 'budget_exceeded');
  assert.equal(model.requests.length, calls, 'nobody was called');
  assert.doesNotMatch((await suite['llm-proxy'].lines()).join('\n'), /"llm\.(request|answer)"|hello/, 'the log shows no content');
});

scenario('what has ended is charged by a proxy that stops, and by one that cannot reach anybody', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', tokens: 5000 });
  await firstCharged(suite);
  onCall = async () => {
    onCall = async () => {};
    await suite.scheduler.kill();
  };
  assert.equal((await chat(suite)).status, 200);
  await suite.scheduler.start();
  await suite.scheduler.ready();
  await settled(suite, 'all', 2 * USED);
  let stopped;
  onCall = async () => {
    onCall = async () => {};
    stopped = suite['llm-proxy'].stop();
  };
  await chat(suite);
  await settled(suite, 'all', 3 * USED);
  await stopped; // until then its ports are taken
  await suite['llm-proxy'].start();
});

// Tutti-Run. The run lives in one partition, the sums of clients and the budgets over many runs in another.
scenario('a call is charged to the run that it names', { needs: NEEDS, config: { ...config, scheduler: { partitions: 3 } }, checkNeeds: false }, async (suite) => {
  const COST = 0.00105; // 50 x $1 + 100 x $10 per million
  const ask = (run, options = {}) => chat(suite, { headers: { 'tutti-run': run, 'tutti-labels': 'env=test' }, ...options });
  const charged = (id, calls) =>
    suite.until(`${id} is charged with ${calls} calls`, async () => {
      const { usage } = await suite.api.patient('GET', `/v1/runs/${id}`);
      const tokens = (usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0);
      assert.ok(tokens <= calls * USED, `${tokens}`);
      return tokens === calls * USED && usage;
    });
  onCall = async () => {};
  await suite.apply(WAITS);
  await suite.apply(DONE);
  const start = async (more) => suite.startRun('waits', {}, more);
  const runs = [];
  const partitions = new Set();
  for (let i = 0; partitions.size < 3; i++) {
    assert.ok(i < 200, 'runs are spread over the partitions');
    const run = await start({ client_id: `mine-${i}`, budget: { tokens: 1000, usd: '1' }, labels: { team: 'blue' } });
    const partition = partitionOf(run.id);
    if (partitions.has(partition)) continue;
    partitions.add(partition);
    runs.push({ id: run.id, client: `mine-${i}`, key: run.created_by });
  }

  // Who cannot be charged is not called, in the words of each protocol.
  const ended = await suite.runEnds((await suite.startRun('done')).id, 'completed');
  const before = model.requests.length;
  for (const [run, status, code] of [['nobody', 404, 'not_found'], ['01ARZ3NDEKTSV4RRFFQ69G5FAV', 404, 'not_found'], [ended.id, 409, 'run_finished'], [' ', 400, 'invalid_request']]) {
    const refused = await ask(run);
    assert.deepEqual([refused.status, refused.body.error.code], [status, code], `${run}: ${JSON.stringify(refused.body)}`);
    assert.equal(refused.headers.get('x-should-retry'), 'false');
  }
  const claude = await suite.api.call('POST', '/v1/messages', { model: 'smart', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }, { headers: { 'tutti-run': ended.id, 'anthropic-version': '2023-06-01' } });
  assert.deepEqual([claude.status, claude.body.type, claude.body.error.type], [409, 'error', 'conflict_error'], JSON.stringify(claude.body));
  const gemini = await suite.api.call('POST', '/v1beta/models/smart:generateContent', { contents: [{ parts: [{ text: 'hi' }] }] }, { headers: { 'tutti-run': 'nobody' } });
  assert.deepEqual([gemini.status, gemini.body.error.status], [404, 'NOT_FOUND'], JSON.stringify(gemini.body));
  assert.equal(model.requests.length, before, 'nobody was called');

  // In whichever partition it lives: its sum, its history, a budget of its own and one over many runs, and the sums by day.
  await suite.api.ok('PUT', '/v1/budgets/blue', { scope: { label: { team: 'blue' } }, tokens: 100_000 });
  await suite.api.ok('PUT', '/v1/budgets/one', { scope: { run: runs[0].id }, tokens: 100_000 });
  await suite.api.ok('PUT', '/v1/budgets/none', { scope: { label: { team: 'none' } }, tokens: 1 });
  await suite.until('the proxy hears of budgets', async () => (await chat(suite, { name: 'unknown', headers: { 'tutti-labels': 'team=none' } })).status === 402);
  for (const run of runs) {
    assert.equal((await ask(run.id)).status, 200);
    assert.equal((await ask(run.client)).status, 200);
    const usage = await charged(run.id, 2);
    assert.deepEqual([usage.input_tokens, usage.output_tokens, Number(usage.cost_usd)], [100, 200, 2 * COST]);
    const { items } = await suite.api.ok('GET', `/v1/runs/${run.id}/history?page_size=100`);
    assert.equal(items.filter((event) => event.type === 'run.charged').length, 2, JSON.stringify(items));
  }
  await settled(suite, 'blue', 6 * USED);
  await settled(suite, 'one', 2 * USED);
  const sum = async (query) => (await suite.api.ok('GET', `/v1/usage?${query}`)).items;
  const of = async (query, value) => (await sum(query)).find((row) => row.value === value);
  for (const [query, value] of [['group_by=workflow', 'default/waits'], ['group_by=label:team', 'blue'], ['group_by=label:env', 'test'], ['group_by=model', 'test/m']]) {
    const row = await of(query, value);
    assert.deepEqual([row?.calls, Number(row?.cost_usd).toFixed(9)], [6, (6 * COST).toFixed(9)], `${query}: ${JSON.stringify(await sum(query))}`);
  }

  assert.equal(Number((await of('group_by=key', runs[0].key)).cost_usd).toFixed(9), (6 * COST).toFixed(9));

  // 700 are left. What is set aside for a call under way is not there for another one, and comes back when it fails.
  const { id } = runs[1];
  let letGo;
  const held = new Promise((resolve) => { letGo = resolve; });
  onCall = () => held;
  const asked = model.requests.length;
  const slow = ask(id);
  await suite.until('it is asked', () => model.requests.length === asked + 1);
  const later = await ask(id);
  assert.deepEqual([later.status, later.body.error.code], [429, 'rate_limited'], JSON.stringify(later.body));
  // Nor does the scheduler forget it.
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.scheduler.ready();
  const again = await suite.until('the scheduler answers', async () => { const said = await ask(id); return said.status !== 503 && said; });
  assert.equal(again.status, 429, JSON.stringify(again.body));
  onCall = async () => {};
  letGo();
  assert.equal((await slow).status, 200);
  await charged(id, 3);

  // 550 are left: one more, of 405 at most, and then nothing fits. A failed call gives back what was set aside for it.
  const failed = await ask(id, { name: 'unknown' });
  assert.deepEqual([failed.status, failed.body.error.code], [402, 'price_unknown'], JSON.stringify(failed.body));
  assert.equal((await ask(id)).status, 200);
  await charged(id, 4);
  const calls = model.requests.length;
  const spent = await ask(id);
  assert.deepEqual([spent.status, spent.body.error.code], [402, 'budget_exceeded'], JSON.stringify(spent.body));
  assert.match(spent.body.error.message, /run's budget/);
  assert.equal(model.requests.length, calls, 'nobody was called');

  // What had ended when the proxy died is charged by the next one, once.
  onCall = async () => {
    onCall = async () => {};
    await suite.scheduler.kill();
  };
  assert.equal((await ask(runs[2].id)).status, 200);
  await suite['llm-proxy'].kill();
  await suite.scheduler.start();
  await suite.scheduler.ready();
  await suite['llm-proxy'].start();
  await charged(runs[2].id, 3);
  await settled(suite, 'one', 2 * USED);
  await settled(suite, 'blue', 9 * USED);
  assert.deepEqual(await of('group_by=workflow', 'default/waits').then((row) => [row.calls, Number(row.cost_usd).toFixed(9)]), [9, (9 * COST).toFixed(9)]);

  // The log has it by its id, however clients name it.
  await suite.until('the log names the run', async () => {
    await ask(runs[0].client);
    return (await suite['llm-proxy'].lines()).some((line) => line.includes('"llm.response"') && line.includes(`"run":"${runs[0].id}"`));
  });
});
