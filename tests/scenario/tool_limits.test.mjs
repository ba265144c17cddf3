// Limits of a connection hold over all tool-adapters together, and so does the rest that its service asks for. Each tool-adapter has a gateway of its own
// here, so that it is known who calls.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Api } from './support/api.mjs';
import { Service } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

const ROBOTS = { text: 'User-agent: *\nCrawl-delay: 60\n', headers: { 'content-type': 'text/plain' } };
const open = [];
let most = 0;
const service = await Upstream.start(async ({ path, query }) => {
  if (path === '/hold') {
    await new Promise((resolve) => {
      open.push(resolve);
      most = Math.max(most, open.length);
    });
  }
  if (path === '/robots.txt') return ROBOTS;
  if (path === '/list') {
    const at = Number(query.get('cursor') ?? 0);
    return { body: { items: [at], next: at < 2 ? String(at + 1) : null } };
  }
  return query.has('tired') ? { status: 429, headers: { 'retry-after': '3600' } } : { body: { path } };
});
const release = () => open.shift()();
after(() => service.stop());

const folder = mkdtempSync(join(tmpdir(), 'limits-'));
after(() => rmSync(folder, { recursive: true }));
const action = (name, more = '') => `
  ${name}:
    summary: Asks for it
    effect: read
    params: { properties: { channel: { type: string }, tired: { type: boolean } } }
    request: { method: GET, path: /${name}, query: { channel: '=.params.channel', tired: '=.params.tired' } }
    output: '=.response.body'
    example: { params: {} }${more}`;
writeFileSync(join(folder, 'box.yaml'), `
manifest: tutti/adapter/v1
name: box
version: "1.0.0"
title: Box
docs: https://box.test/docs
config: { base_url: { type: string, default: 'https://box.test' } }
http: { base_url: '=.config.base_url' }
rate_limit:
  budgets: [{ actions: [post], key: '=.params.channel', rate: 2/h, burst: 2 }]
pagination: { pages: { type: cursor, in: query, param: cursor, next: '=.response.body.next' } }
actions:${action('hold')}${action('post')}${action('look')}
  list:
    summary: Asks for all pages
    effect: read
    params: {}
    request: { method: GET, path: /list }
    paginate: { use: pages }
    output: { items: '=.response.body.items' }
    example: { params: {} }
`);
// A job of it waits for nobody.
writeFileSync(join(folder, 'hasty.yaml'), `
manifest: tutti/adapter/v1
name: hasty
version: "1.0.0"
title: Hasty
docs: https://box.test/docs
config: { base_url: { type: string, default: 'https://box.test' } }
http: { base_url: '=.config.base_url' }
rate_limit: { max_wait: 0s, retry_after: { header: retry-after } }
actions:${action('look')}
`);
const connection = (more) => ({ adapter: 'box', allow_private: true, config: { base_url: service.url }, ...more });
const config = {
  tools: {
    adapters_dir: folder,
    connections: {
      box: connection(),
      hasty: connection({ adapter: 'hasty' }),
      web: { adapter: 'web', allow_private: true },
      narrow: connection({ concurrency: 2 }),
      slow: connection({ rate: '3/h', burst: 3 }),
      pages: connection({ rate: '40/min', burst: 1 }),
      eternal: connection({ min_gap: { read: '1000d' } }),
      own: connection({ budgets: [{ actions: ['look', 'post'], rate: '1/h' }] }),
      'own/budgets/0': connection({ rate: '1/h', burst: 1 }),
    },
  },
};
const HOLDS = `
document: { dsl: '1.0.3', namespace: default, name: holds, version: '1.0.0' }
do:
  - hold: { call: box.hold, with: { connection: narrow } }
`;

const HASTE = `
document: { dsl: '1.0.3', namespace: default, name: haste, version: '1.0.0' }
do:
  - look: { call: hasty.look, with: { tired: true }, metadata: { tutti: { retry: none } } }
`;

// A memory has one owner.
async function makeOther(suite) {
  const file = join(suite.folder, 'other.yaml');
  const at = `ipc://${suite.folder}/t2`;
  const { memory, ...tools } = suite.config.tools;
  writeFileSync(file, JSON.stringify({ ...suite.config, gateway: { ...suite.config.gateway, tools: at }, tools: { ...tools, listen: at, name: 'tools-2' } }));
  const adapter = new Service('tutti-tool-adapter-2', suite.folder, file, 'tutti-tool-adapter');
  const gateway = new Service('tutti-gateway-2', suite.folder, file, 'tutti-gateway');
  const services = [adapter, gateway];
  const start = async () => {
    await Promise.all(services.map((one) => one.start()));
    await Promise.all(services.map((one) => one.ready()));
  };
  const api = new Api({ key: suite.key, patience: suite.patience, get url() { return `http://${gateway.host}:${gateway.port}`; } });
  // Nobody waits for a call that has 60 s left.
  const kill = () => Promise.all(services.map((one) => one.kill()));
  return { api, start, kill, checkLogs: () => Promise.all(services.map((one) => one.checkLog(suite.planted))) };
}

const invoke = (api, name, connectionName, args = {}) => api.call('POST', `/v1/tools/box.${name}/invoke`, { arguments: args, connection: connectionName });
const statusOf = async (...call) => (await invoke(...call)).status;

async function places(suite, other) {
  const held = [invoke(suite.api, 'hold', 'narrow'), invoke(other.api, 'hold', 'narrow')];
  held.forEach((one) => one.catch(() => {})); // what is wrong is said below
  await suite.until('both are under way', () => open.length === 2);
  const { body } = await suite.api.call('GET', '/v1/limits');
  const shown = body.items.find(({ name }) => name === 'connection:narrow:parallel');
  assert.deepEqual([shown?.concurrency, shown?.running], [2, 2], JSON.stringify(body.items));
  for (const api of [suite.api, other.api]) {
    const refused = await invoke(api, 'hold', 'narrow');
    assert.deepEqual([refused.status, refused.body.code], [429, 'rate_limited'], refused.text);
  }
  assert.equal(await statusOf(other.api, 'look', 'box'), 200, 'other connections have their own');
  release();
  release();
  for (const one of held) assert.equal((await one).status, 200);

  // Jobs of both wait for their turn, and burn no attempt.
  await suite.apply(HOLDS);
  const runs = [];
  for (let i = 0; i < 3; i++) runs.push(await suite.startRun('holds'));
  for (let i = 0; i < runs.length; i++) {
    await suite.until('one more is under way', () => open.length > 0);
    release();
  }
  for (const run of runs) assert.equal((await suite.runEnds(run.id)).status, 'completed');
  assert.equal(most, 2);
}

async function rates(suite, other) {
  // A gap that is longer than the scheduler lets one be.
  assert.deepEqual([await statusOf(suite.api, 'look', 'eternal'), await statusOf(other.api, 'look', 'eternal')], [200, 429]);

  const statuses = [];
  for (const api of [suite.api, other.api, suite.api, other.api, suite.api]) statuses.push(await statusOf(api, 'look', 'slow'));
  assert.deepEqual(statuses, [200, 200, 200, 429, 429], 'of the connection');
  const { items } = await suite.api.ok('GET', '/v1/limits');
  const slow = items.find(({ name }) => name.startsWith('connection:slow:'));
  assert.ok(slow?.rate && slow.running > 0, JSON.stringify(items));

  // One bucket for each channel.
  const of = async (api, channel) => statusOf(api, 'post', 'box', { channel });
  assert.deepEqual([await of(suite.api, 'one'), await of(other.api, 'one'), await of(suite.api, 'one'), await of(other.api, 'one')], [200, 200, 429, 429]);
  assert.deepEqual([await of(other.api, 'two'), await of(suite.api, 'two'), await of(other.api, 'two')], [200, 200, 429]);
  assert.equal(await statusOf(suite.api, 'look', 'box'), 200, 'an action that is not named');

  // Those of an entry take the place of the manifest's, for both actions together.
  assert.deepEqual([await statusOf(suite.api, 'look', 'own'), await statusOf(other.api, 'post', 'own')], [200, 429]);
  assert.equal(service.count('/post'), 4);
  assert.equal(await statusOf(suite.api, 'look', 'own/budgets/0'), 200, 'a connection of its own, whatever it is called');
}

// The next page comes later than a call waits that has not begun: who has begun waits for it.
async function pages(suite) {
  const { status, text, body } = await invoke(suite.api, 'list', 'pages');
  assert.equal(status, 200, text);
  assert.deepEqual(body.output.items, [0, 1, 2]);
  assert.equal(service.count('/list'), 3);
}

async function rest(suite, other) {
  assert.equal(await statusOf(other.api, 'look', 'box'), 200);
  assert.equal(await statusOf(suite.api, 'look', 'box', { tired: true }), 429);
  const asked = service.count('/look');
  assert.equal(await statusOf(suite.api, 'look', 'box'), 429);
  assert.equal(service.count('/look'), asked, 'nobody asks before');
  await suite.apply(HASTE);
  const run = await suite.startRun('haste');
  assert.equal((await suite.runEnds(run.id, 'faulted')).error.status, 429, 'it does not wait an hour');
  await suite.until('the other one has heard', async () => (await statusOf(other.api, 'look', 'box')) === 429);
  const since = service.count('/look');
  assert.equal(await statusOf(other.api, 'look', 'box'), 429);
  assert.equal(service.count('/look'), since);
}

// The gap that a host asks for: one tool-adapter has read a page there, the other one waits. When that one has read elsewhere, whose permits it asked for
// later, it has been told to.
async function gaps(suite, other) {
  const read = (api, of) => api.call('POST', '/v1/tools/web.fetch/invoke', { arguments: { url: `${of.url}/page` } });
  const leave = new AbortController();
  const neighbour = await Upstream.start(({ path }) => (path === '/robots.txt' ? ROBOTS : {}));
  try {
    const first = await read(suite.api, service);
    assert.equal(first.status, 200, first.text);
    const waits = other.api.call('POST', '/v1/tools/web.fetch/invoke', { arguments: { url: `${service.url}/page` } }, { signal: leave.signal });
    waits.catch(() => {}); // it is left below
    await suite.until('the other one has asked whether it may', () => service.count('/robots.txt') === 2);
    const elsewhere = await read(other.api, neighbour);
    assert.equal(elsewhere.status, 200, elsewhere.text);
    assert.deepEqual([service.count('/page'), neighbour.count('/page')], [1, 1]);
    leave.abort();
    await assert.rejects(waits, { isUnreachable: true });
  } finally {
    leave.abort();
    await neighbour.stop();
  }
}

scenario('limits of connections hold over all tool-adapters', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  const other = await makeOther(suite);
  try {
    await other.start();
    await knows(suite, 'box.hold');
    await places(suite, other);
    await rates(suite, other);
    await pages(suite);
    await rest(suite, other);
    await gaps(suite, other);
    await other.kill();
    await other.checkLogs();
  } finally {
    open.forEach((resolve) => resolve());
    await other.kill();
  }
});
