// Calls of models that are no jobs are charged to budgets: of a key, a label, a namespace, a day; once, also when the scheduler dies between
// asking and settling, and not at all when the replica that made them dies.
import assert from 'node:assert/strict';
import { after } from 'node:test';
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
