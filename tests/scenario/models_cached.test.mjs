// Answers that are given again, and calls that wait for an equal one: in each protocol, streamed and not; nobody pays twice, and nobody
// gets what was said in another namespace.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const USAGE = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 };
const PRICE = 0.002; // of an answer, in dollars
const HITS = 17; // of the first test

let onCall = async () => {};
let finish = 'stop';
const says = [];
const model = await Upstream.start(async (request) => {
  const body = JSON.parse(request.body);
  await onCall(body);
  if (body.model === 'failing') return { status: 500, body: {} };
  const text = says.shift() ?? `answer ${model.requests.length}`;
  const thought = body.messages.at(-1).content === 'think' ? { reasoning_content: 'well' } : {};
  if (!body.stream) return { body: { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: text, ...thought }, finish_reason: finish }], usage: USAGE } };
  const chunk = (delta, reason = null) => `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
  return { headers: { 'content-type': 'text/event-stream' }, text: `${chunk({ content: text.slice(0, 3), ...thought })}${chunk({ content: text.slice(3) })}${chunk({}, finish)}data: ${JSON.stringify({ id: 'x', choices: [], usage: USAGE })}\n\ndata: [DONE]\n\n` };
});
after(() => model.stop());

const config = {
  limits: { breaker: { failures: 100, window: '1ms' } },
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1` } },
    prices: { 'test/m': { input: '1', output: '10' } },
    routes: {
      kept: { targets: [{ model: 'test/m' }], cache: { max_age: '1h' } },
      careful: { targets: [{ model: 'test/m' }], cache: { max_age: '1h' }, defaults: { temperature: 0 } },
      failing: { targets: [{ model: 'test/failing' }], retry: { attempts: 1 }, cache: { max_age: '1h' } },
    },
  },
};
const ASKS = `
document: { dsl: '1.0.3', namespace: default, name: asks, version: '1.0.0' }
do:
  - a: { call: llm.chat, with: { model: kept, prompt: job } , output: { as: .content } }
  - b: { call: llm.chat, with: { model: kept, prompt: job, cache: false }, output: { as: .content } }
  - c: { call: llm.chat, with: { model: test/m, prompt: job, cache: 1h }, output: { as: .content } }
`;
const SHAPED = `
document: { dsl: '1.0.3', namespace: default, name: shaped, version: '1.0.0' }
do:
  - a:
      try:
        - b: { call: llm.chat, with: { model: test/m, prompt: shaped, cache: 1h, schema: { type: object, required: [n] } }, output: { as: .content.n } }
      catch: { retry: { delay: PT0S, limit: { attempt: { count: 5 } } } }
`;

const said = ({ body, text }) => {
  if (!body) return text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6))).map((event) => event.choices?.[0]?.delta?.content ?? event.delta?.text ?? event.candidates?.[0]?.content?.parts?.[0]?.text ?? '').join('');
  return body.choices?.[0]?.message.content ?? body.content?.[0]?.text ?? body.candidates?.[0]?.content.parts[0].text;
};
const cached = (answer) => answer.headers.get('tutti-cache');
const claude = (suite, more) => suite.api.call('POST', '/v1/messages', { model: 'kept', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }], ...more });
const gemini = (suite, more, verb = 'generateContent') => suite.api.call('POST', `/v1beta/models/kept:${verb}`, { contents: [{ role: 'user', parts: [{ text: 'hi' }] }], ...more });
const ask = (suite, body, headers = {}) => suite.api.call('POST', '/v1/chat/completions', { model: 'kept', messages: [{ role: 'user', content: 'hi' }], ...body }, { headers });

scenario('an answer is given again as long as it may, and only to its equals', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const first = await ask(suite, {});
  assert.deepEqual([first.status, cached(first), first.headers.get('age')], [200, 'miss', null]);
  assert.equal(Number(first.headers.get('tutti-cost-usd')), PRICE);
  const hits = [
    ask(suite, {}), ask(suite, { user: 'somebody', metadata: { a: 'b' } }), ask(suite, { stream: true }), ask(suite, { stream: true, stream_options: { include_usage: true } }),
    ask(suite, { model: 'test/m' }, { 'cache-control': 'max-age=60' }), ask(suite, {}, { 'cache-control': 'Max-Age = 9999999999999999' }),
  ];
  for (const hit of await Promise.all(hits)) {
    assert.deepEqual([hit.status, cached(hit), said(hit)], [200, 'hit', said(first)], hit.text);
    assert.ok(Number(hit.headers.get('age')) >= 0);
    if (hit.body) assert.deepEqual([hit.headers.get('tutti-cost-usd'), hit.body.usage.total_tokens], ['0', 1100]);
  }
  assert.equal(model.requests.length, 1);
  assert.match((await hits[3]).text, /"total_tokens":1100/);

  // Whatever may change the answer makes another request; so does who asks.
  const others = [
    [{ temperature: 0.5 }], [{ model: 'careful' }], [{ messages: [{ role: 'user', content: 'ho' }] }], [{ seed: 1 }], [{}, { 'tutti-namespace': 'other' }], [{}, { 'cache-control': 'max-age=0' }], [{}, { 'cache-control': 'no-cache' }],
  ];
  for (const [body, headers] of others) assert.equal(cached(await ask(suite, body, headers)), 'miss', JSON.stringify([body, headers]));
  for (const [body, headers] of [[{}, { 'cache-control': 'no-store, max-age=60' }], [{ logprobs: true }], [{ model: 'test/m' }]]) {
    assert.equal(cached(await ask(suite, body, headers)), null, JSON.stringify([body, headers]));
  }
  assert.equal(model.requests.length, 1 + others.length + 3);

  // A stream is kept as well, and comes whole where it is asked for whole.
  const streamed = await ask(suite, { stream: true, messages: [{ role: 'user', content: 'streamed' }] });
  const whole = await ask(suite, { messages: [{ role: 'user', content: 'streamed' }] });
  assert.deepEqual([cached(streamed), cached(whole), said(whole)], ['miss', 'hit', said(streamed)]);

  // So does one to clients of another protocol, with what it has used in their words; if it has what only one of them knows, not.
  const [asked, short] = [model.requests.length, { generationConfig: { maxOutputTokens: 9 } }];
  const newest = said(await ask(suite, {}));
  const given = [await gemini(suite), await gemini(suite, {}, 'streamGenerateContent?alt=sse')];
  for (const answer of given) assert.deepEqual([cached(answer), said(answer), answer.headers.get('tutti-cost-usd') ?? '0'], ['hit', newest, '0']);
  assert.deepEqual([given[0].body.usageMetadata.promptTokenCount, given[0].body.usageMetadata.candidatesTokenCount], [1000, 100]);
  const brief = [await claude(suite), await claude(suite, { stream: true }), await ask(suite, { max_tokens: 9 }), await ask(suite, { stream: true, max_completion_tokens: 9 }), await gemini(suite, short)];
  assert.deepEqual(brief.map(cached), ['miss', 'hit', 'hit', 'hit', 'hit']);
  assert.equal(new Set(brief.map(said)).size, 1);
  assert.deepEqual([brief[0].body.usage.input_tokens, brief[2].body.usage.total_tokens], [1000, 1100]);
  const think = { messages: [{ role: 'user', content: 'think' }], max_tokens: 9 };
  const thoughts = [await ask(suite, think), await claude(suite, think), await ask(suite, think), await claude(suite, think)];
  assert.deepEqual(thoughts.map(cached), ['miss', 'miss', 'hit', 'hit']);
  assert.deepEqual([await claude(suite, { system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }] }), await ask(suite, { max_tokens: 9, verbosity: 'low' })].map(cached), ['miss', 'miss']);
  assert.equal(model.requests.length, asked + 5);

  // What is not whole is not kept.
  finish = 'length';
  for (let i = 0; i < 2; i++) assert.equal(cached(await ask(suite, { messages: [{ role: 'user', content: 'long' }] })), 'miss');
  finish = 'stop';

  const before = model.requests.length;
  await suite.apply(ASKS);
  const run = await suite.runEnds((await suite.startRun('asks')).id);
  assert.equal(model.requests.length, before + 2);
  assert.equal(run.usage.cost_usd, `${2 * PRICE}`);
  const { total } = await suite.api.ok('GET', '/v1/usage', undefined, { headers: { 'tutti-namespace': 'default' } });
  assert.equal(total.saved_calls >= 1, true);
  await suite.until('all calls are counted', async () => {
    const { total: sum } = await suite.api.ok('GET', '/v1/usage');
    return sum.calls - sum.saved_calls === model.requests.length && sum.saved_calls === HITS && sum.saved_usd === `${HITS * PRICE}`;
  });
  assert.equal(await suite['llm-proxy'].metric('tutti_llm_cache_requests_total', 'result="hit"'), HITS);
  const { latency } = await suite.api.ok('GET', '/v1/llm/providers/test');
  assert.equal(latency.calls, model.requests.length, 'how fast the provider is, answers from before do not say');
  assert.ok(Math.abs(await suite['llm-proxy'].metric('tutti_llm_saved_usd_total') - HITS * PRICE) < 1e-9);

  // And it is there after the death of the proxy.
  await suite['llm-proxy'].kill();
  await suite['llm-proxy'].start();
  const count = model.requests.length;
  const kept = await suite.until('it is back', async () => {
    const answer = await ask(suite, {}, { 'cache-control': 'max-age=3600' });
    return answer.status === 200 && answer;
  });
  assert.deepEqual([cached(kept), kept.headers.get('tutti-cost-usd'), model.requests.length], ['hit', '0', count]);
});

scenario('equal calls wait for the first; if it fails or is given up the next one goes', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const CROWD = 20;
  let letGo;
  let held = new Promise((resolve) => { letGo = resolve; });
  onCall = () => held;
  const joined = () => suite['llm-proxy'].metric('tutti_llm_cache_requests_total', 'result="joined"');
  const from = model.requests.length + 1;
  const crowd = Array.from({ length: CROWD }, (_, i) => (i % 3 === 1 ? gemini(suite) : ask(suite, { stream: i % 2 === 0 })));
  await suite.until('one is under way', () => model.requests.length === from);
  letGo();
  const answers = await Promise.all(crowd);
  assert.equal(model.requests.length, from);
  assert.equal(new Set(answers.map(said)).size, 1);
  assert.equal(answers.filter((answer) => cached(answer) === 'miss').length, 1);
  assert.ok(answers.every((answer) => ['miss', 'joined', 'hit'].includes(cached(answer))));
  assert.equal(await joined(), answers.filter((answer) => cached(answer) === 'joined').length);

  // Nobody gets the failure of another: each goes, one after the other.
  onCall = async () => {};
  const failures = await Promise.all(Array.from({ length: 3 }, () => ask(suite, { model: 'failing' })));
  assert.deepEqual(failures.map((answer) => answer.status), [502, 502, 502]);
  assert.equal(model.requests.length, from + 3);

  // The first one gives up while others wait.
  held = new Promise((resolve) => { letGo = resolve; });
  onCall = () => held;
  const body = JSON.stringify({ model: 'kept', messages: [{ role: 'user', content: 'again' }] });
  const stop = new AbortController();
  const given = fetch(`${suite.url}/v1/chat/completions`, { method: 'POST', body, signal: stop.signal, headers: { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json' } }).catch(() => null);
  await suite.until('it is under way', () => model.requests.length === from + 4);
  const next = ask(suite, { messages: [{ role: 'user', content: 'again' }] });
  stop.abort();
  await given;
  await suite.until('the next one goes', () => model.requests.length === from + 5);
  letGo();
  assert.equal((await next).status, 200);

  // An answer with thoughts serves its own protocol: those of another one that have waited for it are one request, too.
  held = new Promise((resolve) => { letGo = resolve; });
  const [think, streams] = [{ messages: [{ role: 'user', content: 'think' }], max_tokens: 9 }, () => suite['llm-proxy'].metric('tutti_llm_streams_open')];
  const leader = ask(suite, think);
  await suite.until('it leads', () => model.requests.length === from + 6);
  const others = Array.from({ length: 3 }, () => claude(suite, { ...think, stream: true }));
  await suite.until('they wait', async () => await streams() === others.length);
  letGo();
  assert.deepEqual([cached(await leader), (await Promise.all(others)).map(cached).sort()], ['miss', ['joined', 'joined', 'miss']]);
  assert.equal(model.requests.length, from + 7);
  onCall = async () => {};
});

scenario('an answer of another shape than asked for is bought once, and given to nobody again', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const before = model.requests.length;
  says.push('no JSON', '{ "m": 1 }', '{ "n": 7 }');
  await suite.apply(SHAPED);
  const run = await suite.runEnds((await suite.startRun('shaped')).id);
  assert.deepEqual([run.status, run.output], ['completed', 7], JSON.stringify(run));
  assert.equal(model.requests.length, before + 3);
  assert.equal(run.usage.cost_usd, `${3 * PRICE}`); // what was produced is paid for
  const again = await suite.runEnds((await suite.startRun('shaped')).id);
  assert.deepEqual([again.output, model.requests.length], [7, before + 3]);
});
