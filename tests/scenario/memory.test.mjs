// The memory end to end: documents split and embedded by real processes, found again by words, undone by a saga, and there after kill -9.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { qdrant } from './support/standin/qdrant.mjs';
import { World } from './support/standin/world.mjs';
import { ALL, scenario } from './support/suite.mjs';
import { merged } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

const COUNT = process.env.TUTTI_LONG ? 1000 : 40;

// One number per letter: texts of the same words are near each other.
function embedding(text) {
  const vector = new Array(32).fill(0.01);
  for (const byte of Buffer.from(text)) vector[byte % 32] += 1;
  return vector;
}

let embedded = 0;
const upstream = await Upstream.start((request) => {
  const { input } = JSON.parse(request.body);
  embedded += input.length;
  const data = input.map((text, index) => ({ object: 'embedding', index, embedding: embedding(text) }));
  return { body: { object: 'list', data, model: 'letters', usage: { prompt_tokens: input.length, total_tokens: input.length } } };
});
after(() => upstream.stop());

const config = {
  ...(process.env.TUTTI_LONG ? { tools: { lease: '5s' } } : {}), // what a killed process held comes again so soon
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${upstream.url}/v1` } },
    routes: { embedding: { targets: [{ model: 'test/letters' }] } },
    prices: { 'test/letters': { input: '0.1', output: '0' } },
  },
};

// Runs calls one after the other; the output of the last.
let version = 0;
async function steps(suite, namespace, calls) {
  version += 1;
  await suite.apply(`
document: { dsl: '1.0.3', namespace: ${namespace}, name: steps, version: '1.0.${version}' }
do:
${calls.map(([name, call, args]) => `  - ${name}: { call: '${call}', with: ${JSON.stringify(args)} }`).join('\n')}
`);
  return (await run(suite, `${namespace}/steps`, {})).output;
}

const example = (name) => readFile(new URL(`../../compose/examples/${name}`, import.meta.url), 'utf8');

// Functions are registered a moment after the tool-adapter is ready.
const knows = (suite) => suite.until('its functions are registered', async () => (await suite.api.call('GET', '/v1/tools/memory.remember')).status === 200);

async function run(suite, workflow, input, status) {
  return suite.runEnds((await suite.startRun(workflow, input)).id, status);
}

// Documents are embedded once, found by words over kill -9, and forgotten with their chunks.
async function ingests(suite) {
  embedded = 0;
  await suite.apply(await example('rag-documents.yaml'));
  const documents = Array.from({ length: COUNT }, (_, i) => ({ id: `doc-${i}`, text: `# Title ${i}\n\nabc ${'x'.repeat(i % 7)} ${i}`, subject: `s-${i % 2}` }));
  const first = await run(suite, 'rag/documents', { documents });
  assert.deepEqual(first.output, { documents: COUNT, chunks: COUNT });
  assert.equal(embedded, COUNT);
  assert.equal(first.usage.input_tokens, COUNT, 'the run is charged');
  const again = await run(suite, 'rag/documents', { documents });
  assert.deepEqual(again.output, { documents: COUNT, chunks: COUNT });
  assert.equal(embedded, COUNT, 'the second time embeds nothing');
  assert.equal(again.usage.input_tokens, 0);

  await suite['tool-adapter'].kill();
  await suite['tool-adapter'].start();
  const found = await steps(suite, 'rag', [['found', 'memory.recall:1', { namespace: 'docs', query: documents[3].text, limit: 1 }]]);
  assert.equal(found.items[0].key, 'doc-3#0');
  assert.equal(found.items[0].metadata.document, 'doc-3');
  const left = await steps(suite, 'rag', [
    ['one', 'memory.delete:1', { namespace: 'docs', document: 'doc-3' }],
    ['half', 'memory.delete:1', { namespace: 'docs', subject: 's-0' }],
    ['left', 'memory.stats:1', { namespace: 'docs' }],
  ]);
  assert.equal(left.spaces[0].count, COUNT / 2 - 1);
  assert.equal(left.spaces[0].current.vectors, COUNT / 2 - 1);
}

// A document that has become shorter has its chunks of now; what that and a direct call cost is counted once.
async function shortens(suite) {
  embedded = 0;
  const long = { id: 'd', text: Array.from({ length: 500 }, (_, i) => `w${i}`).join(' '), mime: 'text/plain' };
  const chunks = async (document) => (await run(suite, 'rag/documents', { namespace: 'short', documents: [document] })).output.chunks;
  const were = await chunks(long);
  assert.ok(were > 1);
  assert.equal(await chunks({ ...long, text: 'one word' }), 1);
  const { spaces } = await steps(suite, 'rag', [['stats', 'memory.stats:1', { namespace: 'short' }]]);
  assert.equal(spaces[0].count, 1);
  assert.equal(spaces[0].current.vectors, 1);

  const headers = { 'tutti-namespace': 'rag' };
  const sum = async () => (await suite.api.ok('GET', '/v1/usage', undefined, { headers })).total.input_tokens;
  const counted = await sum();
  await suite.api.patient('POST', '/v1/tools/memory.recall/invoke', { arguments: { namespace: 'short', query: 'a question' } }, { headers }); // the gateway may not know yet that the tool-adapter is back
  assert.equal(embedded, were + 2);
  await suite.until('the direct call is counted', async () => (await sum()) > counted);
  assert.equal(await sum(), counted + 1, 'calls are counted in their order: nothing else came with it');
}

// The sample stores vectors that a task of its own has made; its second start is its first run.
async function ingestsVectors(suite) {
  embedded = 0;
  await suite.apply(await example('rag-ingest.yaml'));
  const uuid = (i) => `0e2f5d5a-5a0e-4a6a-8f3e-${String(i).padStart(12, '0')}`;
  const documents = Array.from({ length: COUNT }, (_, i) => ({ doc_id: uuid(i), text: `text ${i}` }));
  const input = { ingest_id: 'i-1', namespace: 'batches', batch_size: 10, documents };
  const first = await run(suite, 'rag/ingest', input);
  assert.deepEqual(first.output, { ingest_id: 'i-1', stored: COUNT, failed: 0 });
  assert.equal(embedded, COUNT);
  const again = await run(suite, 'rag/ingest', input);
  assert.equal(again.id, first.id);
  assert.equal(embedded, COUNT);
}

// Stored files by their ids: twice, and the second time embeds nothing; a document that is deleted takes its chunks and vectors with it.
async function ingestsFiles(suite) {
  embedded = 0;
  const count = process.env.TUTTI_LONG ? 1000 : 200;
  const headers = { 'content-type': 'text/markdown', 'tutti-namespace': 'rag' };
  const files = [];
  const upload = async (i) => {
    const made = await suite.api.call('POST', `/v1/files?name=n-${i}.md&subject=who-${i % 2}`, `# Note ${i}\n\nabc ${'z'.repeat(i % 9)} ${i}\n`, { headers });
    assert.equal(made.status, 201, made.text);
    files[i] = made.body.id;
  };
  for (let i = 0; i < count; i += 20) await Promise.all(Array.from({ length: 20 }, (_, k) => upload(i + k)));
  const ingest = (id) => run(suite, 'rag/ingest', { ingest_id: id, namespace: 'files', files });
  assert.deepEqual((await ingest('f-1')).output, { ingest_id: 'f-1', stored: count, failed: 0 });
  assert.equal(embedded, count);
  const again = await ingest('f-2');
  assert.deepEqual(again.output, { ingest_id: 'f-2', stored: count, failed: 0 });
  assert.equal(embedded, count, 'the second time embeds nothing');
  assert.equal(again.usage.input_tokens, 0);
  const left = await steps(suite, 'rag', [
    ['one', 'memory.delete:1', { namespace: 'files', document: files[0] }],
    ['half', 'memory.delete:1', { namespace: 'files', subject: 'who-1' }],
    ['left', 'memory.stats:1', { namespace: 'files' }],
  ]);
  assert.equal(left.spaces[0].count, count / 2 - 1);
  assert.equal(left.spaces[0].current.vectors, count / 2 - 1);
}

// A kill in the middle loses nothing that was answered. What was under way comes again when its lease is over.
async function survivesKill(suite) {
  embedded = 0;
  const documents = Array.from({ length: COUNT }, (_, i) => ({ id: `k-${i}`, text: `kill ${'y'.repeat(i % 5)} ${i}` }));
  const { id } = await suite.startRun('rag/documents', { namespace: 'killed', documents });
  await suite.until('some are stored', async () => embedded >= COUNT / 4);
  await suite['tool-adapter'].kill();
  await suite['tool-adapter'].start();
  const ended = await suite.runEnds(id);
  assert.deepEqual(ended.output, { documents: COUNT, chunks: COUNT });
  const { spaces } = await steps(suite, 'rag', [['stats', 'memory.stats:1', { namespace: 'killed' }]]);
  assert.equal(spaces[0].count, COUNT);
  assert.equal(spaces[0].current.vectors, COUNT);
}

// An undo puts the old entry back, and removes what was new.
async function undoes(suite, keysOf = async () => (await steps(suite, 'default', [['items', 'memory.list:1', {}]])).items.map((entry) => entry.key)) {
  await steps(suite, 'default', [['old', 'memory.remember:1', { key: 'k', content: 'old words', metadata: { v: 1 } }]]);
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: undone, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
  - change: { call: 'memory.remember:1', with: { key: k, content: new words } }
  - add: { call: 'memory.remember_many:1', with: { items: [ { key: k, content: newer }, { key: n, content: other } ] } }
  - fail: { raise: { error: { type: 'https://example.com/no', status: 500, title: No } } }
`);
  await run(suite, 'undone', {}, 'faulted');
  const { item } = await steps(suite, 'default', [['item', 'memory.get:1', { key: 'k' }]]);
  assert.equal(item.content, 'old words');
  assert.equal(item.metadata.v, 1);
  assert.deepEqual(await keysOf(), ['k']);
}

const world = await World.start(qdrant);
const folder = mkdtempSync(join(tmpdir(), 'qdrant-'));
after(() => { rmSync(folder, { recursive: true }); return world.stop(); });
writeFileSync(join(folder, 'key'), 'secret-of-qdrant', { mode: 0o600 });
const connection = { adapter: 'qdrant', config: { base_url: world.url }, secrets: { api_key: { secret: 'QDRANT' } }, allow_private: true };
const elsewhere = merged(config, {
  tools: { connections: { memory: connection, mute: { ...connection, config: { base_url: world.url, embedding: 'nobody' } } } },
  secrets: { QDRANT: { file: join(folder, 'key') } },
});

// What is outgrown moves by its connection: workflows of before go on as they are, in words.
scenario('the same workflows remember in Qdrant', { needs: ALL, config: elsewhere, checkNeeds: false }, async (suite) => {
  world.store.clear();
  world.store.put('collections', 'memory', { vectors: { size: 32, distance: 'Cosine' } });
  const keys = (namespace) => world.store.list('points of memory', ({ payload }) => payload.namespace === namespace).map(({ payload }) => payload.key).sort();
  await knows(suite);
  embedded = 0;
  await suite.apply(await example('rag-documents.yaml'));
  const count = 12;
  const documents = Array.from({ length: count }, (_, i) => ({ id: `doc-${i}`, text: `# Title ${i}\n\nabc ${'x'.repeat(i % 7)} ${i}`, subject: `s-${i % 2}` }));
  let refusals = 1; // a job that is told to come later has paid for its vector already
  world.before = ({ method }) => (method === 'PUT' && refusals-- > 0 ? { status: 429, headers: { 'retry-after': '1' }, body: { status: { error: 'busy' } } } : undefined);
  const first = await run(suite, 'rag/documents', { documents });
  assert.deepEqual(first.output, { documents: count, chunks: count });
  assert.equal(first.usage.input_tokens, count, 'the run is charged');
  assert.equal(embedded, count);
  assert.ok(refusals < 0);
  assert.equal(keys('docs').length, count);

  const found = await steps(suite, 'rag', [['found', 'memory.recall:1', { namespace: 'docs', query: documents[3].text, limit: 1 }]]);
  assert.deepEqual(found.items.map(({ key, metadata }) => [key, metadata.document]), [['doc-3#0', 'doc-3']]);
  const of = await steps(suite, 'rag', [['found', 'memory.recall:1', { namespace: 'docs', query: documents[3].text, document: 'doc-5', limit: 9 }]]);
  assert.deepEqual(of.items.map(({ key }) => key), ['doc-5#0']);
  const gone = await steps(suite, 'rag', [
    ['one', 'memory.delete:1', { namespace: 'docs', document: 'doc-3' }],
    ['none', 'memory.delete:1', { namespace: 'docs', keys: [] }],
    ['half', 'memory.forget:1', { namespace: 'docs', subject: 's-0' }],
  ]);
  assert.equal(gone.deleted, count / 2);
  assert.deepEqual(keys('docs'), documents.filter((_, i) => i % 2 && i !== 3).map(({ id }) => `${id}#0`).sort());

  // A document that has become shorter has its chunks of now.
  const long = { id: 'd', text: Array.from({ length: 500 }, (_, i) => `w${i}`).join(' '), mime: 'text/plain' };
  const chunks = async (document) => (await run(suite, 'rag/documents', { namespace: 'short', documents: [document] })).output.chunks;
  assert.ok(await chunks(long) > 1);
  assert.equal(await chunks({ ...long, text: 'one word' }), 1);
  assert.deepEqual(keys('short'), ['d#0']);

  await undoes(suite, () => keys('default'));

  // By hand, too; and with a model that there is not that is said, and nothing is sent.
  const headers = { 'tutti-namespace': 'rag' };
  const answer = await suite.api.ok('POST', '/v1/tools/memory.recall/invoke', { arguments: { namespace: 'short', query: 'one word' } }, { headers });
  assert.deepEqual(answer.output.items.map(({ key }) => key), ['d#0']);
  const asked = world.journal.length;
  const refused = await suite.api.call('POST', '/v1/tools/qdrant.recall/invoke', { arguments: { query: 'Anything' }, connection: 'mute' }, { headers });
  assert.equal(refused.status, 422, refused.text);
  assert.match(refused.body.detail, /embedding model/);
  assert.equal(world.journal.length, asked);
});

// Words are embedded by whatever llm-proxy is there: one that was started again knows nothing of what was asked before.
async function asksAnew(suite) {
  const recall = () => suite.api.call('POST', '/v1/tools/memory.recall/invoke', { arguments: { query: 'one word' } });
  assert.equal((await recall()).status, 200);
  await suite['llm-proxy'].kill();
  await suite['llm-proxy'].start();
  const again = await recall();
  assert.equal(again.status, 200, again.text);
}

scenario('a memory holds documents and gives them back', { needs: ALL, config, checkNeeds: false }, async (suite) => {
  await knows(suite);
  await ingests(suite);
  if (process.env.TUTTI_LONG) await survivesKill(suite);
  await shortens(suite);
  await ingestsVectors(suite);
  await ingestsFiles(suite);
  await undoes(suite);
  await asksAnew(suite);
});
