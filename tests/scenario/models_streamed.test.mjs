// Answers of models as streams, to OpenAI's own SDK: of the simulated provider, of aimock with its faults, and of an upstream that
// does everything wrong. Until something is meant by it, whatever goes wrong leads to another try; after it, to an error in the stream.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { LLMock, OpenAI } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';
import { HostileModel } from './support/hostile_model.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];

const mock = new LLMock({ port: 0 });
await mock.start();
after(() => mock.stop());
const hostile = await HostileModel.start();
after(() => hostile.stop());

const MODES = ['cut-before', 'error-before', 'malformed-before', 'empty', 'ping-only', 'silent', 'chatter', 'cut-after', 'error-after', 'stall', 'endless', 'drip', 'huge', 'unended', 'flood', 'crlf'];
// Short times only where nothing comes that they could be too short for.
const TIMES = { 'ping-only': { first_event: '300ms' }, silent: { first_event: '300ms' }, stall: { idle: '300ms' } };
const route = (mode, fallbacks) => ({
  targets: [{ model: `${mode}/${mode}` }], ...(fallbacks && { fallbacks: [{ model: 'fine/fine' }] }), retry: { attempts: 1 }, timeouts: TIMES[mode] ?? {},
});
const config = {
  llm: {
    drain: '500ms',
    providers: {
      aimock: { type: 'openai-compatible', base_url: `${mock.url}/v1` },
      // One each, so that the circuit breaker of one does not open for the others.
      ...Object.fromEntries(['fine', ...MODES].map((mode) => [mode, { type: 'openai-compatible', base_url: `${hostile.url}/v1` }])),
      slow: { type: 'simulated', first_event: '20ms', tokens_per_second: 40 },
      cutting: { type: 'simulated', cut_after: 5 },
    },
    prices: Object.fromEntries(['aimock/gpt', 'cut-after/cut-after', 'endless/endless'].map((model) => [model, { input: '1', output: '10' }])),
    routes: {
      mocked: { targets: [{ model: 'aimock/gpt' }], retry: { attempts: 1 } },
      slow: { targets: [{ model: 'slow/simulated' }] },
      cutting: { targets: [{ model: 'cutting/simulated' }] },
      ...Object.fromEntries(MODES.map((mode) => [mode, route(mode, false)])),
      ...Object.fromEntries(MODES.map((mode) => [`${mode}-saved`, route(mode, true)])),
    },
  },
};
const ASK = [{ role: 'user', content: 'hello there' }];
const sdk = (suite, options) => new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0, ...options });

// What a stream has said, and what ended it.
async function hear(client, body, options) {
  const heard = { text: '', chunks: [], calls: [], finish: null, usage: undefined, error: undefined };
  try {
    const stream = await client.chat.completions.create({ model: body.model, messages: ASK, stream: true, ...body }, options);
    for await (const chunk of stream) {
      heard.chunks.push(chunk);
      if (chunk.usage) heard.usage = chunk.usage;
      for (const choice of chunk.choices) {
        heard.text += choice.delta.content ?? '';
        for (const call of choice.delta.tool_calls ?? []) {
          heard.calls[call.index] ??= { id: call.id, name: call.function.name, arguments: '' };
          heard.calls[call.index].arguments += call.function.arguments ?? '';
        }
        heard.finish = choice.finish_reason ?? heard.finish;
      }
    }
  } catch (error) {
    heard.error = error;
  }
  return heard;
}

const tool = (name) => ({ type: 'function', function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } });

scenario('a simulated model streams text, tool calls and usage as it answers whole', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const client = sdk(suite);
  const whole = await client.chat.completions.create({ model: 'simulated', messages: ASK });
  const heard = await hear(client, { model: 'simulated', stream_options: { include_usage: true } });
  assert.equal(heard.error, undefined);
  assert.equal(heard.text, whole.choices[0].message.content);
  assert.equal(heard.finish, 'stop');
  assert.deepEqual(heard.usage, whole.usage);
  assert.ok(heard.chunks.length > 10, 'a token at a time');
  assert.deepEqual(heard.chunks.at(-1).tutti, { simulated: true });
  assert.deepEqual(heard.chunks.at(-1).choices, []);
  const plain = await hear(client, { model: 'simulated' });
  assert.equal(plain.usage, undefined, 'usage is for those who ask');
  assert.ok(plain.chunks.every((chunk) => !('usage' in chunk) && chunk.choices.length === 1));

  const tools = await hear(client, { model: 'simulated', tools: [tool('weather'), tool('news')] });
  assert.equal(tools.finish, 'tool_calls');
  assert.deepEqual(tools.calls.map((call) => call.name), ['weather', 'news']);
  for (const call of tools.calls) assert.equal(typeof JSON.parse(call.arguments).city, 'string');
  assert.equal(new Set(tools.calls.map((call) => call.id)).size, 2);

  const { response } = await client.chat.completions.create({ model: 'simulated', messages: ASK, stream: true }).withResponse();
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  assert.equal(response.headers.get('tutti-simulated'), 'true');
  assert.equal(response.headers.get('tutti-attempts'), '1');
  assert.match(await response.text(), /data: \[DONE\]\n\n$/);

  const cut = await hear(client, { model: 'cutting' });
  assert.match(cut.text, /^\[simulated\]/);
  assert.match(cut.error.message, /cuts as configured/);
  await assert.rejects(client.chat.completions.create({ model: 'nobody', messages: ASK, stream: true }), (error) => error.status === 404);
});

scenario('before anything is meant a failure is hidden by another try, after it the stream says so', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const client = sdk(suite);
  const failing = { 'cut-before': 502, 'error-before': 503, 'malformed-before': 502, empty: 502, chatter: 502, 'ping-only': 504, silent: 504 };
  await Promise.all(Object.entries(failing).map(async ([mode, status]) => {
    const heard = await hear(client, { model: mode });
    assert.equal(heard.error?.status, status, `${mode}: ${heard.error}`);
    assert.equal(heard.chunks.length, 0, mode);
    if (status === 504) {
      assert.equal(heard.error.code, 'timeout_first_event', mode);
      return;
    }
    const saved = await hear(client, { model: `${mode}-saved` });
    assert.equal(saved.error, undefined, mode);
    assert.equal(saved.text, 'all is well', `${mode}: nothing of the try that failed is seen`);
    assert.equal(saved.chunks.length, 2, mode);
  }));
  for (const mode of ['cut-after', 'error-after', 'stall']) {
    const heard = await hear(client, { model: `${mode}-saved` });
    assert.equal(heard.text, 'so far', mode);
    assert.equal(heard.finish, null, mode);
    assert.ok(heard.error, `${mode}: the SDK sees that the answer is no answer`);
    assert.equal(heard.error.code, { 'cut-after': 'upstream_error', 'error-after': 'overloaded', stall: 'timeout_idle' }[mode]);
  }
  await suite.until('every upstream connection of a failure is closed', () => ['ping-only', 'silent', 'stall', 'chatter'].every((mode) => hostile.count(mode) === 0));
});

scenario('odd but legal streams are read, and what nobody knows is handed on', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const client = sdk(suite);
  const odd = await hear(client, { model: 'crlf', stream_options: { include_usage: true } });
  assert.equal(odd.error, undefined);
  assert.equal(odd.text, 'a');
  assert.ok(odd.chunks.some((chunk) => chunk.unknown?.kept === true && chunk.choices[0].delta.secret === 1));
  assert.equal(odd.usage.completion_tokens, 7, 'the last usage counts');
  const plain = await hear(client, { model: 'crlf' });
  assert.ok(plain.chunks.every((chunk) => !('usage' in chunk) && chunk.choices.length > 0));
  assert.ok(hostile.asked.every((body) => body.stream === true && body.stream_options.include_usage === true), 'usage is always asked for');
  assert.equal((await hear(client, { model: 'drip' })).text, 'drop by drop é');
  assert.equal((await hear(client, { model: 'unended' })).error, undefined);
  const huge = await hear(client, { model: 'huge' });
  assert.equal(huge.text, 'so far');
  assert.match(huge.error.message, /too long/);
  await suite.until('nobody reads on', () => hostile.count('huge') === 0);
});

scenario('a client that goes away ends the upstream call; one that reads slowly slows it down', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const client = sdk(suite);
  const stream = await client.chat.completions.create({ model: 'endless', messages: ASK, stream: true });
  let seen = 0;
  for await (const chunk of stream) if (chunk && ++seen === 3) break; // the SDK closes the connection
  await suite.until('the upstream has lost its reader', () => hostile.count('endless') === 0);

  hostile.sent = 0;
  const slow = await fetch(`${suite.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'flood', messages: ASK, stream: true }) });
  const reader = slow.body.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /^data: /);
  let before = -1;
  await suite.until('the upstream is not read any more', async () => {
    const same = hostile.sent === before;
    before = hostile.sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return same && hostile.sent === before;
  });
  const held = hostile.sent;
  while (hostile.sent === held) await reader.read(); // it goes on when it is read again
  await reader.cancel();
  await suite.until('and ends when it is left', () => hostile.count('flood') === 0);
});

scenario("what aimock does wrong is told apart, and retried by OpenAI's SDK as it is told", { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const client = sdk(suite);
  mock.onMessage('hello there', { content: 'Hello, who is there?' });
  mock.onMessage('two tools', { toolCalls: [{ name: 'weather', arguments: '{"city":"Rome"}' }, { name: 'news', arguments: '{"city":"Oslo"}' }] });
  const heard = await hear(client, { model: 'mocked', stream_options: { include_usage: true } });
  assert.equal(heard.text, 'Hello, who is there?');
  assert.equal(heard.finish, 'stop');
  assert.ok(heard.usage.completion_tokens > 0);
  const tools = await hear(client, { model: 'mocked', messages: [{ role: 'user', content: 'two tools' }], tools: [tool('weather'), tool('news')] });
  assert.deepEqual(tools.calls.map((call) => [call.name, JSON.parse(call.arguments).city]), [['weather', 'Rome'], ['news', 'Oslo']]);

  for (const [chaos, status] of [[{ dropRate: 1 }, 502], [{ malformedRate: 1 }, 502], [{ disconnectRate: 1 }, 502], [{ rateLimitRate: 1 }, 429]]) {
    mock.setChaos(chaos);
    const failed = await hear(client, { model: 'mocked' });
    assert.equal(failed.error?.status, status, JSON.stringify(chaos));
    assert.equal(failed.chunks.length, 0);
  }
  const before = mock.getRequests().length;
  const stubborn = hear(sdk(suite, { maxRetries: 5 }), { model: 'mocked' });
  await suite.until('it was refused once more', () => mock.getRequests().length > before);
  mock.clearChaos();
  assert.equal((await stubborn).text, 'Hello, who is there?');
  mock.setChaos({ latencyMs: 200 });
  assert.equal((await hear(client, { model: 'mocked' })).text, 'Hello, who is there?');
  mock.clearChaos();
});

scenario('what was produced is charged, however the stream ended', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const client = sdk(suite);
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', tokens: 100_000, period: 'day' });
  const settled = (what, check) => suite.until(what, async () => {
    const budget = await suite.api.ok('GET', '/v1/budgets/all');
    return budget.reserved.tokens === 0 && check(budget.spent.tokens) && budget.spent.tokens;
  });
  await suite.until('the proxy knows of the budget', async () => {
    assert.equal((await hear(client, { model: 'unended', max_tokens: 50 })).text, 'no done');
    const { reserved, spent } = await suite.api.ok('GET', '/v1/budgets/all');
    return reserved.tokens + spent.tokens > 0;
  });
  const before = await settled('all is charged', (tokens) => tokens > 0);
  assert.equal(before % 5, 0, 'a token per four bytes: three of `hello there`, two of `no done`');
  assert.equal((await hear(client, { model: 'cut-after', max_tokens: 50 })).text, 'so far');
  await settled('the cut stream is charged', (tokens) => tokens === before + 5);

  const left = await client.chat.completions.create({ model: 'endless', messages: ASK, stream: true, max_tokens: 1000 });
  for await (const chunk of left) {
    if (chunk.choices[0].delta.content === ' more') break; // the SDK closes the connection
  }
  const charged = await settled('so is the one whose client has left', (tokens) => tokens >= before + 5 + 3 + 3);

  // One that does not end in time when its proxy is stopped.
  let stopped;
  await assert.rejects(async () => {
    const cut = await client.chat.completions.create({ model: 'endless', messages: ASK, stream: true, max_tokens: 10_000 });
    for await (const chunk of cut) stopped ??= chunk && suite['llm-proxy'].stop();
  }, 'not taken for a whole answer');
  await stopped;
  await settled('so is the one that was cut', (tokens) => tokens > charged + 5);
  await suite['llm-proxy'].start();
});

scenario('an answer whose proxy dies ends with an error; another proxy answers the next', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const client = sdk(suite);
  const stream = await client.chat.completions.create({ model: 'endless', messages: ASK, stream: true });
  await assert.rejects(async () => {
    let dying;
    for await (const chunk of stream) dying ??= chunk && suite['llm-proxy'].kill();
    await dying;
  }, 'not taken for a whole answer');
  await suite['llm-proxy'].start();
  await suite.until('the next is answered', async () => (await hear(client, { model: 'simulated' })).finish === 'stop');
});
