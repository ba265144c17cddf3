// Limits of API keys: requests, starts of runs, tokens and calls of models at a time, to the request over two gateways, over the death of the
// scheduler; in the words of each protocol; and when a key was last used.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after } from 'node:test';
import { Anthropic, OpenAI } from './support/packages.mjs';
import { Service } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
let waiting = [];
const upstream = await Upstream.start(async ({ body }) => {
  if (body.includes('wait')) await new Promise((resolve) => { waiting.push(resolve); });
  return { body: { id: 'x', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }], usage: { prompt_tokens: 400, completion_tokens: 100, total_tokens: 500 } } };
});
after(() => upstream.stop());

const config = { llm: { providers: { up: { type: 'openai-compatible', base_url: `${upstream.url}/v1`, price: 'free' } }, routes: { up: { targets: [{ model: 'up/m' }] } } } };
const nothing = "document: { dsl: '1.0.3', namespace: default, name: nothing, version: '1.0.0' }\ndo:\n  - one: { set: { a: 1 } }\n";

const keyWith = (suite, limits, roles = ['developer']) => suite.api.ok('POST', '/v1/api-keys', { name: 'limited', roles, limits });
const chat = (suite, key, text = 'hi') => suite.api.call('POST', '/v1/chat/completions', { model: 'up', messages: [{ role: 'user', content: text }] }, { key });

scenario('requests and starts are let pass to the one, over gateways and over kill -9', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const second = new Service('tutti-gateway-2', suite.folder, join(suite.folder, 'tutti.yaml'), 'tutti-gateway');
  try {
    await second.start();
    await second.ready();
    await suite.apply(nothing);
    const doors = [suite.url, `http://${second.host}:${second.port}`];
    const { key, id, limits } = await keyWith(suite, { requests_per_minute: 6, starts_per_minute: 2 });
    assert.deepEqual(limits, { requests_per_minute: 6, starts_per_minute: 2 });
    const from = Date.now();
    const due = () => 6 + Math.floor((Date.now() - from) / 10_000); // one more each ten seconds
    const get = (door) => fetch(`${door}/v1/queues`, { headers: { authorization: `Bearer ${key}` } }).then(async (answer) => ({ status: answer.status, headers: answer.headers, body: await answer.json() }));
    let passed = 0;
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => get(doors[i % 2])));
    passed += answers.filter(({ status }) => status === 200).length;
    assert.ok(passed >= 6 && passed <= due(), `${passed} of ${due()}`);
    const refused = answers.find(({ status }) => status === 429);
    assert.deepEqual([refused.body.code, refused.body.retryable], ['rate_limited', true]);
    assert.match(refused.body.detail, /requests a minute/);
    const seconds = Number(refused.headers.get('retry-after'));
    assert.ok(seconds >= 1 && seconds <= 10, `${seconds}`);
    assert.equal(refused.headers.get('ratelimit-policy'), '"requests";q=6;w=60');
    assert.match(refused.headers.get('ratelimit'), /^"requests";r=0;t=\d+$/);

    // What is used up stays so.
    await suite.killScheduler();
    const after = await suite.until('it is told again', async () => { const answer = await get(doors[1]); return answer.status !== 503 && answer.status !== 401 ? answer : null; });
    passed += after.status === 200 ? 1 : 0;
    assert.ok(passed <= due(), `${passed} of ${due()}`);

    // Starts of runs, also in batches: none of a batch that does not fit.
    const starter = await keyWith(suite, { starts_per_minute: 2 });
    const start = { workflow: 'nothing' };
    await suite.api.ok('POST', '/v1/runs', start, { key: starter.key });
    const batch = await suite.api.call('POST', '/v1/runs/batch', { items: [start, start] }, { key: starter.key });
    assert.deepEqual([batch.status, batch.body.code], [429, 'rate_limited']);
    assert.match(batch.body.detail, /starts a minute/);
    await suite.api.ok('POST', '/v1/runs', start, { key: starter.key });
    await suite.api.refused('POST', '/v1/runs', start, 429, 'rate_limited', { key: starter.key });
    assert.equal((await suite.api.call('GET', '/v1/runs', undefined, { key: starter.key })).status, 200, 'reading is no start');

    // When it was used is told at the latest when a gateway stops.
    assert.equal((await suite.api.ok('GET', `/v1/api-keys/${starter.id}`)).limits.starts_per_minute, 2);
    await second.stop();
    const used = await suite.until('it was used', async () => (await suite.api.ok('GET', `/v1/api-keys/${id}`)).last_used_at);
    assert.ok(used.endsWith(':00.000Z') && Math.abs(Date.parse(used) - Date.now()) < 600_000, used);
    const unused = await suite.api.ok('POST', '/v1/api-keys', { name: 'new', roles: ['viewer'] });
    assert.deepEqual([unused.last_used_at, unused.limits], [undefined, undefined]);
    for (const [limit, most] of [['requests_per_minute', 0], ['parallel', 1001], ['parallel', 1.5], ['tokens_per_minute', 2e9], ['per_day', 1]]) {
      await suite.api.refused('POST', '/v1/api-keys', { name: 'x', roles: ['viewer'], limits: { [limit]: most } }, 400, 'invalid_request');
    }
  } finally {
    await second.kill();
  }
});

scenario('calls of models at a time, and tokens, are held by the scheduler', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  // Two at a time: the third is refused at once; who has gone or has ended lets the next one in.
  const two = await keyWith(suite, { parallel: 2, requests_per_minute: 1000 }, ['model_client']);
  const leaving = new AbortController();
  const first = fetch(`${suite.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${two.key}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'up', messages: [{ role: 'user', content: 'wait' }] }), signal: leaving.signal }).catch(() => 'left');
  await suite.until('the first is there', () => waiting.length === 1);
  const open = chat(suite, two.key, 'wait');
  await suite.until('so is the second', () => waiting.length === 2);
  const openai = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: two.key, maxRetries: 0 });
  await assert.rejects(openai.chat.completions.create({ model: 'up', messages: [{ role: 'user', content: 'hi' }] }), (error) => {
    assert.deepEqual([error.status, error.code, error.headers.get('x-should-retry'), error.headers.get('retry-after')], [429, 'rate_limited', 'true', '1']);
    assert.deepEqual([error.headers.get('x-ratelimit-limit-requests'), Number(error.headers.get('x-ratelimit-remaining-requests')) > 900], ['1000', true]);
    return true;
  });
  const anthropic = new Anthropic({ baseURL: suite.url, apiKey: two.key, maxRetries: 0 });
  const message = { model: 'up', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] };
  await assert.rejects(anthropic.messages.create(message), (error) => {
    assert.deepEqual([error.status, error.error.error.type, error.headers.get('anthropic-ratelimit-requests-limit')], [429, 'rate_limit_error', '1000']);
    assert.ok(Date.parse(error.headers.get('anthropic-ratelimit-requests-reset')) > 0);
    return true;
  });
  assert.ok((await anthropic.messages.countTokens({ model: 'up', messages: message.messages })).input_tokens > 0, 'counting is no call');
  assert.equal(upstream.count('/v1/chat/completions'), 2, 'nobody else was asked');
  leaving.abort();
  assert.equal(await first, 'left');
  await suite.until('its place is free', async () => (await chat(suite, two.key)).status === 200);
  for (const go of waiting.splice(0)) go();
  assert.equal((await open).status, 200);

  // Of each call 500 tokens are taken when it has ended: the bucket of 1,200 lets three go, and owes what is above it, also after kill -9.
  const spender = await keyWith(suite, { tokens_per_minute: 1200 }, ['model_client']);
  let spent = 0;
  let sentAt;
  const last = await suite.until('the tokens are used up', async () => {
    sentAt = Date.now();
    const answer = await chat(suite, spender.key);
    spent += answer.status === 200 ? 500 : 0;
    return answer.status === 429 ? answer : null;
  });
  assert.ok(spent >= 1200, `${spent}`);
  assert.match(last.body.error.message, /tokens a minute/);
  assert.equal(last.headers.get('x-ratelimit-limit-tokens'), '1200');
  const opensAt = sentAt + (Number(last.headers.get('retry-after')) - 1) * 1000; // at the soonest: more may be reported meanwhile
  await suite.killScheduler();
  const again = await suite.until('it says so again', async () => { const answer = await chat(suite, spender.key); return answer.status !== 503 && answer.status !== 401 ? answer : null; });
  assert.ok(again.status === 429 || Date.now() >= opensAt, `${again.status} ${opensAt - Date.now()} ms too soon`);
});
