// What can be called, and whose it is: GET /v1/models for clients of OpenAI and Anthropic, /v1/llm/providers for operators.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Anthropic, GoogleGenAI, OpenAI } from './support/packages.mjs';
import { BIN } from './support/service.mjs';
import { withSuite } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const config = {
  llm: {
    providers: {
      openai: { type: 'openai-compatible', base_url: 'https://api.openai.com/v1', keys: [{ secret: 'vendor', weight: 2, tokens_per_minute: 90000, parallel: 3 }] },
      local: { type: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1', price: 'free' },
    },
    prices: { 'local/qwen3': { input: '0', output: '0' }, 'local/night-*': { input: '1', output: '1' } },
    routes: { smart: { targets: [{ model: 'openai/gpt-of-tomorrow' }], fallbacks: [{ model: 'local/org/qwen4' }] } },
  },
};
const KEY = ['sk', '0123456789abcdefWXYZ'].join('-');

// The official SDKs, with what they ask for and refuse.
async function listsAsSdksDo(suite, ids) {
  const clients = (apiKey) => ({
    openai: new OpenAI({ baseURL: `${suite.url}/v1`, apiKey, maxRetries: 0 }),
    anthropic: new Anthropic({ baseURL: suite.url, apiKey, maxRetries: 0 }),
    gemini: new GoogleGenAI({ apiKey, httpOptions: { baseUrl: suite.url } }),
  });
  const all = async (pages) => {
    const found = [];
    for await (const one of pages) found.push(one.id ?? one.name);
    return found;
  };
  const { openai, anthropic, gemini } = clients(suite.key);
  assert.deepEqual(await all(await openai.models.list()), ids);
  assert.deepEqual(await all(anthropic.models.list({ limit: 5 })), ids);
  assert.deepEqual(await all(anthropic.beta.models.list()), ids);
  assert.deepEqual(await all(await gemini.models.list({ config: { pageSize: 5 } })), ids.map((id) => `models/${id}`));
  for (const id of ['smart', 'local/org/qwen4', 'openai/gpt-5.4']) {
    assert.equal((await openai.models.retrieve(id)).id, id);
    assert.equal((await anthropic.models.retrieve(id)).id, id);
    assert.equal((await gemini.models.get({ model: id })).name, `models/${id}`);
  }
  const { inputTokenLimit, supportedActions } = await gemini.models.get({ model: 'models/openai/gpt-5.4' });
  assert.deepEqual([inputTokenLimit, supportedActions], [1050000, ['generateContent', 'countTokens']]);

  await assert.rejects(openai.models.retrieve('nobody/knows'), { status: 404, code: 'model_not_found' });
  await assert.rejects(anthropic.models.retrieve('nobody/knows'), (error) => error.status === 404 && error.error.error.type === 'not_found_error');
  await assert.rejects(gemini.models.get({ model: 'nobody/knows' }), (error) => error.status === 404 && JSON.parse(error.message).error.status === 'NOT_FOUND');
  const strangers = clients('tutti_nobody');
  await assert.rejects(strangers.openai.models.list(), { status: 401, type: 'authentication_error' });
  await assert.rejects(all(strangers.anthropic.models.list()), (error) => error.status === 401 && error.error.error.type === 'authentication_error');
  await assert.rejects(strangers.gemini.models.list(), (error) => error.status === 401 && JSON.parse(error.message).error.status === 'UNAUTHENTICATED');

  // A name with slashes can be called as it is listed.
  const { candidates } = await gemini.models.generateContent({ model: 'models/demo/org/simulated', contents: 'hi' });
  assert.match(candidates[0].content.parts[0].text, /^\[simulated\] On "hi": /);
}

test('models and providers are listed, and keys are not', { timeout: 180_000 }, () => withSuite(config, undefined, async (suite) => {
  await writeFile(join(suite.folder, 'vendor'), KEY, { mode: 0o600 });
  await suite.start(NEEDS);
  await suite.ready(NEEDS);
  const list = await suite.api.patient('GET', '/v1/models');
  const ids = list.data.map((model) => model.id);
  assert.deepEqual([list.object, list.has_more, list.first_id, list.last_id], ['list', false, ids[0], ids.at(-1)]);
  for (const id of ['smart', 'simulated', 'openai/gpt-of-tomorrow', 'local/org/qwen4', 'local/qwen3', 'openai/gpt-5.4']) assert.ok(ids.includes(id), id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(!ids.some((id) => id.includes('*')));
  const one = await suite.api.ok('GET', '/v1/models/openai/gpt-5.4');
  assert.deepEqual(one, { id: 'openai/gpt-5.4', object: 'model', type: 'model', created: 0, created_at: '1970-01-01T00:00:00.000Z', display_name: 'openai/gpt-5.4', owned_by: 'openai', context_window: 1050000, max_input_tokens: 1050000 });
  assert.equal((await suite.api.ok('GET', `/v1/models/${encodeURIComponent('local/org/qwen4')}`)).id, 'local/org/qwen4');
  assert.equal((await suite.api.ok('GET', '/v1/models/simulated')).simulated, true);
  const none = await suite.api.call('GET', '/v1/models/nobody/knows');
  assert.deepEqual([none.status, none.body.error.code], [404, 'model_not_found']);

  await listsAsSdksDo(suite, ids);

  await suite.api.patient('POST', '/v1/circuit-breakers/llm:local/open');
  const providers = await suite.api.ok('GET', '/v1/llm/providers');
  assert.match(providers.prices_as_of, /^\d{4}-\d\d-\d\d$/);
  const [openai, local] = ['openai', 'local'].map((id) => providers.items.find((item) => item.id === id));
  assert.deepEqual(openai.keys, [{ id: 'vendor', last4: 'WXYZ', source: 'config', weight: 2, tokens_per_minute: 90000, parallel: 3 }]);
  assert.deepEqual([openai.prices_of, openai.breaker, openai.models], ['openai', 'closed', ['gpt-of-tomorrow']]);
  assert.deepEqual([local.free, local.breaker, local.models], [true, 'open', ['org/qwen4', 'qwen3']]);
  assert.ok(!JSON.stringify(providers).includes(KEY.slice(0, 12)));
  assert.deepEqual(await suite.api.ok('GET', '/v1/llm/providers/local'), local);
  await suite.api.refused('GET', '/v1/llm/providers/nobody', undefined, 404, 'not_found');
  assert.deepEqual([local.latency, local.spend], [undefined, { days: 30, calls: 0, cost_usd: '0', unpriced_calls: 0 }]);

  // What calls have cost, and how long they took: these two and the one above.
  await suite.api.ok('POST', '/v1/chat/completions', { model: 'simulated', messages: [{ role: 'user', content: 'hi' }] });
  await suite.api.ok('POST', '/v1/chat/completions', { model: 'simulated', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const demo = await suite.until('the calls are counted', async () => {
    const seen = await suite.api.ok('GET', '/v1/llm/providers/demo');
    return seen.spend.calls === 3 && seen;
  });
  assert.equal(demo.latency.calls, 3);
  assert.ok(demo.latency.answer_ms >= 0 && demo.latency.first_event_ms >= 0, JSON.stringify(demo.latency));
}));

// Each key asks for the models; what is wrong is said with what to do, and no key is in it.
const GOOD = ['sk', 'good0123456789abcdef'].join('-');
const BAD = ['sk', 'bad00123456789abcdef'].join('-');
const upstream = await Upstream.start(({ path, headers }) => {
  const key = headers['x-api-key'] ?? headers['x-goog-api-key'] ?? headers.authorization?.slice('Bearer '.length);
  if (path.startsWith('/empty')) return { body: { hello: 'world' } };
  if (path.startsWith('/gone')) return { status: 404, body: { error: { message: 'no such page' } } };
  if (path.startsWith('/spent')) return { status: 429, body: { error: { message: 'spent', type: 'insufficient_quota', code: 'insufficient_quota' } } };
  if (key === GOOD) return { body: path.startsWith('/gemini') ? { models: [{}, {}, {}] } : { data: [{}, {}] } };
  if (path.startsWith('/claude')) return { status: 401, body: { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } } };
  return { status: 401, body: { error: { message: `wrong key: ${key}`, code: 401, status: 'UNAUTHENTICATED' } } };
});
after(() => upstream.stop());
const at = (path, keys = []) => ({ type: 'openai-compatible', base_url: `${upstream.url}/${path}`, keys: keys.map((secret) => ({ secret })) });
const tried = {
  llm: {
    providers: {
      shop: at('v1', ['good', 'bad']),
      claude: { ...at('claude', ['good', 'bad']), type: 'anthropic' },
      gemini: { ...at('gemini', ['good', 'bad']), type: 'gemini' },
      empty: at('empty'),
      gone: at('gone'),
      spent: at('spent', ['good']),
      nowhere: { type: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1' },
    },
  },
};

test('providers are tried out, key by key', { timeout: 180_000 }, () => withSuite(tried, undefined, async (suite) => {
  await writeFile(join(suite.folder, 'good'), GOOD, { mode: 0o600 });
  await writeFile(join(suite.folder, 'upstream-good'), GOOD, { mode: 0o600 });
  await writeFile(join(suite.folder, 'bad'), BAD, { mode: 0o600 });
  await suite.start(NEEDS);
  await suite.ready(NEEDS);
  await suite.api.patient('GET', '/v1/models');
  const ask = async (provider) => {
    const answer = await suite.api.ok('POST', `/v1/llm/providers/${provider}/test`);
    assert.equal(answer.provider, provider);
    for (const key of [GOOD, BAD]) assert.ok(!JSON.stringify(answer).includes(key), provider);
    for (const check of answer.checks) assert.ok(check.duration_ms >= 0, provider);
    return [answer.ok, ...answer.checks.map(({ key, ok, models, error }) => [key, ok, models, error?.class, error?.http_status])];
  };
  assert.deepEqual(await ask('shop'), [false, ['good', true, 2, undefined, undefined], ['bad', false, undefined, 'key', 401]]);
  assert.deepEqual(await ask('claude'), [false, ['good', true, 2, undefined, undefined], ['bad', false, undefined, 'key', 401]]);
  assert.deepEqual(await ask('gemini'), [false, ['good', true, 3, undefined, undefined], ['bad', false, undefined, 'key', 401]]);
  assert.deepEqual(await ask('empty'), [false, [undefined, false, undefined, 'request', 200]]);
  assert.deepEqual(await ask('gone'), [false, [undefined, false, undefined, 'request', 404]]);
  assert.deepEqual(await ask('spent'), [false, ['good', false, undefined, 'quota', 429]]);
  assert.deepEqual(await ask('nowhere'), [false, [undefined, false, undefined, 'connect', undefined]]);
  assert.deepEqual(await ask('demo'), [true, [undefined, true, 0, undefined, undefined]]);
  assert.ok(upstream.requests.every(({ method, path }) => method === 'GET' && path.endsWith('/models')));
  await suite.api.refused('POST', '/v1/llm/providers/nobody/test', undefined, 404, 'not_found');

  // Without something to seal it with a value is not taken, and what to do is said; a name is.
  const refusal = await suite.api.refused('PUT', '/v1/llm/providers/shop/key', { value: GOOD }, 409, 'conflict');
  assert.match(refusal.detail, /llm\.key_seal/);
  await suite.api.refused('PUT', '/v1/llm/providers/shop/key', { secret: 'upstream-absent' }, 400, 'invalid_request');
  const other = await suite.api.refused('PUT', '/v1/llm/providers/shop/key', { secret: 'good' }, 400, 'invalid_request');
  assert.match(other.detail, /`good`: .* begin with `upstream-` \(`llm\.key_secrets`\)/);
  const named = await suite.api.ok('PUT', '/v1/llm/providers/shop/key', { secret: 'upstream-good' });
  assert.deepEqual([named.provider, named.source, named.secret, named.fingerprint], ['shop', 'api', 'upstream-good', undefined]);
  await suite.until('one key is left', async () => (await ask('shop')).length === 2);
  assert.deepEqual(await ask('shop'), [true, ['upstream-good', true, 2, undefined, undefined]]);
}));

// A key that is set by the API stands in the place of the configured ones, is kept sealed, and is seen nowhere.
const SET = ['sk', 'set-by-an-admin-0123456789'].join('-');
const MASTER = 'a-master-secret-of-more-than-32-bytes';
const model = await Upstream.start(() => ({
  body: {
    id: 'c', object: 'chat.completion', created: 1, model: 'm', usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
  },
}));
after(() => model.stop());
const sealed = {
  llm: {
    key_seal: { secret: 'seal' },
    key_secrets: 'goo',
    providers: { shop: { type: 'openai-compatible', base_url: `${model.url}/v1`, price: 'free', keys: [{ secret: 'good' }, { secret: 'bad' }] } },
  },
};

// Output and exit code of a command that reads `input`.
function cli(suite, words, input) {
  const child = spawn(join(BIN, 'tutti'), words, { env: { PATH: process.env.PATH, HOME: suite.folder, TUTTI_URL: suite.url, TUTTI_KEY: suite.key } });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text: Buffer.concat(chunks).toString() })));
}

// Files of the suite's folder that have `text` in them.
async function filesWith(folder, text) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.path, entry.name));
  assert.ok(files.some((file) => file.endsWith('.mdb')), 'the store is among them');
  const found = await Promise.all(files.map(async (file) => (await readFile(file)).includes(text) && file));
  return found.filter(Boolean);
}

test('the key of a provider is set by the API, kept, and forgotten', { timeout: 240_000 }, () => withSuite(sealed, undefined, async (suite) => {
  await writeFile(join(suite.folder, 'seal'), MASTER, { mode: 0o600 });
  await writeFile(join(suite.folder, 'good'), GOOD, { mode: 0o600 });
  await writeFile(join(suite.folder, 'bad'), GOOD, { mode: 0o600 });
  suite.planted.add('the key that was set', SET);
  await suite.start(NEEDS);
  await suite.ready(NEEDS);
  const keys = async () => (await suite.api.patient('GET', '/v1/llm/providers/shop')).keys;
  const come = (source) => suite.until(`the keys are of ${source}`, async () => {
    const seen = await keys();
    return seen.every((key) => key.source === source) && seen;
  });
  const sent = async () => {
    await suite.api.patient('POST', '/v1/chat/completions', { model: 'shop/m', messages: [{ role: 'user', content: 'hi' }] });
    return model.requests.at(-1).headers.authorization;
  };
  assert.equal((await come('config')).length, 2);
  assert.equal(await sent(), `Bearer ${GOOD}`);

  const put = (provider, body, ...expected) => suite.api.refused('PUT', `/v1/llm/providers/${provider}/key`, body, ...expected);
  await put('nobody', { value: SET }, 404, 'not_found');
  await put('demo', { value: SET }, 404, 'not_found');
  for (const body of [{}, { value: SET, secret: 'good' }, { value: `${SET} ` }, { value: `${SET}\r\nx: y` }]) {
    assert.ok(!JSON.stringify(await put('shop', body, 400, 'invalid_request')).includes(SET), JSON.stringify(body));
  }
  await suite.api.refused('DELETE', '/v1/llm/providers/shop/key', undefined, 404, 'not_found');

  // It serves all namespaces, so an admin of one may neither set it, nor look whether a secret is there, nor remove it.
  const { key: tenant } = await suite.api.ok('POST', '/v1/api-keys', { name: 'tenant', roles: ['admin'], namespace: 'tenant' });
  for (const options of [{ key: tenant }, { headers: { 'tutti-namespace': 'tenant' } }]) {
    for (const [method, body] of [['PUT', { value: SET }], ['PUT', { secret: 'good' }], ['PUT', { secret: 'absent' }], ['DELETE', undefined]]) {
      assert.match((await suite.api.refused(method, '/v1/llm/providers/shop/key', body, 403, 'forbidden', options)).detail, /serves all namespaces/);
    }
  }
  assert.equal((await come('config')).length, 2);

  const answer = await suite.api.ok('PUT', '/v1/llm/providers/shop/key', { value: SET });
  assert.deepEqual([answer.provider, answer.source, answer.secret], ['shop', 'api', undefined]);
  assert.match(answer.fingerprint, /^[0-9a-f]{12}$/);
  const expected = [{ id: `api-${answer.fingerprint}`, last4: SET.slice(-4), source: 'api', fingerprint: answer.fingerprint, weight: 1 }];
  assert.deepEqual(await come('api'), expected);
  assert.equal(await sent(), `Bearer ${SET}`);
  assert.ok(!JSON.stringify([answer, await suite.api.ok('GET', '/v1/llm/providers')]).includes(SET));

  // With another master secret it stays shut, and the configured keys hold; with the first one it opens again.
  await Promise.all(NEEDS.map((name) => suite[name].stop()));
  await writeFile(join(suite.folder, 'seal'), 'another-master-secret-of-over-32-bytes');
  await suite.start(NEEDS);
  await suite.ready(NEEDS);
  await suite.until('the key is found shut', async () => (await suite['llm-proxy'].lines()).some((line) => line.includes('cannot be opened with the secret of llm.key_seal')));
  await come('config');
  await suite['llm-proxy'].stop();
  await writeFile(join(suite.folder, 'seal'), MASTER);
  await suite.start(['llm-proxy']);
  assert.deepEqual(await come('api'), expected);
  assert.equal(await sent(), `Bearer ${SET}`);

  assert.equal((await suite.api.call('DELETE', '/v1/llm/providers/shop/key')).status, 204);
  assert.equal((await come('config')).length, 2);
  assert.equal(await sent(), `Bearer ${GOOD}`);

  // The command line reads it from standard input.
  const done = await cli(suite, ['provider', 'shop', 'key', 'set'], `${SET}\n`);
  assert.deepEqual([done.code, done.text.includes(SET)], [0, false], done.text);
  assert.deepEqual(await come('api'), expected);
  assert.equal(await sent(), `Bearer ${SET}`);
  assert.equal((await cli(suite, ['provider', 'shop', 'key', 'remove'])).code, 0);
  await come('config');

  const audit = await suite.until('the changes are in the audit log', async () => {
    const { items } = await suite.api.ok('GET', '/v1/audit-events?resource=/v1/llm/providers/shop/key');
    return items.filter((item) => item.result === 'done').length === 4 && items;
  });
  assert.ok(!JSON.stringify(audit).includes(SET));
  assert.deepEqual(new Set(audit.filter((item) => item.result === 'done').map((item) => item.action)), new Set(['putProviderKey', 'deleteProviderKey']));
  assert.deepEqual(await filesWith(suite.folder, SET), []);
  await Promise.all(NEEDS.map((name) => suite[name].stop()));
  assert.deepEqual(await filesWith(suite.folder, SET), []);
}));
