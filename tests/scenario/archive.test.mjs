// The archive: everything that is committed goes to another folder all the time, and data of any moment is made of it again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { randomOf } from './support/wait.mjs';

const PARTITIONS = 2;
const KILLS = process.env.TUTTI_LONG ? 40 : 5;
const SEED = Number(process.env.TUTTI_SEED ?? Date.now() % 1_000_000);
const LSAN = `suppressions=${new URL('../support/lsan.supp', import.meta.url).pathname}:print_suppressions=0`;

// Parents and children are in any partition: a moment must be the same one in all of them.
const CHILD = `
document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
do:
  - answer: { set: { n: '\${ $workflow.input.n * 2 }' } }
`;
const PARENT = `
document: { dsl: '1.0.3', namespace: default, name: parent, version: '1.0.0' }
do:
  - half: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { n: '\${ $workflow.input.n }' } } } }
  - more: { set: { n: '\${ .n + 1 }', text: '\${ "x" * 3000 }' } }
`;

// Below the suite's folder: the suite makes its name when it starts.
const CONFIG = {
  scheduler: { partitions: PARTITIONS, archive: { interval: '100ms', segment_size: '64KiB' } },
};

function tutti(...words) {
  const child = spawn(join(BIN, 'tutti'), ['--json', ...words], { env: { PATH: process.env.PATH, LSAN_OPTIONS: LSAN } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

async function archiveOf(suite) {
  const state = await suite.api.patient('GET', '/v1/system/status');
  return { ...state.components.scheduler.archives[0], whole: state.status };
}

// The scheduler is started anew with its archive; the folder itself is made here, as an operator does.
async function begin(suite) {
  const archive = join(suite.folder, 'archive');
  await mkdir(archive);
  await suite.scheduler.stop();
  suite.scheduler.more.push('--set', `scheduler.archive.path=${archive}`);
  await suite.scheduler.start();
  await suite.scheduler.ready();
  await archiveOf(suite); // the gateway has found it again
  await suite.apply(CHILD);
  await suite.apply(PARENT);
  return archive;
}

async function makeBackup(suite, name) {
  await suite.api.ok('POST', '/v1/system/backups', { name });
  const made = await suite.until(`the backup ${name} is over`, async () => {
    const seen = await suite.api.ok('GET', `/v1/system/backups/${name}`);
    return seen.status !== 'running' && seen;
  });
  assert.equal(made.status, 'completed', made.error);
  return join(suite.folder, 'backups', name);
}

async function runParents(suite, from, count) {
  const runs = [];
  for (let n = from; n < from + count; n++) {
    const run = await suite.api.patient('POST', '/v1/runs', { workflow: 'parent', input: { n }, client_id: `p-${n}`, on_conflict: 'return' });
    runs.push({ n, id: run.id });
  }
  return runs;
}

// A moment that lies behind everything answered so far, and before everything asked from now on.
async function moment() {
  const at = new Date(Date.now() + 2).toISOString();
  await sleep(5);
  return at;
}

function covered(suite, at) {
  return suite.until(`the archive covers ${at}`, async () => {
    const { covered_until: until } = await archiveOf(suite);
    return until > at;
  });
}

async function serve(suite, data) {
  const place = suite.config.scheduler.store.path;
  await suite.scheduler.kill();
  await rm(place, { recursive: true, force: true });
  await rename(data, place);
  await suite.scheduler.start();
  await suite.scheduler.ready();
  await archiveOf(suite);
}

async function expectRuns(suite, runs) {
  for (const { n, id } of runs) assert.equal((await suite.runEnds(id)).output.n, n * 2 + 1);
}

scenario('data of any moment is restored, through kills', { needs: ['scheduler', 'gateway'], config: CONFIG, checkNeeds: false }, async (suite) => {
  console.log(`# seed ${SEED} (TUTTI_SEED), ${KILLS} kills`);
  const random = randomOf(SEED);
  const archive = await begin(suite);
  const before = await runParents(suite, 0, 5);
  const base = await makeBackup(suite, 'base');
  const first = await runParents(suite, 100, 20);
  for (const { id } of first) await suite.runEnds(id);
  const at = await moment();

  // Killed while it archives, again and again.
  const second = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const work = runParents(suite, 1000 + kill * 100, 15);
    await sleep(random() * 300);
    await suite.scheduler.kill();
    await suite.scheduler.start();
    second.push(...(await work));
  }
  for (const { id } of second) await suite.runEnds(id);
  await covered(suite, await moment());
  await suite.scheduler.stop();
  const names = await readdir(join(archive, 'p0'));
  assert.ok(names.filter((name) => name.endsWith('.redo')).length > 1);

  // All of it: the same runs and events as the data that it was taken from.
  const data = suite.config.scheduler.store.path;
  const original = JSON.parse((await tutti('backup', 'verify', data)).out);
  const whole = await tutti('backup', 'restore', base, '--to', join(suite.folder, 'whole'), '--archive', archive);
  assert.equal(whole.code, 0, whole.err);
  const replayed = JSON.parse(whole.out);
  for (const member of ['runs', 'events', 'open_jobs', 'timers', 'fault_count']) assert.equal(replayed[member], original[member], member);
  assert.ok(replayed.replayed_commits > 0);

  // Up to the moment.
  const part = await tutti('backup', 'restore', base, '--to', join(suite.folder, 'part'), '--archive', archive, '--until', at);
  assert.equal(part.code, 0, part.err);
  assert.ok(JSON.parse(part.out).restored_until <= at);
  assert.equal(JSON.parse(part.out).fault_count, 0);
  const early = await tutti('backup', 'restore', base, '--to', join(suite.folder, 'early'), '--archive', archive, '--until', '2020-01-01T00:00:00Z');
  assert.equal(early.code, 3);
  assert.match(early.err, /choose an older backup/);
  assert.equal((await tutti('backup', 'restore', base, '--to', join(suite.folder, 'early'), '--archive', archive, '--until', 'noon')).code, 3);
  assert.equal((await tutti('backup', 'restore', base, '--to', join(suite.folder, 'early'), '--until', at)).code, 2);

  await serve(suite, join(suite.folder, 'part'));
  await expectRuns(suite, [...before, ...first]);
  await suite.api.refused('GET', `/v1/runs/${second[0].id}`, undefined, 404, 'not_found');
  const again = await suite.api.ok('POST', '/v1/runs', { workflow: 'parent', input: { n: 103 }, client_id: 'p-103', on_conflict: 'return' });
  assert.equal(again.id, first[3].id, 'its client id is known');

  // The restored data begins another timeline in the same folder; the old one stays whole.
  await suite.runEnds((await suite.startRun('parent', { n: 7 })).id);
  await covered(suite, await moment());
  await serve(suite, join(suite.folder, 'whole'));
  await expectRuns(suite, [...before, ...first, ...second]);
  const state = await suite.api.ok('GET', '/v1/system/status');
  assert.ok(JSON.stringify(state).includes('"epoch":2'));
});

scenario('a damaged archive is named, and not used behind the damage', { needs: ['scheduler', 'gateway'], config: CONFIG, checkNeeds: false }, async (suite) => {
  const archive = await begin(suite);
  const base = await makeBackup(suite, 'base');
  const first = await runParents(suite, 0, 20);
  for (const { id } of first) await suite.runEnds(id);
  const at = await moment();
  await covered(suite, at);
  for (const { id } of await runParents(suite, 100, 20)) await suite.runEnds(id);
  await covered(suite, await moment());
  await suite.scheduler.stop();

  const folder = join(archive, 'p0');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.redo')).sort();
  const last = join(folder, names.at(-1));
  const file = await open(last, 'r+');
  const place = (await stat(last)).size - 20;
  await file.write(Buffer.from('damage'), 0, 6, place);
  await file.close();
  const target = join(suite.folder, 'target');
  const damaged = await tutti('backup', 'restore', base, '--to', target, '--archive', archive);
  assert.equal(damaged.code, 1, damaged.out);
  assert.match(damaged.err, /partition 0 is whole --until \S+ only: /);
  assert.ok(damaged.err.includes('damaged at byte '), damaged.err);
  assert.ok(damaged.err.includes(names.at(-1)), damaged.err);

  // The last one is away, then one in the middle.
  await rename(last, `${last}.away`);
  const cut = await tutti('backup', 'restore', base, '--to', target, '--archive', archive);
  assert.equal(cut.code, 1, cut.out);
  assert.match(cut.err, /the last segment is missing/);
  await rename(`${last}.away`, last);
  const middle = join(folder, names.at(-2));
  await rename(middle, `${middle}.away`);
  const gap = await tutti('backup', 'restore', base, '--to', target, '--archive', archive);
  assert.equal(gap.code, 1, gap.out);
  assert.match(gap.err, /is missing \(commits \d+ to \d+\)/);
  await rename(`${middle}.away`, middle);
  assert.ok(!(await readdir(suite.folder)).some((name) => name.startsWith('target')));

  const whole = await tutti('backup', 'restore', base, '--to', target, '--archive', archive, '--until', at);
  assert.equal(whole.code, 0, whole.err);
  await serve(suite, target);
  await expectRuns(suite, first);
});

scenario('an archive that is away stalls nobody', { needs: ['scheduler', 'gateway'], config: CONFIG, checkNeeds: false }, async (suite) => {
  const archive = await begin(suite);
  const base = await makeBackup(suite, 'base');
  const gauge = async (name) => {
    const text = await (await fetch(`http://127.0.0.1:${suite.scheduler.adminPort}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)[1]);
  };
  await covered(suite, await moment());
  assert.equal(await gauge('tutti_archive_failing'), 0);
  assert.ok((await gauge('tutti_archive_covered_timestamp_seconds')) > 1_700_000_000);

  await rename(archive, `${archive}.away`);
  await suite.until('it is said', async () => (await archiveOf(suite)).status === 'failing');
  const runs = await runParents(suite, 0, 20);
  for (const { id } of runs) await suite.runEnds(id);
  const failing = await archiveOf(suite);
  assert.equal(failing.whole, 'degraded');
  assert.match(failing.error, /archive/);
  assert.equal(await gauge('tutti_archive_failing'), 1);
  const bare = await tutti('backup', 'restore', base, '--to', join(suite.folder, 'bare'), '--archive', archive);
  assert.notEqual(bare.code, 0, 'an archive that is not there is not an empty one');

  // Killed meanwhile: what was not archived is kept in the store.
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await rename(`${archive}.away`, archive);
  await suite.until('it goes on', async () => (await archiveOf(suite)).status === 'ok');
  await covered(suite, await moment());
  await suite.scheduler.stop();
  const whole = await tutti('backup', 'restore', base, '--to', join(suite.folder, 'whole'), '--archive', archive);
  assert.equal(whole.code, 0, whole.err);
  await serve(suite, join(suite.folder, 'whole'));
  await expectRuns(suite, runs);
});

scenario('backups come and go by a clock, and take their segments with them', { needs: ['scheduler', 'gateway'], config: CONFIG, checkNeeds: false }, async (suite) => {
  suite.scheduler.more.push('--set', 'scheduler.backup.every=1h');
  const archive = await begin(suite);
  const list = async () => (await suite.api.ok('GET', '/v1/system/backups')).items;
  const whole = async () => (await list()).filter((backup) => backup.status === 'completed');

  // The archive has nothing to stand on until the first one, so that comes at once; not the second.
  const [first] = await suite.until('there is a first one', async () => (await whole()).length === 1 && whole());
  const runs = await runParents(suite, 0, 5);
  for (const { id } of runs) await suite.runEnds(id);
  const at = await moment();
  await covered(suite, at);
  const segments = async () => (await readdir(join(archive, 'p0'))).filter((name) => name.endsWith('.redo')).length;
  assert.equal((await whole()).length, 1);
  assert.ok((await segments()) > 0);
  const restored = await tutti('backup', 'restore', join(suite.folder, 'backups', first.name), '--to', join(suite.folder, 'data2'), '--archive', archive, '--until', at);
  assert.equal(restored.code, 0, restored.err);

  // Soon one after the other: old ones go, the newest is there, and it can be restored.
  await suite.scheduler.stop();
  suite.scheduler.more.push('--set', 'scheduler.backup.every=1s', '--set', 'scheduler.backup.keep=2s');
  await suite.scheduler.start();
  await archiveOf(suite);
  await suite.until('the first one is gone', async () => !(await list()).some((backup) => backup.name === first.name));
  await suite.until('there is another one', async () => (await whole()).length > 0);
  await suite.until('old segments are gone', async () => (await segments()) < 3);
  await suite.scheduler.kill();
  const names = (await readdir(join(suite.folder, 'backups'))).filter((name) => /^[0-9-]+$/.test(name)).sort();
  const last = await tutti('backup', 'restore', join(suite.folder, 'backups', names.at(-1)), '--to', join(suite.folder, 'data3'), '--archive', archive);
  assert.equal(last.code, 0, last.err);
  await serve(suite, join(suite.folder, 'data3'));
  await expectRuns(suite, runs);
});
