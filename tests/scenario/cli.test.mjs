// The command line as people and scripts use it: `tutti up` with nothing configured, then every
// command with its exit code, as text and as JSON.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BIN } from './support/service.mjs';
import { until, within } from './support/wait.mjs';

const OK = 0, FAILED = 1, USAGE = 2, REFUSED = 3, UNREACHABLE = 4, TIMEOUT = 5;
const WAIT_MS = 60_000;
const LSAN = `suppressions=${new URL('../support/lsan.supp', import.meta.url).pathname}:print_suppressions=0`;
const EXAMPLE = new URL('../../compose/examples/seo-article.yaml', import.meta.url).pathname;

let folder, data, up;
let upOutput = '';

// Runs `tutti ARGUMENTS` to its end.
function tutti(...words) {
  const child = spawn(join(BIN, 'tutti'), ['--data', data, ...words], { env: { PATH: process.env.PATH, HOME: folder, LSAN_OPTIONS: LSAN } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  return within(`tutti ${words.join(' ')} ends`, WAIT_MS, new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err }))));
}

async function expect(code, ...words) {
  const result = await tutti(...words);
  assert.equal(result.code, code, `tutti ${words.join(' ')}\n${result.out}\n${result.err}`);
  assert.doesNotMatch(result.err, /Sanitizer|runtime error/);
  return result;
}

const json = async (...words) => JSON.parse((await expect(OK, '--json', ...words)).out);

async function write(name, text) {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const definition = (name, tasks, version = '1.0.0') => `document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '${version}' }\ndo:\n${tasks}\n`;
const DECIDED = "listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '${ $workflow.id }' } } } } }, output: { as: '.[0]' }, metadata: { tutti: { approval: { title: Go on? } } }";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-cli-'));
  data = join(folder, 'data');
  await expect(UNREACHABLE, 'list'); // nothing runs yet
  up = spawn(join(BIN, 'tutti'), ['up', '--data', data, '--port', '0'], { env: { PATH: process.env.PATH, HOME: folder, LSAN_OPTIONS: LSAN } });
  up.stdout.on('data', (chunk) => (upOutput += chunk));
  up.stderr.on('data', (chunk) => (upOutput += chunk));
  up.exited = new Promise((resolve) => up.once('exit', (code, signal) => resolve(signal ?? code)));
  await until('the suite is up', () => upOutput.includes('is up'), WAIT_MS);
  const files = {
    hello: definition('hello', "  - greet: { set: { text: '${ \"Hello, \\(.name // \"you\")\" }' } }"),
    fails: definition('fails', '  - fail: { raise: { error: { type: https://example.com/no, status: 400, title: No } } }'),
    sleeps: definition('sleeps', '  - nap: { wait: { hours: 1 } }'),
    hears: definition('hears', "  - hear: { listen: { to: { one: { with: { type: go } } } }, output: { as: '.[0]' } }"),
    asks: definition('asks', `  - ask: { ${DECIDED} }`),
    wrong: definition('wrong', '  - a: { sett: { b: 1 } }'),
  };
  for (const [name, text] of Object.entries(files)) await write(`${name}.yaml`, text);
});

after(async () => {
  if (up.exitCode === null) {
    up.kill('SIGTERM');
    await within('the suite drains', WAIT_MS, up.exited);
  }
  await rm(folder, { recursive: true, force: true });
});

const file = (name) => join(folder, `${name}.yaml`);

test('up: the folder is private, the key is there, endpoints are named', async () => {
  assert.equal((await stat(data)).mode & 0o777, 0o700);
  assert.equal((await stat(join(data, 'admin.key'))).mode & 0o777, 0o600);
  const endpoints = JSON.parse(await readFile(join(data, 'endpoints.json'), 'utf8'));
  for (const name of ['gateway', 'scheduler', 'tool-adapter', 'llm-proxy']) {
    assert.equal((await fetch(`${endpoints[name].admin}/health/ready`)).status, 200, name);
  }
  assert.match(upOutput, /SIMULATED/);
  const second = await tutti('up', '--port', '0');
  assert.notEqual(second.code, OK, 'one suite per folder');
});

test('up ends at once, and says why, if a service refuses its configuration', async () => {
  const child = spawn(join(BIN, 'tutti'), ['up', '--data', join(folder, 'wrong'), '--port', '0'], { env: { PATH: process.env.PATH, HOME: folder, LSAN_OPTIONS: LSAN, LLM_BASE_URL: 'nonsense' } });
  let text = '';
  child.stderr.on('data', (chunk) => (text += chunk));
  const code = await within('it ends', WAIT_MS, new Promise((resolve) => child.once('close', resolve)));
  assert.equal(code, FAILED, text);
  assert.match(text, /llm-proxy refuses its configuration/);
  assert.match(text, /base_url/);
});

test('version, help and wrong command lines', async () => {
  assert.match((await expect(OK, 'version')).out, /\d+\.\d+\.\d+/);
  assert.match((await json('version')).version, /^\d+\.\d+\.\d+$/);
  for (const command of ['up', 'apply', 'validate', 'run', 'list', 'show', 'logs', 'signal', 'approve', 'reject', 'cancel', 'queue', 'doctor']) {
    assert.match((await expect(OK, command, '--help')).out, new RegExp(`tutti ${command}`));
  }
  assert.match((await expect(USAGE, 'aply', 'x')).err, /apply/);
  await expect(USAGE, 'run');
  await expect(USAGE, 'list', '--colour');
  assert.match((await expect(USAGE, 'show', 'a'.repeat(3000))).err, /too long/);
});

test('validate works offline, apply registers', async () => {
  await expect(OK, 'validate', file('hello'), EXAMPLE);
  const wrong = await expect(FAILED, 'validate', file('wrong'));
  assert.match(wrong.out + wrong.err, /wrong\.yaml:3:\d+: error V\d\d/);
  assert.match(wrong.out + wrong.err, /set/);
  for (const name of ['hello', 'fails', 'sleeps', 'hears', 'asks']) await expect(OK, 'apply', file(name));
  await expect(OK, 'apply', file('hello')); // once more: the same content
  assert.match((await expect(REFUSED, '--key', 'tutti_no', 'list')).err, /HTTP 401.*\n.*TUTTI_KEY/);
  await expect(REFUSED, 'apply', await write('hello2.yaml', definition('hello', '  - other: { set: { a: 1 } }'))); // other content
  await expect(REFUSED, 'apply', file('wrong'));
  await expect(FAILED, 'apply', join(folder, 'nothing.yaml'));
});

test('run, list, show, logs', async () => {
  const { out } = await expect(OK, 'run', 'hello', '--input', '{"name": "Ada"}', '--wait');
  assert.match(out, /Hello, Ada/);
  const run = await json('run', 'hello', '--input', `@${await write('input.json', '{"name": "Bob"}')}`, '--wait', '--id', 'by-cli', '--label', 'team:tests');
  assert.equal(run.status, 'completed');
  assert.deepEqual(run.output, { text: 'Hello, Bob' });
  assert.deepEqual((await json('show', 'by-cli')).id, run.id);
  const { items } = await json('list', '--label', 'team:tests');
  assert.deepEqual(items.map((item) => item.id), [run.id]);
  assert.match((await expect(OK, 'list')).out, new RegExp(run.id));
  assert.deepEqual((await json('list', '--label', 'team:tests', '--after', '2100-01-01T00:00:00Z')).items, []);
  assert.deepEqual((await json('list', '--label', 'team:tests', '--before', run.created_at)).items, []);
  assert.equal((await json('list', '--label', 'team:tests', '--after', run.created_at)).items.length, 1);
  await expect(REFUSED, 'list', '--after', 'yesterday');
  await expect(REFUSED, 'run', 'hello', '--id', 'by-cli');
  assert.equal((await json('run', 'hello', '--id', 'by-cli', '--on-conflict', 'return')).id, run.id);
  assert.equal((await json('run', 'hello', '--deadline', '2100-01-01T00:00:00Z')).deadline, '2100-01-01T00:00:00.000Z');
  assert.match((await expect(OK, 'bulk', 'delete', '--label', 'team:tests', '--after', '2100-01-01T00:00:00Z', '--dry-run')).out, /^0 matched/);
  assert.match((await expect(OK, 'show', run.id)).out, /completed/);
  const events = (await expect(OK, '--json', 'logs', run.id)).out.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(events.map((event) => event.sequence), events.map((_, index) => index + 1));
  assert.match((await expect(OK, 'logs', run.id, '--follow')).out, /run\.completed/);
  await expect(FAILED, 'run', 'fails', '--wait');
  await expect(REFUSED, 'run', 'nothing');
  await expect(REFUSED, 'show', 'nobody');
  await expect(USAGE, 'run', 'hello', '--input', '{');
  await expect(TIMEOUT, 'run', 'sleeps', '--wait', '--timeout', '200ms');
});

test('signal, approve, reject, cancel', async () => {
  const hears = (await expect(OK, 'run', 'hears')).out.trim();
  await expect(OK, 'signal', hears, 'go', '{"n": 7}');
  assert.match((await expect(OK, 'logs', hears, '--follow')).out, /run\.completed/);
  assert.deepEqual((await json('show', hears)).output, { n: 7 });
  await expect(REFUSED, 'signal', hears, 'go');
  await expect(OK, 'signal', '--start', 'hears', 'heard-at-once', 'go', '{"n": 8}', '--input', '{"who": "me"}');
  const heard = await json('run', 'hears', '--id', 'heard-at-once', '--on-conflict', 'return', '--wait');
  assert.deepEqual([heard.output, heard.input], [{ n: 8 }, { who: 'me' }]);
  await expect(REFUSED, 'signal', '--start', 'hears', 'heard-at-once', 'go');
  await expect(USAGE, 'signal', 'heard-at-once', 'go', '--input', '{}');

  for (const [decision, approved] of [['approve', true], ['reject', false]]) {
    const run = (await expect(OK, 'run', 'asks')).out.trim();
    await until('it asks', async () => (await expect(OK, 'approvals')).out.includes(run), WAIT_MS);
    await expect(OK, decision, run, '--comment', 'by the test');
    await expect(OK, 'logs', run, '--follow');
    const { output } = await json('show', run);
    assert.equal(output.approved, approved);
    assert.equal(output.comment, 'by the test');
    await expect(REFUSED, decision, run);
  }

  const sleeps = (await expect(OK, 'run', 'sleeps')).out.trim();
  await expect(OK, 'cancel', sleeps, '--reason', 'no time');
  assert.equal((await json('show', sleeps)).status, 'cancelled');
  await expect(REFUSED, 'cancel', sleeps);
});

test('queue and doctor', async () => {
  assert.match((await expect(OK, 'queue')).out, /tools/);
  assert.equal((await json('queue', 'llm')).name, 'llm');
  await expect(OK, 'queue', 'pause', 'images');
  await expect(OK, 'queue', 'set', 'images', '--concurrency', '4', '--rate', '100/1m');
  assert.match((await expect(OK, 'queue', 'images')).out, /images +paused .*4 at once, 100\/1m/);
  await expect(OK, 'queue', 'set', 'images', '--redrive', '{"errors": ["communication", "timeout"], "after": "10m", "times": 3, "rate": {"count": 30, "per": "1m"}}');
  assert.match((await expect(OK, 'queue', 'images')).out, /100\/1m +3 times, 10m after, 30\/1m, of communication, timeout/);
  await expect(OK, 'queue', 'set', 'images', '--concurrency', 'none', '--rate', 'none', '--redrive', 'none');
  await expect(OK, 'queue', 'resume', 'images');
  await expect(OK, 'queue', 'purge', 'images');
  assert.match((await expect(OK, 'queue', 'images')).out, /images +open/);
  await expect(USAGE, 'queue', 'stop', 'images');
  await expect(USAGE, 'queue', 'set', 'images');
  await expect(USAGE, 'queue', 'set', 'images', '--rate', 'many/1m');
  // The disk of this machine may be slow or full, and then doctor says so: the rest must be well.
  const doctor = await tutti('doctor');
  const bad = doctor.out.split('\n').filter((line) => line.startsWith('BAD'));
  assert.deepEqual(bad.filter((line) => !/^BAD +disk /.test(line)), []);
  assert.equal(doctor.code, bad.length > 0 ? FAILED : OK);
  for (const word of ['gateway', 'scheduler', 'tool-adapter', 'llm-proxy']) assert.match(doctor.out, new RegExp(`ok +${word}`));
  JSON.parse((await tutti('--json', 'doctor')).out);
  await expect(OK, 'doctor', '--ready');
  await expect(REFUSED, '--key', `tutti_${'a'.repeat(12)}_${'b'.repeat(43)}`, 'list');
  await expect(UNREACHABLE, '--url', 'http://127.0.0.1:1', 'list');
});

test('up starts again what dies, and drains on Ctrl-C', async () => {
  const endpoints = async () => JSON.parse(await readFile(join(data, 'endpoints.json'), 'utf8'));
  const before = await endpoints();
  for (const name of ['gateway', 'scheduler', 'tool-adapter', 'llm-proxy']) process.kill(before[name].pid, 'SIGKILL');
  await until('all are there again', async () => {
    const now = await endpoints();
    return ['gateway', 'scheduler', 'tool-adapter', 'llm-proxy'].every((name) => now[name].pid !== before[name].pid);
  }, WAIT_MS);
  await until('the suite works', async () => (await tutti('run', 'hello', '--wait')).code === OK, WAIT_MS);
  up.kill('SIGINT');
  assert.equal(await within('the suite drains', WAIT_MS, up.exited), 0);
  const after = await endpoints().catch(() => null);
  for (const name of ['gateway', 'scheduler', 'tool-adapter', 'llm-proxy']) {
    assert.throws(() => process.kill(after?.[name]?.pid ?? before[name].pid, 0), `${name} is gone`);
    const log = await readFile(join(data, 'log', `${name}.log`), 'utf8');
    assert.doesNotMatch(log, /Sanitizer|runtime error|crashed by signal/, name);
  }
});
