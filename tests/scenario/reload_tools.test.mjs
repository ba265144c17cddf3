// The tool-adapter reads manifests and connections anew on SIGHUP: calls under way keep theirs, and a mistake changes nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

let release;
const held = new Promise((resolve) => { release = resolve; });
const upstream = await Upstream.start(async ({ path, headers }) => {
  if (path === '/slow') await held;
  return { body: { path, account: headers.authorization?.slice(-3) } };
});
after(() => upstream.stop());

const folder = mkdtempSync(join(tmpdir(), 'reload-'));
after(() => rmSync(folder, { recursive: true }));
const manifest = (action, path, version) => `
manifest: tutti/adapter/v1
name: box
version: "${version}"
title: Box
docs: https://box.test/docs
config: { base_url: { type: string, default: 'https://box.test' } }
secrets: { token: { optional: true } }
auth: { type: bearer, secret: token }
http: { base_url: '=.config.base_url' }
actions:
  ${action}:
    summary: Looks at it
    effect: read
    params: { properties: { at: { type: string, default: ${path} } } }
    request: { method: GET, path: '/{at}' }
    output: '=.response.body'
    cache: { max_age: 1h }
    example: { params: {} }
`;
const file = join(folder, 'box.yaml');
writeFileSync(file, manifest('look', 'first', '1.0.0'));
for (const name of ['one', 'two']) writeFileSync(join(folder, name), `token-${name}`, { mode: 0o600 });
const connection = (secret) => ({ adapter: 'box', allow_private: true, config: { base_url: upstream.url }, secrets: { token: { secret } } });
const config = {
  tools: { adapters_dir: folder, connections: { box: connection('ONE') } },
  secrets: { ONE: { file: join(folder, 'one') }, TWO: { file: join(folder, 'two') } },
};

scenario('the tool-adapter reads manifests and connections anew', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  const adapter = suite['tool-adapter'];
  const change = async (how) => {
    const path = join(suite.folder, 'tutti.yaml');
    const now = JSON.parse(await readFile(path, 'utf8'));
    how(now.tools);
    await writeFile(path, JSON.stringify(now, null, 1));
    adapter.child.kill('SIGHUP');
  };
  const note = async () => (await (await fetch(`http://${adapter.host}:${adapter.adminPort}/health/ready`)).json()).note;
  const invoke = (name, args = {}, connection = 'box') => suite.api.call('POST', `/v1/tools/${name}/invoke`, { arguments: args, connection });
  const see = async (...call) => (await invoke(...call)).body.output;

  await knows(suite, 'box.look');
  assert.deepEqual(await see('box.look'), { path: '/first', account: 'one' });
  assert.equal(await note(), undefined);
  const waiting = see('box.look', { at: 'slow' });
  await suite.until('it is asked', () => upstream.count('/slow') === 1);

  // Another account, another manifest, another connection. What was kept is the former account's.
  writeFileSync(file, manifest('look', 'second', '1.1.0').replace('actions:', `actions:${manifest('peek', 'third', '1.1.0').split('actions:')[1]}`));
  await change((tools) => { tools.connections = { box: connection('TWO'), other: connection('ONE') }; });
  await knows(suite, 'box.peek');
  assert.deepEqual(await see('box.look'), { path: '/second', account: 'two' });
  assert.deepEqual(await see('box.look', { at: 'first' }), { path: '/first', account: 'two' });
  assert.deepEqual(await see('box.peek', {}, 'other'), { path: '/third', account: 'one' });
  release();
  assert.deepEqual(await waiting, { path: '/slow', account: 'one' });

  // A mistake in either changes nothing, and is told until it is mended.
  await change((tools) => { tools.connections.box.adapter = 'bxo'; delete tools.connections.other; });
  await suite.until('health says so', async () => /mistakes/.test(await note()));
  assert.equal((await invoke('box.peek', {}, 'other')).status, 200);
  await change((tools) => { tools.connections.box.adapter = 'box'; });
  await suite.until('it is well again', async () => (await note()) === undefined);
  assert.equal((await invoke('box.peek', {}, 'other')).status, 409);
  writeFileSync(file, manifest('look', 'fourth', '1.2.0').replace('effect: read', 'effect: rad'));
  await change(() => {});
  await suite.until('health says so of a manifest', async () => /mistakes/.test(await note()));
  assert.deepEqual(await see('box.peek'), { path: '/third', account: 'two' });
  assert.ok((await adapter.lines()).some((line) => line.includes('adapter.faulty') && line.includes('box.yaml')));
  writeFileSync(file, manifest('look', 'fourth', '1.2.0'));
  await change(() => {});
  await suite.until('it is well again', async () => (await note()) === undefined);
  assert.deepEqual(await see('box.look'), { path: '/fourth', account: 'two' });
});
