// Hot copies while runs are under way, the proof that one is whole, and data made of it again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { open, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';

const RUNS = 60;
const PARTITIONS = 3;
const LSAN = `suppressions=${new URL('../support/lsan.supp', import.meta.url).pathname}:print_suppressions=0`;

// Parents and children are in any partition: what goes between them must be in the copies of both or of neither.
const CHILD = `
document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
do:
  - pause: { wait: PT0.2S }
  - answer: { set: { n: '\${ $workflow.input.n * 2 }' } }
`;
const PARENT = `
document: { dsl: '1.0.3', namespace: default, name: parent, version: '1.0.0' }
do:
  - half: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { n: '\${ $workflow.input.n }' } } } }
  - more: { set: { n: '\${ .n + 1 }' } }
`;

// Runs `tutti backup WORDS` to its end.
function backup(...words) {
  const child = spawn(join(BIN, 'tutti'), ['--json', 'backup', ...words], { env: { PATH: process.env.PATH, LSAN_OPTIONS: LSAN } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

async function makeBackup(suite, name) {
  const begun = await suite.api.ok('POST', '/v1/system/backups', { name });
  assert.equal(begun.status, 'running');
  return suite.until(`the backup ${name} is over`, async () => {
    const seen = await suite.api.ok('GET', `/v1/system/backups/${name}`);
    return seen.status !== 'running' && seen;
  });
}

async function countRuns(suite, workflow) {
  let count = 0;
  let token = '';
  do {
    const page = await suite.api.ok('GET', `/v1/runs?workflow=${workflow}&page_size=500${token && `&page_token=${token}`}`);
    count += page.items.length;
    token = page.next_page_token ?? '';
  } while (token);
  return count;
}

const CONFIG = { scheduler: { partitions: PARTITIONS } };

scenario('a backup is taken under load and restored', { needs: ['scheduler', 'gateway'], config: CONFIG, checkNeeds: false }, async (suite) => {
  const folder = join(suite.folder, 'backups');
  await suite.apply(CHILD);
  await suite.apply(PARENT);
  const started = [];
  for (let n = 0; n < RUNS; n++) {
    started.push({ n, id: (await suite.startRun('parent', { n }, { client_id: `p-${n}` })).id });
  }
  const made = await makeBackup(suite, 'under-load');
  assert.equal(made.status, 'completed', made.error);
  assert.equal(made.partitions, PARTITIONS);
  assert.ok(made.size_bytes > 0);
  for (const { id } of started) await suite.runEnds(id);
  const late = await suite.startRun('parent', { n: 1000 });
  await suite.runEnds(late.id);

  // Names and times.
  await suite.api.refused('POST', '/v1/system/backups', { name: 'under-load' }, 409, 'already_exists');
  await suite.api.refused('POST', '/v1/system/backups', { name: '../x' }, 400, 'invalid_request');
  await suite.api.refused('GET', '/v1/system/backups/other', undefined, 404, 'not_found');
  const { items } = await suite.api.ok('GET', '/v1/system/backups');
  assert.deepEqual(items.map((item) => item.name), ['under-load']);

  // It fits together, although it was copied in the middle of everything.
  const verified = await backup('verify', join(folder, 'under-load'));
  assert.equal(verified.code, 0, verified.err + verified.out);
  const proof = JSON.parse(verified.out);
  assert.equal(proof.fault_count, 0);
  assert.ok(proof.runs >= RUNS);

  // Data that a scheduler works on is neither looked at nor replaced.
  const data = suite.config.scheduler.store.path;
  assert.equal((await backup('verify', data)).code, 3);
  assert.equal((await backup('restore', join(folder, 'under-load'), '--to', data)).code, 3);

  await suite.scheduler.kill();
  assert.equal((await backup('verify', data)).code, 0);
  await rename(data, `${data}.lost`);
  const restored = await backup('restore', join(folder, 'under-load'), '--to', data);
  assert.equal(restored.code, 0, restored.err);
  await suite.scheduler.start();
  await suite.scheduler.ready();

  // What was acknowledged before the backup comes to its end, once; what came after is gone.
  for (const { n, id } of started) {
    const run = await suite.runEnds(id);
    assert.equal(run.output.n, n * 2 + 1);
  }
  await suite.api.refused('GET', `/v1/runs/${late.id}`, undefined, 404, 'not_found');
  const again = await suite.api.ok('POST', '/v1/runs', { workflow: 'parent', input: { n: 5 }, client_id: 'p-5', on_conflict: 'return' });
  assert.equal(again.id, started[5].id);
  assert.equal(await countRuns(suite, 'child'), RUNS, 'each child was started once');
  const state = await suite.api.ok('GET', '/v1/system/status');
  assert.ok(JSON.stringify(state).includes('"epoch":2'));
});

scenario('a damaged backup is not restored', { needs: ['scheduler', 'gateway'], config: CONFIG, checkNeeds: false }, async (suite) => {
  const folder = join(suite.folder, 'backups');
  await suite.apply(CHILD);
  await suite.runEnds((await suite.startRun('child', { n: 1 })).id);
  assert.equal((await makeBackup(suite, 'good')).status, 'completed');

  const path = join(folder, 'good', 'p1', 'data.mdb');
  const file = await open(path, 'r+');
  await file.write(Buffer.from([0xff]), 0, 1, (await stat(path)).size - 100);
  await file.close();
  assert.equal((await backup('verify', join(folder, 'good'))).code, 1);
  const target = join(suite.folder, 'target');
  const refused = await backup('restore', join(folder, 'good'), '--to', target);
  assert.equal(refused.code, 1, refused.out);
  assert.match(refused.err, /manifest/);
  assert.ok(!(await readdir(suite.folder)).includes('target'));
  assert.equal((await backup('verify', suite.folder)).code, 3);
  assert.equal((await backup('restore', join(folder, 'good'))).code, 2);
});
