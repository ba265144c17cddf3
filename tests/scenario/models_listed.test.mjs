// What can be called, and whose it is: GET /v1/models for clients of OpenAI and Anthropic, /v1/llm/providers for operators.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { withSuite } from './support/suite.mjs';

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
  assert.deepEqual(one, { id: 'openai/gpt-5.4', object: 'model', type: 'model', created: 0, created_at: '1970-01-01T00:00:00.000Z', display_name: 'openai/gpt-5.4', owned_by: 'openai', context_window: 1050000 });
  assert.equal((await suite.api.ok('GET', `/v1/models/${encodeURIComponent('local/org/qwen4')}`)).id, 'local/org/qwen4');
  assert.equal((await suite.api.ok('GET', '/v1/models/simulated')).simulated, true);
  const none = await suite.api.call('GET', '/v1/models/nobody/knows');
  assert.deepEqual([none.status, none.body.error.code], [404, 'model_not_found']);

  await suite.api.patient('POST', '/v1/circuit-breakers/llm:local/open');
  const providers = await suite.api.ok('GET', '/v1/llm/providers');
  assert.match(providers.prices_as_of, /^\d{4}-\d\d-\d\d$/);
  const [openai, local] = ['openai', 'local'].map((id) => providers.items.find((item) => item.id === id));
  assert.deepEqual(openai.keys, [{ id: 'vendor', last4: 'WXYZ', weight: 2, tokens_per_minute: 90000, parallel: 3 }]);
  assert.deepEqual([openai.prices_of, openai.breaker, openai.models], ['openai', 'closed', ['gpt-of-tomorrow']]);
  assert.deepEqual([local.free, local.breaker, local.models], [true, 'open', ['org/qwen4', 'qwen3']]);
  assert.ok(!JSON.stringify(providers).includes(KEY.slice(0, 12)));
  assert.deepEqual(await suite.api.ok('GET', '/v1/llm/providers/local'), local);
  await suite.api.refused('GET', '/v1/llm/providers/nobody', undefined, 404, 'not_found');
}));
