// GET /v1/usage says what upstreams have charged, to the last nano-dollar, and budgets are charged with exactly that: calls of clients of every
// protocol, streamed and not, cut, given up, tried again, free, without a price, of jobs; while the llm-proxy and the scheduler are killed.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const CALLS = process.env.TUTTI_LONG ? 10_080 : 240;
const AT_ONCE = 16;
const PRICES = { input: '2.500001', output: '15.123457', cache_read: '0.250003' };
const PICOS = { input: 2_500_001n, output: 15_123_457n, cache_read: 250_003n }; // of a token

// What an upstream says that the n-th call has used.
const usedBy = (n) => ({ input: 1000 + n * 7, output: 1 + (n % 97), cached: n % 331 });
const openai = ({ input, output, cached }) => ({ prompt_tokens: input, completion_tokens: output, total_tokens: input + output, prompt_tokens_details: { cached_tokens: cached } });
const event = (data) => `data: ${JSON.stringify(data)}\n\n`;
const chunk = (delta, more = {}) => event({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: null }], ...more });
const STOP = event({ id: 'x', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });

// The prompt says which call it is, the model's name what becomes of it.
const tries = new Map();
const answers = {
  whole: (n, body, answer) => {
    if (!body.stream) return answer.end(JSON.stringify({ id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }], usage: openai(usedBy(n)) }));
    return answer.end(chunk({ content: 'hello' }) + STOP + event({ id: 'x', choices: [], usage: openai(usedBy(n)) }) + 'data: [DONE]\n\n');
  },
  // Before anything is meant it says what it has used, and dies; the next try is fine. Both are charged.
  twice: (n, body, answer) => {
    tries.set(n, (tries.get(n) ?? 0) + 1);
    if (tries.get(n) > 1) return answers.whole(n, body, answer);
    return answer.write(event({ id: 'x', choices: [], usage: openai(usedBy(n + 1)) }), () => answer.destroy());
  },
  cut: (n, body, answer) => answer.write(chunk({ content: 'x'.repeat(n % 50 + 1) }), () => answer.destroy()),
  endless: (n, body, answer) => answer.write(chunk({ content: 'so far' }, { usage: openai(usedBy(n)) })),
  refused: (n, body, answer) => answer.writeHead(400).end('{"error":{"message":"no"}}'),
  vectors: (n, body, answer) => answer.end(JSON.stringify({ data: body.input.map((_, index) => ({ index, embedding: [1, 2] })), model: 'm', usage: { prompt_tokens: usedBy(n).input, total_tokens: usedBy(n).input } })),
  anthropic: (n, body, answer) => {
    const used = usedBy(n);
    const usage = { input_tokens: used.input - used.cached, cache_read_input_tokens: used.cached, output_tokens: used.output };
    const message = { id: 'x', type: 'message', role: 'assistant', model: 'm' };
    if (!body.stream) return answer.end(JSON.stringify({ ...message, content: [{ type: 'text', text: 'hello' }], stop_reason: 'end_turn', usage }));
    const say = (data) => answer.write(`event: ${data.type}\n${event(data)}`);
    say({ type: 'message_start', message: { ...message, content: [], usage: { ...usage, output_tokens: 1 } } });
    say({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
    say({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } });
    say({ type: 'content_block_stop', index: 0 });
    say({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: used.output } });
    say({ type: 'message_stop' });
    return answer.end();
  },
};
const upstream = createServer((request, answer) => {
  let text = '';
  request.on('data', (bytes) => { text += bytes; });
  request.on('end', () => {
    const body = JSON.parse(text);
    const n = Number(/call (\d+)/.exec(text)[1]);
    const what = request.url.endsWith('/messages') ? 'anthropic' : request.url.endsWith('/embeddings') ? 'vectors' : body.model;
    answer.setHeader('content-type', body.stream ? 'text/event-stream' : 'application/json');
    (answers[what] ?? answers.whole)(n, body, answer);
  });
});
await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
after(() => { upstream.closeAllConnections(); upstream.close(); });
const url = `http://127.0.0.1:${upstream.address().port}`;

const config = {
  limits: { breaker: { failures: 100, window: '1ms' } },
  llm: {
    providers: {
      test: { type: 'openai-compatible', base_url: `${url}/v1`, embed: { batch: 1, concurrency: 256 } },
      free: { type: 'openai-compatible', base_url: `${url}/v1`, price: 'free' },
      claude: { type: 'anthropic', base_url: url },
    },
    prices: Object.fromEntries(['test/whole', 'test/twice', 'test/cut', 'test/endless', 'test/refused', 'claude/m'].map((model) => [model, PRICES])),
    routes: { twice: { targets: [{ model: 'test/twice' }], retry: { attempts: 2, delay: '1ms' } } },
  },
};
const TALK = `
document: { dsl: '1.0.3', namespace: default, name: talk, version: '1.0.0' }
do: [ { ask: { call: llm.chat, with: { model: test/whole, prompt: '\${ "call \\($workflow.input.n)" }' } } } ]
`;

const cost = ({ input, output, cached }) => (BigInt(input - cached) * PICOS.input + BigInt(cached) * PICOS.cache_read + BigInt(output) * PICOS.output + 500n) / 1000n;
const plus = (used, more) => ({ input: used.input + more.input, output: used.output + more.output, cached: used.cached + more.cached });
const words = (n) => `call ${n}`;
// Nobody has said what it used: a token for every four bytes.
const guessed = (n) => ({ input: Math.ceil(words(n).length / 4), output: Math.ceil((n % 50 + 1) / 4), cached: 0 });

const chat = (model, more = {}) => (n) => ['/v1/chat/completions', { model, messages: [{ role: 'user', content: words(n) }], ...more }];
const anthropic = (model, more = {}) => (n) => ['/v1/messages', { model, max_tokens: 100, messages: [{ role: 'user', content: words(n) }], ...more }];
const gemini = (model, what) => (n) => [`/v1beta/models/${model}:${what}`, { contents: [{ role: 'user', parts: [{ text: words(n) }] }] }];
const FREE = 0n;
const kinds = [
  { ask: chat('test/whole') },
  { ask: chat('test/whole', { stream: true, stream_options: { include_usage: true } }) },
  { ask: chat('test/whole', { stream: true }) },
  { ask: chat('test/cut', { stream: true }), used: guessed },
  { ask: anthropic('claude/m') },
  { ask: anthropic('claude/m', { stream: true }) },
  { ask: anthropic('test/whole', { stream: true }) },
  { ask: gemini('test%2Fwhole', 'generateContent') },
  { ask: gemini('claude%2Fm', 'streamGenerateContent?alt=sse') },
  { ask: (n) => ['/v1/embeddings', { model: 'test/whole', input: [words(n), words(n)] }], used: (n) => ({ input: usedBy(n).input, output: 0, cached: 0 }) },
  { ask: chat('test/nobody-knows'), cost: () => FREE, isUnpriced: true },
  { ask: chat('free/whole'), cost: () => FREE },
  { ask: chat('simulated'), isSimulated: true },
  { ask: chat('test/refused'), status: 400, used: () => null },
  { ask: chat('twice', { stream: true }), used: (n) => plus(usedBy(n), usedBy(n + 1)), cost: (n) => cost(usedBy(n)) + cost(usedBy(n + 1)) },
  { ask: chat('test/endless', { stream: true }), givesUp: true },
];

class Sum {
  constructor() { Object.assign(this, { calls: 0, input: 0, output: 0, cached: 0, cost: 0n, unpriced: 0, simulated: 0 }); }
  add(used, nanos, kind) {
    this.calls += 1;
    if (kind.isUnpriced) this.unpriced += 1;
    if (kind.isSimulated) this.simulated += 1;
    for (const key of ['input', 'output', 'cached']) this[key] += used[key];
    this.cost += nanos;
  }
}
const nanos = (text) => {
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
};
const shown = (item) => ({ calls: item.calls, input: item.input_tokens, output: item.output_tokens, cached: item.cached_tokens, cost: nanos(item.cost_usd), unpriced: item.unpriced_calls, simulated: item.simulated_calls });

// One call; what it has used is added to the sums that are its.
async function call(suite, n, sums) {
  const kind = kinds[n % kinds.length];
  const [path, body] = kind.ask(n);
  const team = n % 3 ? 'blue' : 'red';
  const headers = { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json', 'tutti-labels': `team=${team}`, ...(n % 5 ? {} : { 'tutti-namespace': 'other' }) };
  const answer = await fetch(suite.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(answer.status, kind.status ?? 200, `${n}: ${path}`);
  let text = '';
  if (kind.givesUp) {
    const reader = answer.body.getReader();
    while (!text.includes('so far')) text += Buffer.from((await reader.read()).value).toString();
    await reader.cancel();
  } else {
    text = await answer.text().catch(() => '');
  }
  let used = (kind.used ?? usedBy)(n);
  if (kind.isSimulated) {
    const said = JSON.parse(text).usage;
    used = { input: said.prompt_tokens, output: said.completion_tokens, cached: 0 };
  }
  if (!used) return;
  const charged = kind.isSimulated ? 0n : (kind.cost ?? ((m) => cost((kind.used ?? usedBy)(m))))(n);
  const told = answer.headers.get('tutti-cost-usd');
  if (told && told !== 'unknown') assert.equal(nanos(told), charged, `${n}: ${path}`);
  for (const sum of ['total', team, n % 5 ? 'default' : 'other']) sums[sum].add(used, charged, kind);
}

async function callAll(suite, from, until, sums) {
  let next = from;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < until) await call(suite, next++, sums);
  }));
}

// Calls find the proxy, and it the scheduler; this one costs nothing.
const reached = (suite) => suite.until('a call gets through', async () => (await suite.api.call('POST', ...chat('test/refused')(0))).status === 400);

// Of a namespace, a key, a label, and of a day: all that is called here is charged to two or three of them.
const PLENTY = { tokens: 1_000_000_000, usd: '1000000', unpriced: 'allow' };
const SCOPES = {
  all: () => ({ scope: 'namespace' }),
  daily: () => ({ scope: 'namespace', period: 'day' }),
  mine: (suite) => ({ scope: { key: suite.key.split('_')[1] } }),
  blue: () => ({ scope: { label: { team: 'blue' } } }),
  red: () => ({ scope: { label: { team: 'red' } } }),
};
const IN = (namespace) => ({ headers: { 'tutti-namespace': namespace } });

async function putBudgets(suite) {
  for (const namespace of ['default', 'other']) {
    for (const [name, scope] of Object.entries(SCOPES)) await suite.api.ok('PUT', `/v1/budgets/${name}`, { ...scope(suite), ...PLENTY }, IN(namespace));
  }
  await suite.api.ok('PUT', '/v1/budgets/none', { scope: { label: { team: 'none' } }, tokens: 1 });
  const none = { headers: { 'tutti-labels': 'team=none' } };
  await suite.until('the proxy knows of budgets', async () => (await suite.api.call('POST', ...chat('test/refused')(0), none)).status === 402);
}

// What budgets have been charged is what is counted, and nothing is set aside any more but for `died`: that comes back half a minute later.
async function compareBudgets(suite, died = false) {
  const counted = (item) => ({ tokens: (item?.input_tokens ?? 0) + (item?.output_tokens ?? 0), cost: nanos(item?.cost_usd ?? '0') });
  for (const namespace of ['default', 'other']) {
    const usage = (query) => suite.api.ok('GET', `/v1/usage?${query}`, undefined, IN(namespace));
    const spent = async (name) => {
      const budget = await suite.api.ok('GET', `/v1/budgets/${name}`, undefined, IN(namespace));
      return { tokens: budget.spent.tokens, cost: nanos(budget.spent.usd), reserved: died ? 0 : budget.reserved.tokens };
    };
    await suite.until('all is told', async () => (await suite['llm-proxy'].metric('tutti_llm_journal_bytes')) === 0);
    await suite.until('nothing is set aside', async () => (await Promise.all(Object.keys(SCOPES).map(spent))).every(({ reserved }) => reserved === 0));
    const { total } = await usage('group_by=key');
    const teams = (await usage('group_by=label:team')).items;
    const expected = { all: total, daily: total, mine: total, ...Object.fromEntries(['blue', 'red'].map((team) => [team, teams.find(({ value }) => value === team)])) };
    for (const [name, item] of Object.entries(expected)) assert.deepEqual(await spent(name), { ...counted(item), reserved: 0 }, `${namespace}: ${name}`);
  }
}

// Nobody knows which of these calls have ended when their llm-proxy dies: budgets and sums have the same ones.
async function callThroughKills(suite, first) {
  let next = first;
  let isOver = false;
  let answered = 0;
  const load = Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (!isOver) {
      const [path, body] = kinds[next % kinds.length].ask(next);
      const team = next++ % 3 ? 'blue' : 'red';
      const headers = { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json', 'tutti-labels': `team=${team}` };
      const gone = AbortSignal.timeout(500);
      const answer = await fetch(suite.url + path, { method: 'POST', headers, body: JSON.stringify(body), signal: gone }).catch(() => null);
      const text = await answer?.text().catch(() => '');
      if (text?.includes('hello')) answered += 1;
    }
  }));
  const some = (what) => {
    const from = answered;
    return suite.until(`calls are answered ${what}`, () => answered >= from + 2 * AT_ONCE);
  };
  await some('at first');
  for (const killed of [['llm-proxy'], ['scheduler'], ['scheduler', 'llm-proxy']]) {
    for (const process of killed) await suite[process].kill();
    for (const process of killed) await suite[process].start();
    await some(`after ${killed} died`);
  }
  isOver = true;
  await load;
  await suite.until('all calls have ended', async () => (await suite['llm-proxy'].metric('tutti_llm_streams_open')) === 0);
}

scenario('usage of mixed calls is what upstreams have charged, and budgets are charged with it', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const sums = Object.fromEntries(['total', 'blue', 'red', 'default', 'other'].map((name) => [name, new Sum()]));
  const usage = (query, namespace = 'default') => suite.api.ok('GET', `/v1/usage?${query}`, undefined, { headers: { 'tutti-namespace': namespace } });
  await suite.apply(TALK);
  await putBudgets(suite);
  const runs = [];
  for (let n = 0; n < CALLS / 40; n++) {
    runs.push((await suite.startRun('talk', { n })).id);
    for (const name of ['total', 'default']) sums[name].add(usedBy(n), cost(usedBy(n)), {});
  }
  for (const id of runs) await suite.runEnds(id);

  await callAll(suite, 0, CALLS / 3, sums);
  await suite.until('what was given up has ended', async () => (await suite['llm-proxy'].metric('tutti_llm_streams_open')) === 0);
  await suite['llm-proxy'].kill(); // what was not told yet is in its folder
  await suite['llm-proxy'].start();
  await reached(suite);
  await callAll(suite, CALLS / 3, (2 * CALLS) / 3, sums);
  await suite.killScheduler();
  await reached(suite);
  await callAll(suite, (2 * CALLS) / 3, CALLS, sums);
  await suite['llm-proxy'].stop(); // it tells what it has before it goes, or else when it is back
  await suite['llm-proxy'].start();
  const counted = async (namespace) => (await usage('group_by=key', namespace)).total.calls;
  await suite.until('all calls are counted', async () => (await counted('default')) + (await counted('other')) >= sums.total.calls);

  const mine = await usage('group_by=key');
  const theirs = await usage('group_by=key', 'other');
  assert.deepEqual(shown(mine.total), { ...sums.default });
  assert.deepEqual(shown(theirs.total), { ...sums.other });
  const key = suite.key.split('_')[1];
  for (const said of [mine, theirs]) assert.deepEqual(said.items.map((item) => item.value), [key]);
  for (const by of ['day', 'workflow', 'provider', 'model']) assert.deepEqual((await usage(`group_by=${by}`)).total, mine.total, by);
  const everywhere = [...(await usage('group_by=label:team')).items, ...(await usage('group_by=label:team', 'other')).items];
  for (const team of ['blue', 'red']) {
    const sum = new Sum();
    for (const item of everywhere.filter(({ value }) => value === team).map(shown)) for (const [name, value] of Object.entries(item)) sum[name] += value;
    assert.deepEqual({ ...sum }, { ...sums[team] }, team);
  }
  const workflows = (await usage('group_by=workflow')).items;
  assert.deepEqual(workflows.map((item) => item.value), ['', 'default/talk']);
  assert.equal(workflows[1].calls, runs.length);

  await compareBudgets(suite);
  await callThroughKills(suite, CALLS);
  await compareBudgets(suite, true);
});
