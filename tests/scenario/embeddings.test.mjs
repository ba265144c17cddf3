// Embeddings: as a job in batches, and through the gateway with OpenAI's own SDK.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { OpenAI } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];

const INGEST = `
document: { dsl: '1.0.3', namespace: default, name: ingest, version: '1.0.0' }
do:
  - embed: { call: llm.embed, with: { model: '\${ $workflow.input.model }', input: '\${ $workflow.input.texts }' } }
`;

// Answers with vectors that tell which text they are of, and in another order than asked.
const upstream = await Upstream.start((request) => {
  const { input } = JSON.parse(request.body);
  const data = input.map((text, index) => ({ object: 'embedding', index, embedding: [text.length, Number(text.split(' ')[1]), 0.5] }));
  return { body: { object: 'list', data: data.reverse(), model: 'e', usage: { prompt_tokens: input.length, total_tokens: input.length } } };
});
after(() => upstream.stop());

const config = {
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${upstream.url}/v1` } },
    routes: { embedding: { targets: [{ model: 'test/e' }] } },
    prices: { 'test/e': { input: '0.1', output: '0' } },
  },
};
const texts = (count) => Array.from({ length: count }, (_, i) => `text ${i}`);

scenario('texts are embedded in batches, in order, and paid for once', { needs: NEEDS, config }, async (suite) => {
  await suite.apply(INGEST);
  const many = await suite.runEnds((await suite.startRun('ingest', { model: 'embedding', texts: texts(70) })).id);
  assert.deepEqual(many.output.embeddings.map((vector) => vector[1]), texts(70).map((_, i) => i));
  assert.deepEqual(upstream.requests.map((request) => JSON.parse(request.body).input.length).sort(), [32, 32, 6]);
  assert.equal(many.usage.input_tokens, 70);
  assert.equal(Number(many.usage.cost_usd), (70 * 0.1) / 1e6);
  const one = await suite.runEnds((await suite.startRun('ingest', { model: 'embedding', texts: 'text 7' })).id);
  assert.deepEqual(one.output.embeddings, [[6, 7, 0.5]]);
  const none = await suite.runEnds((await suite.startRun('ingest', { model: 'embedding', texts: [] })).id);
  assert.deepEqual(none.output.embeddings, []);
});

scenario("OpenAI's SDK gets embeddings from the gateway", { needs: ['scheduler', 'gateway', 'llm-proxy'], config, checkNeeds: false }, async (suite) => {
  const client = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key });
  const answer = await client.embeddings.create({ model: 'embedding', input: texts(3) }); // base64 on the wire
  assert.deepEqual(answer.data.map((item) => [...item.embedding]), [[6, 0, 0.5], [6, 1, 0.5], [6, 2, 0.5]]);
  assert.deepEqual(answer.usage, { prompt_tokens: 3, total_tokens: 3 });
  const plain = await client.embeddings.create({ model: 'simulated', input: 'hello', encoding_format: 'float', dimensions: 8 });
  assert.equal(plain.data[0].embedding.length, 8);
  const again = await client.embeddings.create({ model: 'simulated', input: 'hello', encoding_format: 'float', dimensions: 8 });
  assert.deepEqual(again.data[0].embedding, plain.data[0].embedding, 'the same text gives the same vector');
  assert.ok(Math.abs(plain.data[0].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5, 'of length 1');
  assert.equal(plain.tutti.simulated, true);
  await assert.rejects(client.embeddings.create({ model: 'nobody', input: 'x' }), (error) => error.status === 404);
  await assert.rejects(client.embeddings.create({ model: 'embedding', input: [] }), (error) => error.status === 400);
});
