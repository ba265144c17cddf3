// `call: openapi`: operations of descriptions that a server publishes: places and styles of parameters, bodies, credentials, forms of the
// output, faults; and the description itself, which is asked for once.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const PETS = {
  openapi: '3.0.3',
  servers: [{ url: '/v3' }],
  paths: {
    '/pets/{petId}': {
      parameters: [{ name: 'petId', in: 'path', required: true, schema: { type: 'integer' } }],
      get: { operationId: 'getPet', parameters: [{ name: 'fields', in: 'query', style: 'form', explode: false }, { name: 'X-Trace', in: 'header' }, { name: 'who', in: 'cookie' }] },
      put: { operationId: 'putPet', requestBody: { required: true, content: { 'application/json': { schema: { properties: { name: {}, tags: {} } } } } } },
    },
    '/photos': { post: { operationId: 'addPhoto', requestBody: { content: { 'multipart/form-data': { schema: { properties: { title: {}, tags: {}, photo: { format: 'binary' } } } } } } } },
    '/moved': { get: { operationId: 'moved' } },
    '/gone': { get: { operationId: 'gone' } },
  },
};
const SHOP = `swagger: '2.0'
basePath: /v2
consumes: [application/x-www-form-urlencoded]
paths:
  /orders:
    post:
      operationId: order
      parameters:
        - { name: item, in: formData, type: string, required: true }
        - { name: amount, in: formData, type: integer }
`;

// A description in parts: relative to where each of them is, one over a redirect.
const SPLIT = { openapi: '3.0.3', servers: [{ url: '/v3' }], paths: { '/a/{id}': { $ref: 'paths/a.yaml' }, '/b': { $ref: './none.json' }, '/c': { $ref: 'loop.json#/c' }, '/far': { $ref: 'http://192.0.2.1/far.json' } } };
const PART = `get: { operationId: a, parameters: [ { $ref: '../moved.json#/id' }, { $ref: '../moved.json#/list/1' } ] }
put: { operationId: many, parameters: [ { $ref: '../chain/0' }, { $ref: '../chain/100' } ] }
`;
const COMMON = { id: { name: 'id', in: 'path', required: true }, list: [1, { $ref: 'query.json' }] };

// One in many parts: a file for each path, and nothing but their names says which has what.
const MANY = 45;
const many = { openapi: '3.0.3', servers: [{ url: '/v3' }], paths: Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`/kind${i}/{id}`, { $ref: `paths/${i === MANY - 1 ? 'parrots' : `kind${i}`}.json` }])) };
const partOf = (name) => ({ get: { operationId: name === 'parrots' ? 'listParrots' : `${name}x`, parameters: [{ name: 'id', in: 'path', required: true }] } });

// Few values, and much to keep.
const heavy = { ...many, paths: Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`/p${i}`, { $ref: `paths/${i}.json` }])) };
const LARGE = JSON.stringify({ get: { description: 'x'.repeat(15 << 20) } });

const upstream = await Upstream.start(({ method, path, query, headers, body }) => {
  if (path === '/pets.json') return headers.authorization === 'Bearer reader' ? { body: PETS } : { status: 401 };
  if (path.startsWith('/split/') && headers.authorization !== 'Bearer reader') return { status: 401 };
  if (path === '/split/all.json') return { body: SPLIT };
  if (path === '/split/paths/a.yaml') return { text: PART };
  if (path === '/split/moved.json') return { status: 302, headers: { location: '/split/deep/common.json' } };
  if (path === '/split/deep/common.json') return { body: COMMON };
  if (path === '/split/deep/query.json') return { body: { name: 'q', in: 'query' } };
  if (path === '/split/loop.json') return { body: { c: { $ref: '#/c' } } };
  if (path.startsWith('/split/chain/')) return { body: { $ref: String(Number(path.slice(13)) + 1) } };
  if (path.startsWith('/split/')) return { status: 404 };
  if (path === '/heavy/all.json') return { body: heavy };
  if (path.startsWith('/heavy/paths/')) return { text: LARGE };
  if (path === '/many/all.json') return { body: many };
  if (path.startsWith('/many/paths/')) return { body: partOf(path.slice(12, -5)) };
  if (path === '/old.yaml') return { status: 302, headers: { location: '/shop.yaml' } };
  if (path === '/shop.yaml') return { headers: { 'content-type': 'application/yaml' }, text: SHOP };
  if (path === '/broken.json') return { text: '{ "openapi": ' };
  if (path === '/v3/moved') return { status: 302, headers: { location: '/v3/pets/9' } };
  if (path === '/v3/gone') return { status: 404, body: { error: 'no more' } };
  return { body: { method, path, query: query.toString(), trace: headers['x-trace'], cookie: headers.cookie, type: headers['content-type'], by: headers.authorization, body } };
});
after(() => upstream.stop());

const pets = `document: { endpoint: { uri: '${upstream.url}/pets.json', authentication: { bearer: { token: reader } } } }`;
const split = `document: { endpoint: { uri: '${upstream.url}/split/all.json', authentication: { bearer: { token: reader } } } }`;
const call = (members) => `{ call: openapi, with: { ${members} }, metadata: { tutti: { retry: none } } }`;
const fails = (name, members) => `  - ${name}: { try: [ { one: ${call(members)} } ], catch: { as: error, do: [ { keep: { set: '\${ $error }' } } ] } }`;
const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: described, version: '1.0.0' }
do:
  - many:
      for: { each: id, in: '\${ [1, 2, 3] }' }
      metadata: { tutti: { parallel: 3 } }
      do:
        - get: ${call(`${pets}, operationId: getPet, parameters: { petId: '\${ $id }', fields: [name, 'a&b'], X-Trace: t, who: 'x;y' }, authentication: { bearer: { token: open-sesame } }`)}
  - put: ${call(`${pets}, operationId: putPet, parameters: { petId: 7, name: Milou, tags: [a] }, output: response`)}
  - raw: ${call(`${pets}, operationId: getPet, parameters: { petId: 7 }, output: raw`)}
  - moved: ${call(`${pets}, operationId: moved, redirect: true`)}
  - order: ${call(`document: { endpoint: '${upstream.url}/old.yaml' }, operationId: order, parameters: { item: 'a b', amount: 2 }`)}
  - photo: ${call(`${pets}, operationId: addPhoto, parameters: { title: "Milou's", tags: [a, 2], photo: { base64: JVBERi0xLjcK, name: 'a "1" ü.pdf', mime: application/pdf } }`)}
  - stored: ${call(`${pets}, operationId: addPhoto, parameters: { title: T, photo: [ { file: '\${ $workflow.input.file }' }, { file: '\${ $workflow.input.file }', name: b.bin, mime: a/b } ] }`)}
  - form: { call: http, with: { method: post, endpoint: '${upstream.url}/form', headers: { content-type: multipart/form-data }, body: { photo: { file: '\${ $workflow.input.file }' } } } }
${fails('noFile', `${pets}, operationId: addPhoto, parameters: { photo: { file: 01HZZZZZZZZZZZZZZZZZZZZZZZ } }`)}
  - parts: ${call(`${split}, operationId: a, parameters: { id: 7, q: [1, 2] }`)}
  - named: ${call(`document: { endpoint: '${upstream.url}/many/all.json' }, operationId: listParrots, parameters: { id: 7 }`)}
  - late: ${call(`document: { endpoint: '${upstream.url}/many/all.json' }, operationId: kind${MANY - 2}x, parameters: { id: 7 }`)}
${fails('nowhere', `document: { endpoint: '${upstream.url}/many/all.json' }, operationId: none, parameters: { id: 7 }`)}
${fails('chain', `${split}, operationId: many, parameters: { id: 7 }`)}
${fails('absent', `${split}, operationId: b`)}
${fails('still', `${pets}, operationId: moved`)}
${fails('gone', `${pets}, operationId: gone`)}
${fails('unknown', `${pets}, operationId: getPets`)}
${fails('typo', `${pets}, operationId: getPet, parameters: { petId: 7, trce: t }`)}
${fails('closed', `document: { endpoint: '${upstream.url}/pets.json' }, operationId: getPet`)}
${fails('broken', `document: { endpoint: '${upstream.url}/broken.json' }, operationId: getPet`)}
${fails('heavy', `document: { endpoint: '${upstream.url}/heavy/all.json' }, operationId: none`)}
${fails('outside', `document: { endpoint: 'http://192.0.2.1/pets.json' }, operationId: getPet`)}
output: { as: '\${ $steps }' }
`;

scenario('operations of descriptions', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false }, async (suite) => {
  const applied = await suite.apply(WORKFLOW);
  assert.deepEqual(applied.warnings ?? [], []);
  const kept = await suite.api.ok('POST', '/v1/files?name=%C3%BC.txt', 'stored words', { headers: { 'content-type': 'text/plain' } });
  const started = await suite.startRun('described', { file: kept.id });
  const { output } = await suite.runEnds(started.id);
  for (const [i, got] of output.many.entries()) {
    assert.equal(got.path, `/v3/pets/${i + 1}`);
    assert.equal(got.query, 'fields=name%2Ca%26b');
    assert.deepEqual([got.trace, got.cookie], ['t', 'who=x%3By']);
    assert.doesNotMatch(got.by, /sesame/, 'what it proves itself with is no part of the run');
  }
  assert.equal(upstream.requests.find(({ path }) => path === '/v3/pets/1').headers.authorization, 'Bearer open-sesame');
  assert.deepEqual([output.put.statusCode, output.put.request.method, output.put.request.uri], [200, 'PUT', `${upstream.url}/v3/pets/7`]);
  assert.deepEqual(JSON.parse(output.put.content.body), { name: 'Milou', tags: ['a'] });
  assert.equal(output.put.content.type, 'application/json');
  assert.equal(JSON.parse(Buffer.from(output.raw, 'base64')).path, '/v3/pets/7');
  assert.equal(output.moved.path, '/v3/pets/9');
  assert.deepEqual([output.order.path, output.order.body, output.order.type], ['/v2/orders', 'item=a%20b&amount=2', 'application/x-www-form-urlencoded']);

  const photo = await new Response(output.photo.body, { headers: { 'content-type': output.photo.type } }).formData();
  assert.deepEqual([photo.get('title'), photo.getAll('tags')], ["Milou's", ['a', '2']]);
  assert.deepEqual([photo.get('photo').name, photo.get('photo').type, await photo.get('photo').text()], ['a "1" ü.pdf', 'application/pdf', '%PDF-1.7\n']);

  assert.deepEqual([output.parts.path, output.parts.query], ['/v3/a/7', 'q=1&q=2']);
  for (const part of ['all.json', 'paths/a.yaml', 'moved.json', 'deep/query.json']) assert.equal(upstream.count(`/split/${part}`), 1, part);
  assert.deepEqual([output.named.path, output.late.path], [`/v3/kind${MANY - 1}/7`, `/v3/kind${MANY - 2}/7`]);
  const [first, ...others] = upstream.requests.map(({ path }) => path).filter((path) => path.startsWith('/many/paths/'));
  assert.deepEqual([first, others.length, upstream.count('/many/all.json')], ['/many/paths/parrots.json', MANY - 1, 1], 'the one of its name comes first, and each once');
  assert.match(output.nowhere.detail, /no operation `none`/);
  assert.match(output.chain.detail, /its operation needs more than 32 other documents/);
  assert.match(output.heavy.detail, /\/document: it is too large, with the documents that it refers to/);
  assert.match(output.absent.detail, /\/document: a document that it refers to: HTTP 404 from http:\/\/127/);

  const formOf = ({ body, type }) => new Response(body, { headers: { 'content-type': type } }).formData();
  const parts = [...(await formOf(output.stored)).getAll('photo'), (await formOf(output.form)).get('photo')];
  assert.deepEqual(parts.map(({ name, type }) => [name, type]), [['ü.txt', 'text/plain'], ['b.bin', 'a/b'], ['ü.txt', 'text/plain']]);
  assert.deepEqual(await Promise.all(parts.map((part) => part.text())), Array(3).fill('stored words'));
  assert.match(output.noFile.detail, /\/body: there is no stored file `01HZ/);
  assert.equal(upstream.count('/v3/photos'), 2, 'nothing was sent without it');

  const faults = Object.fromEntries(['still', 'gone', 'unknown', 'typo', 'closed', 'broken', 'outside'].map((name) => [name, output[name]]));
  assert.deepEqual([faults.still.status, faults.gone.status], [302, 404]);
  assert.match(faults.unknown.detail, /\/operationId: the description has no operation `getPets`/);
  assert.match(faults.typo.detail, /\/parameters\/trce: `getPet` has no such parameter/);
  assert.match(faults.closed.type, /\/authentication$/);
  assert.match(faults.broken.detail, /\/document: the description from http:\/\/127\.0\.0\.1:\d+:/);
  assert.match(faults.outside.type, /\/authorization$/);
  assert.equal(upstream.count('/pets.json'), 2, 'once with each credential: the other calls share one');
});
