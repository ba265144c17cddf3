// An answer of the wrong shape is asked for again, with what is wrong about it: all asks are paid, in their budgets, and outlive the processes. The
// same for calls of clients that want it, in each protocol.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Anthropic, GoogleGenAI, OpenAI } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const USAGE = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 };
const PRICE = 0.002; // of an answer, in dollars

let onAsk = async () => {};
const says = [];
const asked = [];
const events = (...list) => ({ text: list.map((data) => `${data.type ? `event: ${data.type}\n` : ''}data: ${data === '[DONE]' ? data : JSON.stringify(data)}\n\n`).join(''), headers: { 'content-type': 'text/event-stream' } });

// What a model says, whole or streamed, in the words of each protocol.
const chunk = (delta, reason, more) => ({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: reason === undefined ? [] : [{ index: 0, delta, finish_reason: reason }], ...more });
const speakers = {
  openai: (content, isStream) => (isStream
    ? events(chunk({ role: 'assistant', content: '' }, null), chunk({ content }, null), chunk({}, 'stop'), chunk({}, undefined, { usage: USAGE }), '[DONE]')
    : { body: { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }], usage: USAGE } }),
  anthropic: (text, isStream) => {
    const usage = { input_tokens: 1000, output_tokens: 100 };
    const message = { id: 'x', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'text', text }], stop_reason: 'end_turn', stop_sequence: null, usage };
    return isStream
      ? events({ type: 'message_start', message: { ...message, content: [], stop_reason: null } }, { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }, { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }, { type: 'content_block_stop', index: 0 }, { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage }, { type: 'message_stop' })
      : { body: message };
  },
  gemini: (text, isStream) => {
    const body = { candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }], usageMetadata: { promptTokenCount: 1000, candidatesTokenCount: 100, totalTokenCount: 1100 }, modelVersion: 'm' };
    return isStream ? events(body) : { body };
  },
};
const model = await Upstream.start(async ({ path, body }) => {
  const request = JSON.parse(body);
  const protocol = path.endsWith('/messages') ? 'anthropic' : path.includes('enerateContent') ? 'gemini' : 'openai';
  asked.push(request.messages ?? request.contents);
  const said = says.shift();
  await onAsk();
  return speakers[protocol](said, request.stream === true || path.includes('stream'));
});
after(() => model.stop());

const config = {
  llm: {
    lease: '3s',
    providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1` }, anthropic: { type: 'anthropic', base_url: model.url }, gemini: { type: 'gemini', base_url: `${model.url}/v1beta` } },
    routes: { once: { targets: [{ model: 'test/m' }], repair_attempts: 0 } },
    prices: Object.fromEntries(['test/m', 'anthropic/m', 'gemini/m'].map((name) => [name, { input: '1', output: '10' }])),
  },
};
const SHAPED = `
document: { dsl: '1.0.3', namespace: default, name: shaped, version: '1.0.0' }
do:
  - a:
      call: llm.chat
      with: { model: test/m, prompt: count, max_tokens: 100, schema: { type: object, required: [ n ], properties: { n: { type: integer } } } }
`;

// What a client's SDK hears of the JSON it has asked for: with the header, streamed or not.
const schema = { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } };
const clients = {
  openai: async (suite, name, isStream, headers) => {
    const client = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0 });
    const body = { model: name, messages: [{ role: 'user', content: 'count' }], response_format: { type: 'json_schema', json_schema: { name: 'n', schema } } };
    if (!isStream) return (await client.chat.completions.create(body, { headers })).choices[0].message.content;
    let text = '';
    for await (const { choices } of await client.chat.completions.create({ ...body, stream: true }, { headers })) text += choices[0]?.delta.content ?? '';
    return text;
  },
  anthropic: async (suite, name, isStream, headers) => {
    const client = new Anthropic({ baseURL: suite.url, apiKey: suite.key, maxRetries: 0 });
    const body = { model: name, max_tokens: 100, messages: [{ role: 'user', content: 'count' }], output_config: { format: { type: 'json_schema', schema } } };
    const message = isStream ? await client.messages.stream(body, { headers }).finalMessage() : await client.messages.create(body, { headers });
    return message.content[0].text;
  },
  gemini: async (suite, name, isStream, headers) => {
    const client = new GoogleGenAI({ apiKey: suite.key, httpOptions: { baseUrl: suite.url, headers } });
    const body = { model: name.replace('/', '%2F'), contents: 'count', config: { responseMimeType: 'application/json', responseJsonSchema: schema } };
    if (!isStream) return (await client.models.generateContent(body)).text;
    let text = '';
    for await (const part of await client.models.generateContentStream(body)) text += part.text ?? '';
    return text;
  },
};

const checkClients = async (suite) => {
  const checked = { 'tutti-validate': 'true' };
  for (const [client, name] of [['openai', 'test/m'], ['openai', 'anthropic/m'], ['anthropic', 'anthropic/m'], ['anthropic', 'test/m'], ['gemini', 'gemini/m'], ['gemini', 'anthropic/m']]) {
    for (const isStream of [false, true]) {
      const what = `${client} of ${name}${isStream ? ', streamed' : ''}`;
      const hear = (answers, headers = checked) => {
        says.splice(0, says.length, ...answers);
        asked.length = 0;
        return clients[client](suite, name, isStream, headers);
      };
      assert.equal(await hear(['no JSON', '{ "n": "many" }', '{ "n": 7 }']), '{ "n": 7 }', what);
      assert.deepEqual(asked.map((list) => list.filter(({ role }) => role !== 'system').length), [1, 3, 5], what);
      assert.match(JSON.stringify(asked[2].at(-1)), /\/n: must be/, what);
      assert.equal(await hear(['Here it is:\n```json\n{ "n": 7 }\n```']), '{"n":7}', what);
      assert.equal(await hear(['no JSON'], {}), 'no JSON', `${what}: nobody asked`);
      await assert.rejects(hear(['1', '2', '3', '{ "n": 1 }']), (error) => error.status === 502 && /does not fit/.test(error.message), what);
      assert.equal(asked.length, 3, what);
    }
  }
};

// All asks are paid, and the one that its budget does not allow is not made; a route says how often.
const checkMoney = async (suite) => {
  const body = { model: 'test/m', max_tokens: 100, messages: [{ role: 'user', content: 'count' }], response_format: { type: 'json_schema', json_schema: { name: 'n', schema } } };
  const ask = (answers, more = {}, headers = {}) => {
    says.splice(0, says.length, ...answers);
    asked.length = 0;
    return suite.api.call('POST', '/v1/chat/completions', { ...body, ...more }, { headers: { 'tutti-validate': 'true', ...headers } });
  };
  const paid = await ask(['1', '2', '{ "n": 1 }']);
  assert.deepEqual([paid.status, paid.headers.get('tutti-cost-usd'), paid.headers.get('tutti-attempts')], [200, `${3 * PRICE}`, '3'], paid.text);
  const refused = await ask(['1', '2', '3']);
  assert.deepEqual([refused.status, refused.body.error.code, refused.headers.get('x-should-retry')], [502, 'output_invalid', 'false'], refused.text);
  const once = await ask(['1', '{ "n": 1 }'], { model: 'once' });
  assert.deepEqual([once.status, asked.length], [502, 1], once.text);
  const plain = await ask(['1'], { response_format: undefined });
  assert.deepEqual([plain.status, plain.body.choices[0].message.content], [200, '1'], 'there is nothing to check');

  // An answer that was kept without being checked is not given to who wants it checked.
  const age = { 'cache-control': 'max-age=600' };
  await ask(['{ "n": "kept" }'], { temperature: 1 }, { ...age, 'tutti-validate': 'false' });
  const fresh = await ask(['{ "n": 2 }'], { temperature: 1 }, age);
  assert.deepEqual([fresh.body?.choices?.[0].message.content, asked.length], ['{ "n": 2 }', 1], fresh.text);
  const kept = await ask([], { temperature: 1 }, age);
  assert.deepEqual([kept.body?.choices?.[0].message.content, asked.length], ['{ "n": 2 }', 0], kept.text);

  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', usd: '0.003' });
  await suite.until('the proxy asks', async () => (await ask(['{ "n": 1 }'], { max_tokens: 10_000_000 })).status === 402);
  const poor = await ask(['1', '2']);
  assert.deepEqual([poor.status, poor.body.error.code, asked.length], [402, 'budget_exceeded', 1], poor.text);
  const { spent } = await suite.until('it is settled', async () => {
    const budget = await suite.api.ok('GET', '/v1/budgets/all');
    return Number(budget.reserved.usd ?? 0) === 0 && Number(budget.spent.usd) > 0 && budget;
  });
  assert.equal(Number(spent.usd), PRICE);
  await suite.api.ok('DELETE', '/v1/budgets/all');
};

scenario('an answer of the wrong shape is asked for again', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(SHAPED);
  const ask = async (answers, status = 'completed', start = {}) => {
    says.push(...answers);
    asked.length = 0;
    return suite.runEnds((await suite.startRun('shaped', {}, start)).id, status);
  };
  const run = await ask(['no JSON', '{ "n": "many" }', '```json\n{ "n": 7 }\n```']);
  assert.deepEqual([run.status, run.output?.content, run.output?.repairs], ['completed', { n: 7 }, 2], JSON.stringify(run));
  assert.deepEqual([run.usage.input_tokens, run.usage.cost_usd, run.output.usage.input_tokens, run.output.usage.cost_usd], [3000, `${3 * PRICE}`, 3000, `${3 * PRICE}`]);
  assert.deepEqual(asked.map((messages) => messages.map(({ role }) => role)), [['user'], ['user', 'assistant', 'user'], ['user', 'assistant', 'user', 'assistant', 'user']]);
  assert.deepEqual([asked[2][1].content, asked[2][3].content], ['no JSON', '{ "n": "many" }']);
  assert.match(asked[2][4].content, /\/n: must be/);

  const failed = await ask(['1', '2', '3', '{ "n": 1 }'], 'faulted');
  assert.deepEqual([failed.status, failed.error?.type, failed.usage.cost_usd, asked.length], ['faulted', 'https://serverlessworkflow.io/spec/1.0.0/errors/validation', `${3 * PRICE}`, 3], JSON.stringify(failed));
  says.length = 0;
  const repairs = (result) => suite['llm-proxy'].metric('tutti_llm_repairs_total', `result="${result}"`);
  assert.deepEqual([await repairs('valid'), await repairs('invalid')], [1, 3]); // of the first three asks, and of all three after

  // How often, the job may say.
  await suite.apply(SHAPED.replace('name: shaped', 'name: stubborn').replace('max_tokens', 'repair_attempts: 3, max_tokens'));
  says.push('1', '2', '3', '{ "n": 1 }');
  const stubborn = await suite.runEnds((await suite.startRun('stubborn')).id);
  assert.deepEqual([stubborn.status, stubborn.output?.repairs], ['completed', 3], JSON.stringify(stubborn));

  // The second ask waits for its budget as any call does, and is not made if there is too little.
  const poor = await ask(['1', '2'], 'faulted', { budget: { tokens: 1150 } });
  assert.deepEqual([poor.status, poor.error?.status, poor.usage.cost_usd, asked.length], ['faulted', 402, `${PRICE}`, 1], JSON.stringify(poor));
  says.length = 0;

  await checkClients(suite);
  await checkMoney(suite);
  says.length = 0;

  // Both processes die in the middle of the second ask: it goes on there, and nothing is paid twice.
  let letGo;
  onAsk = () => (asked.length === 2 ? new Promise((resolve) => { letGo = resolve; }) : undefined);
  asked.length = 0;
  says.push('first', 'never heard', '{ "n": 3 }');
  const { id } = await suite.startRun('shaped');
  await suite.until('the second ask is under way', () => asked.length === 2);
  await suite['llm-proxy'].kill();
  await suite.scheduler.kill();
  letGo();
  await suite.scheduler.start();
  await suite['llm-proxy'].start();
  const survived = await suite.runEnds(id);
  assert.deepEqual([survived.status, survived.output?.content, survived.output?.repairs, survived.usage.cost_usd], ['completed', { n: 3 }, 1, `${2 * PRICE}`], JSON.stringify(survived));
  assert.deepEqual([asked.length, asked[2][1].content], [3, 'first']);
});
