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
  const data = input.map((text, index) => ({ object: 'embedding', index, embedding: [text.length, Array.isArray(text) ? text[0] : Number(text.split(' ')[1]), 0.5] }));
  return { body: { object: 'list', data: data.reverse(), model: 'e', usage: { prompt_tokens: input.length, total_tokens: input.length } } };
});
after(() => upstream.stop());

// Batches as the model was asked for them; what it does while it is asked is said by the tests.
let onBatch = async () => {};
let asked = [];
let underWay = 0;
let mostAtOnce = 0;
const careful = await Upstream.start(async (request) => {
  const { input } = JSON.parse(request.body);
  asked.push(input);
  mostAtOnce = Math.max(mostAtOnce, ++underWay);
  await onBatch(input);
  underWay--;
  if (input.includes('bad')) return { status: 400, body: { error: { message: 'a bad text' } } };
  const tokens = 7 * input.length + 1; // not a multiple: the parts have rests
  return { body: { data: input.map((text, index) => ({ index, embedding: [text.length, 1] })), model: 'e', usage: { prompt_tokens: tokens, total_tokens: tokens } } };
});
after(() => careful.stop());

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

scenario('a vector is of its model and its text, wherever one ends and the other begins', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(INGEST);
  const before = upstream.requests.length;
  const vector = async (model, text) => (await suite.runEnds((await suite.startRun('ingest', { model, texts: text })).id)).output.embeddings[0];
  assert.deepEqual(await vector('test/e', 'x 1'), [3, 1, 0.5]);
  assert.deepEqual(await vector('test/ex', ' 1'), [2, 1, 0.5]);
  assert.equal(upstream.requests.length, before + 2);
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
  // Tokens go to the model as they are, each list as one input; equal ones once.
  const asked = upstream.requests.length;
  const one = await client.embeddings.create({ model: 'embedding', input: [7, 8], encoding_format: 'float' });
  assert.equal(one.data.length, 1);
  const tokens = await client.embeddings.create({ model: 'embedding', input: [[9], [7, 8], [9, 10], [9]], encoding_format: 'float' });
  assert.deepEqual(tokens.data.map((item) => item.embedding[0]), [1, 2, 2, 1]);
  assert.deepEqual(upstream.requests.slice(asked).map(({ body }) => JSON.parse(body).input), [[[7, 8]], [[9], [9, 10]]]);
  for (const input of [[[7], 'x'], ['x', [7]], [[]], [1.5], [[-1]]]) {
    await assert.rejects(client.embeddings.create({ model: 'embedding', input }), (error) => error.status === 400, JSON.stringify(input));
  }
  await assert.rejects(client.embeddings.create({ model: 'nobody', input: 'x' }), (error) => error.status === 404);
  await assert.rejects(client.embeddings.create({ model: 'embedding', input: [] }), (error) => error.status === 400);
});

const carefulConfig = {
  limits: { breaker: { failures: 100, window: '1ms' } },
  llm: {
    providers: {
      careful: { type: 'openai-compatible', base_url: `${careful.url}/v1`, embed: { batch: 4, concurrency: 2 } },
      paced: { type: 'openai-compatible', base_url: `${careful.url}/v1`, price: 'free', embed: { batch: 1, concurrency: 8, rate: 20 } },
    },
    prices: { 'careful/e': { input: '0.1', output: '0' } },
  },
};

scenario('equal texts are asked for once, in batches of all who wait', { needs: ['scheduler', 'gateway', 'llm-proxy'], config: carefulConfig, checkNeeds: false }, async (suite) => {
  const embed = (input, model = 'careful/e', more = {}) => suite.api.call('POST', '/v1/embeddings', { model, input, ...more });
  const lengths = (answer) => answer.body.data.map((item) => item.embedding[0]);
  const first = await embed(['a', 'bb', 'a', 'ccc', 'a']);
  assert.equal(first.status, 200, first.text);
  assert.deepEqual([lengths(first), asked], [[1, 2, 1, 3, 1], [['a', 'bb', 'ccc']]]);
  assert.equal(first.body.usage.prompt_tokens, 22);

  // Known ones are not asked for, and cost nothing; another model or size is another vector.
  asked = [];
  const again = await embed(['ccc', 'dddd', 'a']);
  assert.deepEqual([lengths(again), asked], [[3, 4, 1], [['dddd']]]);
  assert.equal(again.body.usage.prompt_tokens, 8);
  const known = await embed('a');
  assert.deepEqual([known.status, known.headers.get('tutti-cost-usd'), known.headers.get('tutti-cache')], [200, '0', 'hit']);
  await embed('a', 'careful/e', { dimensions: 2 });
  assert.deepEqual(asked, [['dddd'], ['a']]);

  // While two are busy all others queue, and leave together; equal ones wait for each other.
  asked = [];
  let letGo;
  const held = new Promise((resolve) => { letGo = resolve; });
  onBatch = () => held;
  const busy = ['x1', 'x2'].map((text) => embed(text));
  await suite.until('two are under way', () => asked.length === 2);
  const crowd = ['y1', 'y2', 'x1', 'y3', 'y1', 'y4', 'y5'].map((text) => embed(text));
  assert.equal((await embed('x', 'nobody')).status, 404);
  letGo();
  const answers = await Promise.all([...busy, ...crowd]);
  onBatch = async () => {};
  assert.deepEqual(answers.map((answer) => answer.status), answers.map(() => 200));
  assert.deepEqual(asked.flat().sort(), ['x1', 'x2', 'y1', 'y2', 'y3', 'y4', 'y5']);
  assert.ok(asked.every((batch) => batch.length <= 4) && mostAtOnce <= 2, JSON.stringify(asked));
  const paid = answers.reduce((sum, answer) => sum + answer.body.usage.prompt_tokens, 0);
  assert.equal(paid, asked.reduce((sum, batch) => sum + 7 * batch.length + 1, 0), 'the parts add up');

  // A bad text is found; only who has asked for it hears of it.
  asked = [];
  const blocks = [];
  const holds = [0, 1].map((i) => new Promise((resolve) => { blocks[i] = resolve; }));
  onBatch = async (input) => { if (/^z[12]$/.test(input[0])) await holds[Number(input[0][1]) - 1]; };
  const holders = ['z1', 'z2'].map((text) => embed(text));
  await suite.until('two are under way', () => asked.length === 2);
  const good = embed(['g1', 'g2']);
  const bad = embed(['bad', 'g3']);
  assert.equal((await embed('x', 'nobody')).status, 404);
  blocks.forEach((resolve) => resolve());
  const ended = await Promise.all([...holders, good, bad]);
  onBatch = async () => {};
  assert.deepEqual(ended.map((answer) => answer.status), [200, 200, 200, 400]);
  assert.match(ended[3].text, /a bad text/);

  // What was paid is what the model has counted.
  const counted = careful.requests.map((request) => JSON.parse(request.body).input).filter((input) => !input.includes('bad')).reduce((sum, input) => sum + 7 * input.length + 1, 0);
  await suite.until('usage says the same', async () => {
    const { total: sum } = await suite.api.ok('GET', '/v1/usage');
    return sum.input_tokens === counted && Math.round(Number(sum.cost_usd) * 1e9) === counted * 100;
  });

  // One a batch, twenty batches a second.
  const from = Date.now();
  assert.equal((await embed(['p1', 'p22', 'p333', 'p4444', 'p5'], 'paced/e')).status, 200);
  assert.ok(Date.now() - from >= 200, 'four pauses of 50 ms');
});
