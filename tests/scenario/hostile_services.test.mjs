// Services that mean no good: an adapter takes no more of them than it may, says so in time, gives no secret back, and goes on with others.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hostile } from './support/standin/hostile.mjs';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';

const TAKEN_MAX = 8 << 20; // bytes: an answer of 256 KiB, and what sockets hold meanwhile

const hostile = await Hostile.start();
const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
after(() => { rmSync(folder, { recursive: true }); return hostile.stop(); });
writeFileSync(join(folder, 'password'), 'the-password-of-hostile', { mode: 0o600 });

const connection = { adapter: 'hostile', config: { base_url: hostile.url }, allow_private: true, secrets: { password: { secret: 'HOSTILE' } } };
const config = {
  tools: { adapters_dir: new URL('./support/standin/adapters', import.meta.url).pathname, connections: { hostile: connection } },
  secrets: { HOSTILE: { file: join(folder, 'password') } },
};

// What a call of it ends with; null: it is no harm.
const ends = {
  headers: /limits/, line: /limits/, interim: /limits/, body: /limits/, chunks: /limits/, bomb: /limits/,
  garbage: /answer|protocol|HTTP/, cut: /answer|connection/, deep: /no JSON/, wide: null, bytes: null,
  echo: /HTTP 422: you sent GET \/echo/,
  slow: /time/, silent: /time/,
};

scenario('services that mean no good', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  await knows(suite, 'hostile.get');
  const invoke = (action, path) => suite.api.call('POST', `/v1/tools/hostile.${action}/invoke`, { arguments: { path } });
  const answers = await Promise.all(Object.keys(ends).map(async (path) => [path, await invoke(['slow', 'silent'].includes(path) ? 'glance' : 'get', path), await invoke('get', 'fine')]));
  for (const [path, answer, fine] of answers) {
    assert.equal(fine.status, 200, `beside ${path}: ${fine.text}`);
    if (ends[path] === null) assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    else assert.match(answer.body.detail ?? '', ends[path], `${path}: ${answer.text}`);
    assert.ok((hostile.most.get(path) ?? 0) < TAKEN_MAX, `${path}: ${hostile.most.get(path)} bytes were taken`);
  }
  // What it would not say of a change leaves it in doubt, once.
  for (const path of ['headers', 'body', 'bomb', 'cut']) {
    const { status, body } = await invoke('put', path);
    assert.deepEqual([status, body.code], [504, 'unknown_outcome'], `${path}: ${JSON.stringify(body)}`);
  }
});
