// What a definition names by URL is read once, when it is registered, and is part of it from then on.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'tool-adapter'];
const YAML = { 'content-type': 'application/yaml' };

const greet = (word) => `
input: { schema: { document: { type: object, required: [ name ], properties: { name: { type: string } } } } }
output: { schema: { resource: { endpoint: ../../../types/said.json } } }
do:
  - twice: { call: ../../repeat/1.0.0/function.yaml, with: { text: '\${ "${word} \\(.name)" }' } }
`;
const FILES = {
  '/catalog/functions/greet/1.0.0/function.yaml': () => ({ text: greet('Hello') }),
  '/catalog/functions/repeat/1.0.0/function.yaml': () => ({ text: "set: { said: '${ \"\\(.text)! \\(.text)!\" }' }\n" }),
  '/catalog/types/said.json': () => ({ body: { $ref: 'words.json#/$defs/said' } }),
  '/catalog/types/words.json': () => ({ body: { $defs: { said: { type: 'object', required: ['said'] } } } }),
  '/input.yaml': () => ({ text: '# what a run is started with\ntype: object\nrequired: [ who ]\n' }),
};

const catalog = (answers = {}) => Upstream.start((request) => ({ ...FILES, ...answers })[request.path]?.(request) ?? { status: 404 });

const workflow = (url, more = '') => `
document: { dsl: '1.0.3', namespace: default, name: greeter, version: '1.0.0' }
use: { catalogs: { ours: { endpoint: '${url}/catalog/' } } }
input: { schema: { format: json, resource: { name: input, endpoint: '${url}/input.yaml' } } }
do:
  - hold: { listen: { to: { one: { with: { type: go } } } } }
  - greet: { call: 'greet:1.0.0@ours', with: { name: '\${ $workflow.input.who }' } }
${more}`;

const validate = (suite, text) => suite.api.patient('POST', '/v1/workflows/validate', text, { headers: YAML });
// The gateway may not have reached the tool-adapter yet.
const reached = (suite, ask) => suite.until('the gateway reaches the tool-adapter', async () => {
  const answer = await ask();
  return answer.status !== 503 && answer;
});
const put = (suite, text, name = 'greeter') => suite.api.call('PUT', `/v1/workflows/${name}`, text, { headers: YAML });
const refused = async (suite, text) => {
  const answer = await validate(suite, text);
  assert.equal(answer.valid, false, JSON.stringify(answer));
  assert.equal(answer.diagnostics.length, 1, JSON.stringify(answer.diagnostics));
  return answer.diagnostics[0];
};

scenario('a run needs its catalog never again', { needs: NEEDS }, async (suite) => {
  const upstream = await catalog();
  try {
    const text = workflow(upstream.url);
    const first = await suite.api.patient('PUT', '/v1/workflows/greeter', text, { headers: YAML }); // until the gateway reaches the tool-adapter
    for (const path of Object.keys(FILES)) assert.equal(upstream.count(path), 1, path);

    const again = await put(suite, text);
    assert.equal(again.status, 200, again.text);
    assert.equal(again.body.digest, first.digest);
    await suite.api.refused('POST', '/v1/runs', { workflow: 'greeter', input: {} }, 422, 'input_invalid');
    const run = await suite.startRun('greeter', { who: 'Ada' });

    await upstream.stop();
    const asked = upstream.requests.length;
    await suite.scheduler.kill();
    await suite.scheduler.start();
    await suite.scheduler.ready();
    await suite.until('it hears', async () => (await suite.api.patient('GET', `/v1/runs/${run.id}`)).status === 'waiting');
    await suite.api.ok('POST', `/v1/runs/${run.id}/signals/go`, { data: {} });
    const ended = await suite.runEnds(run.id);
    assert.deepEqual(ended.output, { said: 'Hello Ada! Hello Ada!' });
    const later = await suite.startRun('greeter', { who: 'Bo' });
    await suite.api.ok('POST', `/v1/runs/${later.id}/signals/go`, { data: {} });
    assert.deepEqual((await suite.runEnds(later.id)).output, { said: 'Hello Bo! Hello Bo!' });
    assert.equal(upstream.requests.length, asked);

    // Without its catalog it can be run, and not be registered.
    const lost = await put(suite, text);
    assert.equal(lost.status, 422, lost.text);
    assert.match(lost.text, /does not give the function|cannot be read/);
  } finally {
    await upstream.stop().catch(() => {});
  }
});

scenario('other content needs another version', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  let word = 'Hello';
  const upstream = await catalog({ '/catalog/functions/greet/1.0.0/function.yaml': () => ({ text: greet(word) }) });
  try {
    const text = workflow(upstream.url);
    const first = await suite.api.patient('PUT', '/v1/workflows/greeter', text, { headers: YAML });
    word = 'Bye';
    assert.equal((await put(suite, text)).status, 409);
    const second = await put(suite, text.replace("'1.0.0' }\nuse", "'1.0.1' }\nuse"));
    assert.equal(second.status, 201, second.text);
    assert.notEqual(second.body.digest, first.digest);
    word = 'Hello';
    assert.equal((await put(suite, text)).status, 200);
  } finally {
    await upstream.stop();
  }
});

const big = `a: "${'x'.repeat(600_000)}"`;
const deep = '['.repeat(80) + ']'.repeat(80);
const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]', ...'bcdef'.split('').map((c, i) => `${c}: &${c} [${Array(10).fill(`*${'abcdef'[i]}`).join(',')}]`)].join('\n');

scenario('documents that nobody should read are findings', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const upstream = await catalog({
    '/big.yaml': () => ({ text: big }),
    '/deep.yaml': () => ({ text: deep }),
    '/bomb.yaml': () => ({ text: bomb }),
    '/loop.yaml': () => ({ status: 302, headers: { location: '/loop.yaml' } }),
    '/slow.yaml': () => ({ silent: true }),
    '/page.yaml': () => ({ text: '<!DOCTYPE html><title>Sign in</title>', headers: { 'content-type': 'text/html; charset=utf-8' } }),
    '/inside.yaml': () => ({ status: 302, headers: { location: 'http://169.254.169.254/latest/meta-data' } }),
    '/bytes.yaml': () => ({ text: Buffer.from([0xff, 0xfe, 0x00, 0x01]) }),
    '/wrong.yaml': () => ({ text: '# first\nwait: { minute: 5 }\n' }),
    '/me.yaml': () => ({ text: 'do: [ { again: { call: ./me.yaml } } ]' }),
  });
  const calls = (url) => `document: { dsl: '1.0.3', namespace: default, name: hostile, version: '1.0.0' }\ndo:\n  - a: { call: '${url}' }\n`;
  try {
    const cases = [
      ['big', /more than 524288 bytes/, 'V14'],
      ['deep', /:1:\d+: /, 'V01'],
      ['bomb', /aliases expanded/, 'V01'],
      ['loop', /redirect/, 'V14'],
      ['page', /page for browsers/, 'V14'],
      ['inside', /cannot be read/, 'V14'],
      ['bytes', /bytes\.yaml:1:1: /, 'V01'],
      ['wrong', /wrong\.yaml:2:\d+: unknown key `minute`/, 'V07'],
      ['me', /call itself without end/, 'V14'],
      ['none', /status 404/, 'V14'],
      ['slow', /cannot be read/, 'V14'],
    ];
    const findings = await Promise.all(cases.map(([name]) => refused(suite, calls(`${upstream.url}/${name}.yaml`))));
    for (const [i, [name, words, code]] of cases.entries()) {
      assert.match(findings[i].detail, words, name);
      assert.equal(findings[i].code, code, name);
      assert.deepEqual([findings[i].pointer, findings[i].line], ['/do/0/a/call', 3], name);
    }
    // Plain http is for the hosts that the operator names; the metadata of clouds is for nobody.
    for (const url of ['http://localhost:1/f.yaml', 'http://10.1.2.3/f.yaml', 'https://169.254.169.254/f.yaml', 'https://[::1]:9/f.yaml', 'file:///etc/passwd']) {
      assert.match((await refused(suite, calls(url))).detail, /cannot be read/, url);
    }
    assert.equal(upstream.count('/loop.yaml'), 4);
  } finally {
    await upstream.stop();
  }
});

// The secrets stand beside the suite's folder.
const folder = await mkdtemp(join(tmpdir(), 'tutti-documents-'));
await writeFile(join(folder, 'key'), 'key-of-the-catalog\n', { mode: 0o600 });
const config = { scheduler: { secrets: { default: { key: { file: join(folder, 'key') } } } } };

scenario('a catalog that wants to know who asks', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const guarded = (answer) => (request) => (request.headers.authorization === 'Bearer key-of-the-catalog' ? answer(request) : { status: 401 });
  const upstream = await catalog(Object.fromEntries(Object.entries(FILES).map(([path, answer]) => [path, guarded(answer)])));
  const text = (secret, namespace = 'default') => `
document: { dsl: '1.0.3', namespace: ${namespace}, name: guarded, version: '1.0.0' }
use:
  secrets: [ ${secret} ]
  catalogs: { ours: { endpoint: { uri: '${upstream.url}/catalog', authentication: { bearer: { token: '\${ $secrets.${secret} }' } } } } }
do: [ { greet: { call: 'greet:1.0.0@ours', with: { name: Ada } } } ]
`;
  try {
    const made = await reached(suite, () => put(suite, text('key'), 'guarded'));
    assert.equal(made.status, 201, made.text);
    const run = await suite.startRun('guarded');
    assert.deepEqual((await suite.runEnds(run.id)).output, { said: 'Hello Ada! Hello Ada!' });
    const source = await suite.api.call('GET', '/v1/workflows/guarded');
    assert.ok(!source.text.includes('key-of-the-catalog'));

    assert.match((await refused(suite, text('missing'))).detail, /the secret `missing` is not configured/);
    // A secret of another namespace is not lent to whoever checks a definition.
    const before = upstream.requests.length;
    const other = await suite.api.call('POST', '/v1/workflows/validate', text('key'), { headers: { ...YAML, 'tutti-namespace': 'other' } });
    assert.equal(other.status, 422, other.text);
    assert.equal(upstream.requests.length, before);
  } finally {
    await upstream.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('the command line reads documents from files, and warns of the others', async () => {
  const shelf = await mkdtemp(join(tmpdir(), 'tutti-shelf-'));
  const write = async (path, text) => {
    await mkdir(dirname(join(shelf, path)), { recursive: true });
    await writeFile(join(shelf, path), text);
    return join(shelf, path);
  };
  const validate = (...flags) => new Promise((resolve) => {
    execFile(join(BIN, 'tutti'), ['--json', 'validate', ...flags], (error, out) => resolve({ code: error?.code ?? 0, ...JSON.parse(out) }));
  });
  try {
    const file = await write('flow.yaml', workflow('https://catalog.test'));
    await write('functions/greet/1.0.0/function.yaml', FILES['/catalog/functions/greet/1.0.0/function.yaml']().text);
    await write('functions/repeat/1.0.0/function.yaml', FILES['/catalog/functions/repeat/1.0.0/function.yaml']().text);
    const input = await write('input.yaml', 'type: object');
    const said = (answer) => answer.diagnostics.map(({ code, severity, detail }) => [code, severity, detail]);
    const unseen = (path) => ['V14', 'warning', `\`https://catalog.test/${path}\` was not looked at`];

    const alone = await validate(file);
    assert.deepEqual([alone.code, alone.valid], [0, true]);
    assert.deepEqual(said(alone), [unseen('input.yaml'), unseen('catalog/functions/greet/1.0.0/function.yaml')]);
    const most = await validate('--catalog', shelf, '--resolve', `https://catalog.test/input.yaml=${input}`, file);
    assert.deepEqual(said(most), [unseen('catalog/types/said.json')]);
    const types = await write('said.json', '{"type": "object"}');
    const all = await validate('--catalog', shelf, '--resolve', `https://catalog.test/input.yaml=${input},https://catalog.test/catalog/types/said.json=${types}`, file);
    assert.deepEqual([all.code, said(all)], [0, []]);

    await writeFile(input, 'type: objekt');
    const wrong = await validate('--catalog', shelf, '--resolve', `https://catalog.test/input.yaml=${input}`, file);
    assert.deepEqual([wrong.code, wrong.valid], [1, false]);
    assert.match(wrong.diagnostics[0].detail, /^https:\/\/catalog\.test\/input\.yaml:1:7: in the schema/);
  } finally {
    await rm(shelf, { recursive: true, force: true });
  }
});
