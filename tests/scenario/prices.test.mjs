// What calls cost: by the public table, by `llm.prices` over it, and unknown where nobody knows. And the
// table is what its converter makes of the facts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { convert, decimal, names, period, print } from '../../services/llm-proxy/prices/convert.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const usage = { prompt_tokens: 1000, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 400 } };
const vendor = await Upstream.start(({ body }) => ({
  body: { id: 'x', model: JSON.parse(body).model, choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }], usage },
}));
after(() => vendor.stop());

const config = {
  llm: {
    providers: { openai: { type: 'openai', base_url: `${vendor.url}/v1` }, other: { type: 'openai-compatible', base_url: `${vendor.url}/v1` } },
    prices: { 'openai/gpt-5.4-mini*': { input: '1', output: '2', cache_read: '0.5' } },
  },
};

const cost = async (suite, model) => {
  const answer = await suite.api.call('POST', '/v1/chat/completions', { model, max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] });
  assert.equal(answer.status, 200, answer.text);
  return answer.headers.get('tutti-cost-usd');
};

scenario('a call costs what the table says, or what llm.prices says over it', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.until('the proxy answers', async () => (await suite.api.call('POST', '/v1/chat/completions', { model: 'openai/gpt-5.4', messages: [{ role: 'user', content: 'hi' }] })).status === 200);
  assert.equal(await cost(suite, 'openai/gpt-5.4'), '0.00175'); // 600 x 2.50, 400 x 0.25, 10 x 15 per million
  assert.equal(await cost(suite, 'openai/GPT-5.4-2026-03-05'), '0.00175');
  assert.equal(await cost(suite, 'gpt-5.4'), '0.00175', 'only one provider has a price for it');
  assert.equal(await cost(suite, 'openai/gpt-5.4-mini-2027-01-01'), '0.00082'); // ours: 600 x 1, 400 x 0.50, 10 x 2
  assert.equal(await cost(suite, 'openai/of-tomorrow'), 'unknown');
  assert.equal(await cost(suite, 'other/gpt-5.4'), 'unknown', 'another host has other prices');
});

test('the table is what its converter makes of the facts', (t) => {
  const data = process.env.TUTTI_TEST_DATA;
  if (!data) return t.skip('TUTTI_TEST_DATA is not set');
  const facts = JSON.parse(readFileSync(`${data}/data/prices/data_slim.json`, 'utf8'));
  const text = readFileSync(new URL('../../services/llm-proxy/prices.json', import.meta.url), 'utf8');
  const { as_of, source } = JSON.parse(text);
  assert.equal(print(convert(facts, as_of, source)), text);
});

test('what the converter does not know ends it', () => {
  assert.equal(decimal(2.5), '2.5');
  assert.equal(decimal(10), '10');
  assert.equal(decimal(0), '0');
  assert.equal(decimal(1 / 12), '0.083333');
  assert.deepEqual(names({ or: [{ equals: 'a' }, { starts_with: 'b' }, { contains: 'c' }, { regex: '^d-1\\.5-\\d{3}$' }] }), ['a', 'b*', '*c*', 'd-1.5-###']);
  for (const wrong of [() => decimal(-1), () => names({ regex: '(a|b)' }), () => names({ near: 'x' }), () => period({ moon_mtok: 1 }), () => period({ input_mtok: 1 }, { weekday: 1 })]) assert.throws(wrong);
});
