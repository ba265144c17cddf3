// How many tokens a request has: asked of upstreams that can say, with the official SDKs; guessed, and marked so, of those that cannot. It costs
// nothing, charges no budget, is no call, and takes the rules about personal data and keys as every request does.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Anthropic, GoogleGenAI } from './support/packages.mjs';
import { withSuite } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const asked = [];
const upstream = createServer(async (request, answer) => {
  let body = '';
  for await (const piece of request) body += piece;
  asked.push({ path: request.url, key: request.headers['x-api-key'] ?? request.headers['x-goog-api-key'], body: JSON.parse(body), text: body });
  const say = (status, value) => answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (request.headers['x-api-key'] === 'sk-refused') return say(401, { type: 'error', error: { type: 'authentication_error', message: 'no' } });
  if (body.includes('nobody knows')) return say(400, { type: 'error', error: { type: 'invalid_request_error', message: 'not this one' } });
  if (request.url === '/v1/messages/count_tokens') return say(200, { input_tokens: 31, of_a_newer_release: [1] });
  if (request.url === '/v1beta/models/m:countTokens') return say(200, { totalTokens: 17, cachedContentTokenCount: 5 });
  return say(404, { type: 'error', error: { type: 'not_found_error', message: request.url } });
});
await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
after(() => { upstream.closeAllConnections(); upstream.close(); });
const url = `http://127.0.0.1:${upstream.address().port}`;

const config = {
  llm: {
    providers: {
      claude: { type: 'anthropic', base_url: url, keys: [{ secret: 'refused', weight: 100 }, { secret: 'good' }] }, gemini: { type: 'gemini', base_url: `${url}/v1beta` },
      local: { type: 'openai-compatible', base_url: `${url}/v1` }, play: { type: 'simulated' },
    },
    routes: {
      claude: { targets: [{ model: 'claude/m' }] }, gemini: { targets: [{ model: 'gemini/m' }] }, local: { targets: [{ model: 'local/m' }] }, play: { targets: [{ model: 'play/m' }] },
      shy: { targets: [{ model: 'gemini/m' }] }, first: { targets: [{ model: 'claude/m' }], cache: { max_age: '1h' } },
    },
    pii: { routes: { shy: { mode: 'mask' } } },
  },
};

async function begin(suite) {
  for (const name of ['refused', 'good']) await writeFile(join(suite.folder, name), `sk-${name}`, { mode: 0o600 });
  await suite.start(NEEDS);
  await suite.ready(NEEDS);
}

test('tokens are counted by whom they are sent to, or guessed and marked', { timeout: 180_000 }, () => withSuite(config, undefined, async (suite) => {
  await begin(suite);
  const claude = new Anthropic({ baseURL: suite.url, apiKey: suite.key, maxRetries: 0 });
  const gemini = new GoogleGenAI({ apiKey: suite.key, httpOptions: { baseUrl: suite.url } });
  const message = { system: 'be brief', messages: [{ role: 'user', content: 'how long is this?' }], tools: [{ name: 'look', input_schema: { type: 'object' } }] };
  const count = (model) => claude.messages.countTokens({ model, ...message }).withResponse();

  // Of the own protocol: as it came, by a key that is not refused, and so is the answer.
  const own = await count('claude');
  assert.deepEqual([own.data.input_tokens, own.data.of_a_newer_release, own.data.tutti], [31, [1], undefined]);
  assert.deepEqual([own.response.headers.get('tutti-provider'), own.response.headers.get('tutti-estimated'), own.response.headers.get('tutti-cost-usd')], ['claude', null, '0']);
  const { text: _, ...last } = asked.at(-1);
  assert.deepEqual(last, { path: '/v1/messages/count_tokens', key: 'sk-good', body: { ...message, model: 'm' } });
  assert.deepEqual(await gemini.models.countTokens({ model: 'gemini', contents: 'how long is this?' }).then(({ totalTokens, cachedContentTokenCount }) => [totalTokens, cachedContentTokenCount]), [17, 5]);
  assert.deepEqual(asked.at(-1).body, { contents: [{ role: 'user', parts: [{ text: 'how long is this?' }] }] });

  // Of another one: translated, both ways.
  assert.equal((await count('gemini')).data.input_tokens, 17);
  assert.deepEqual(Object.keys(asked.at(-1).body), ['generateContentRequest']);
  assert.equal(asked.at(-1).body.generateContentRequest.model, 'models/m');
  assert.equal((await gemini.models.countTokens({ model: 'claude', contents: 'x' })).totalTokens, 31);
  assert.deepEqual(asked.at(-1).body, { model: 'm', messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }] });

  // Who cannot count is not asked.
  const before = asked.length;
  for (const [model, mark] of [['local', { estimated: true }], ['play', { estimated: true, simulated: true }]]) {
    const guess = await count(model);
    assert.ok(guess.data.input_tokens > 5 && guess.data.input_tokens < 40, `${guess.data.input_tokens}`);
    assert.deepEqual(guess.data.tutti, mark);
    assert.equal(guess.response.headers.get('tutti-estimated'), 'true');
    const bare = await suite.api.ok('POST', `/v1beta/models/${model}:countTokens`, { contents: [{ parts: [{ text: 'how long?' }] }] });
    assert.deepEqual([bare.tutti, bare.totalTokens], [mark, 7]);
  }
  assert.equal(asked.length, before);

  // Failures in the client's words; a stream, or a model that nobody has, is refused.
  await assert.rejects(claude.messages.countTokens({ model: 'claude', messages: [{ role: 'user', content: 'nobody knows' }] }), ({ status, error }) => status === 400 && error.error.message === 'not this one');
  await assert.rejects(count('nothing-like-it'), ({ status, error }) => status === 404 && error.error.type === 'not_found_error');
  await assert.rejects(claude.messages.countTokens({ model: 'claude', ...message, stream: true }), ({ status, message: text }) => status === 400 && text.includes('/stream'));
  for (const body of ['[]', '{"model":"claude"}', '{"model":"claude","messages":7}', '{']) {
    const refused = await fetch(`${suite.url}/v1/messages/count_tokens`, { method: 'POST', headers: { 'x-api-key': suite.key, 'content-type': 'application/json' }, body });
    assert.equal(refused.status, 400, body);
    assert.equal((await refused.json()).type, 'error');
  }

  // Personal data does not leave with it, however deep it stands.
  await suite.api.ok('POST', '/v1beta/models/shy:countTokens', { generateContentRequest: { model: 'models/m', contents: [{ parts: [{ text: 'ann@example.org' }] }], tools: [] } });
  assert.doesNotMatch(JSON.stringify(asked.at(-1).body), /ann@/);

  // What is passed on within a protocol is spelled as it came: order, escapes, numbers, members nobody knows.
  const spelled = '"messages":[{"role":"user", "content":"\\u00e9"}],"temperature":1.0,"max_tokens":9,"new":{"b":1e2, "a":[0.10, 12345678901234567890]}';
  await suite.api.call('POST', '/v1/messages', `{${spelled},"model":"claude"}`);
  assert.equal(asked.at(-1).text, `{"model":"m",${spelled}}`);

  // Each count asks; nobody has paid for any, and there was no call.
  const times = asked.length;
  for (let i = 0; i < 3; i++) assert.equal((await count('first')).data.input_tokens, 31);
  assert.equal(asked.length, times + 3, 'a count is not kept');
  const { items } = await suite.api.ok('GET', '/v1/usage?group_by=model');
  assert.deepEqual(items, []);

  // Who may call models may count, whatever its budget; others may not.
  const body = { model: 'gemini', messages: [{ role: 'user', content: 'hi' }] };
  const as = async (roles, more) => {
    const { key } = await suite.api.ok('POST', '/v1/api-keys', { name: 'who', roles, namespace: 'default', ...more }, 201);
    const answer = await fetch(`${suite.url}/v1/messages/count_tokens`, { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    await answer.text();
    return answer.status;
  };
  assert.equal(await as(['model_client'], { budget: { tokens: 1 } }), 200);
  assert.equal(await as(['viewer']), 403);
  assert.equal(await as(['worker']), 403);
}));
