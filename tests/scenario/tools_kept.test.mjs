// Outputs that are kept are asked after when their time is over: a service that says 304 is believed, and one that has something new is read.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

let version = 1;
const DATE = 'Mon, 02 Nov 2026 10:00:00 GMT';
const service = await Upstream.start(({ path, headers }) => {
  if (path === '/dated') return headers['if-modified-since'] === DATE ? { status: 304 } : { body: { dated: true }, headers: { 'last-modified': DATE } };
  const etag = `"v${version}"`;
  if (path === '/tagged') return headers['if-none-match'] === etag ? { status: 304, headers: { etag } } : { body: { version }, headers: { etag } };
  return { body: { plain: true } };
});
after(() => service.stop());

const folder = mkdtempSync(join(tmpdir(), 'kept-'));
after(() => rmSync(folder, { recursive: true }));
const action = (name) => `
  ${name}:
    summary: Reads it
    effect: read
    params: { properties: {} }
    request: { method: GET, path: /${name} }
    output: '=.response.body'
    cache: { max_age: 10ms }
    example: { params: {} }`;
writeFileSync(join(folder, 'shelf.yaml'), `
manifest: tutti/adapter/v1
name: shelf
version: "1.0.0"
title: Shelf
docs: https://shelf.test/docs
config: { base_url: { type: string, default: 'https://shelf.test' } }
http: { base_url: '=.config.base_url' }
actions:${action('tagged')}${action('dated')}${action('plain')}
`);
const config = { tools: { adapters_dir: folder, connections: { shelf: { adapter: 'shelf', allow_private: true, config: { base_url: service.url } } } } };

scenario('outputs that are kept are asked after', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  await knows(suite, 'shelf.plain');
  let reads = 0;
  const read = async (name) => {
    reads += 1;
    const { status, body, text } = await suite.api.call('POST', `/v1/tools/shelf.${name}/invoke`, { arguments: {} });
    assert.equal(status, 200, text);
    return body.output;
  };
  const asked = (path, header) => service.requests.filter((one) => one.path === path).map(({ headers }) => headers[header]);
  // Until the service was asked once more: before that its time was not over.
  const readAgain = async (name) => {
    const before = service.count(`/${name}`);
    return suite.until('its time is over', async () => {
      const output = await read(name);
      return service.count(`/${name}`) > before && output;
    });
  };
  assert.deepEqual(await read('tagged'), { version: 1 });
  assert.deepEqual(await readAgain('tagged'), { version: 1 });
  version = 2;
  assert.deepEqual(await readAgain('tagged'), { version: 2 });
  assert.deepEqual(await readAgain('tagged'), { version: 2 });
  assert.deepEqual(asked('/tagged', 'if-none-match'), [undefined, '"v1"', '"v1"', '"v2"']);

  assert.deepEqual(await read('dated'), { dated: true });
  assert.deepEqual(await readAgain('dated'), { dated: true });
  assert.deepEqual(asked('/dated', 'if-modified-since'), [undefined, DATE]);

  assert.deepEqual(await read('plain'), { plain: true });
  assert.deepEqual(await readAgain('plain'), { plain: true });
  assert.deepEqual(asked('/plain', 'if-none-match'), [undefined, undefined]);

  // Each read is counted once: it was there, or was made; and of those that were made, what still held.
  const adapter = suite['tool-adapter'];
  const [hits, misses] = [await adapter.metric('tutti_tool_cache_requests_total', 'result="hit"'), await adapter.metric('tutti_tool_cache_requests_total', 'result="miss"')];
  assert.equal(misses, service.requests.length);
  assert.equal(hits + misses, reads);
  assert.equal(await adapter.metric('tutti_tool_cache_renewed_total'), 3);
  assert.ok(await adapter.metric('tutti_tool_cache_entries') >= 2, 'what can be asked after stays');
  assert.ok(await adapter.metric('tutti_tool_cache_bytes') > 0);
});
