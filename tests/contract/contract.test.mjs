// What the built-in manifests would send, against the official descriptions of the APIs. The real program renders every action on its
// example and on generated arguments, also what `before`, look-ups and undo call; then every answer that a description promises must
// yield an output without gaps. An exception that a manifest lists and that nothing needs any more is an error too.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Description, fileOf, yaml } from './description.mjs';
import { checkRequest } from './request.mjs';
import { argumentsOf } from './arguments.mjs';

const folder = new URL('../../common/adapter/manifests/', import.meta.url);
const program = `${process.env.TUTTI_BIN}/tutti`;
const scratch = mkdtempSync(join(tmpdir(), 'contract-'));
test.after(() => rmSync(scratch, { recursive: true }));

const manifests = readdirSync(folder).filter((name) => name.endsWith('.yaml')).sort().map((name) => yaml.load(readFileSync(new URL(name, folder), 'utf8')));
const run = (...args) => JSON.parse(execFileSync(program, ['adapter', 'render', ...args], { encoding: 'utf8', maxBuffer: 64 << 20 }));

// Renders calls in one go; the answers in their order.
function render(calls, ...more) {
  const file = join(scratch, 'calls.json');
  writeFileSync(file, JSON.stringify(calls));
  const answers = [];
  for (const one of run('--calls', `@${file}`, ...more)) answers[one.call] = one;
  return calls.map((call, i) => ({ given: call, ...(answers[i] ?? { error: 'no adapter has it' }) }));
}

const nameOf = (played) => played.function.split(':')[0];
const played = run('--all');
const actions = new Map(manifests.flatMap((manifest) => Object.entries(manifest.actions).map(([name, action]) => [`${manifest.name}.${name}`, { manifest, action, name }])));

// What others call, and what is generated; rendered all at once.
const calls = [];
for (const one of played) {
  const adapter = nameOf(one).split('.')[0];
  const targets = [one.before && ['before', one.before], ...(one.lookup ?? []).map((call) => ['lookup', call]), ...[...(one.compensate ?? []), ...(one.compensate_steps ?? [])].map((call) => ['compensate', call])];
  for (const [kind, call] of targets.filter(Boolean)) calls.push({ function: `${adapter}.${call.action}`, params: call.with, from: `${nameOf(one)} ${kind}` });
}
for (const [name, { manifest, action }] of actions) {
  for (const params of argumentsOf(manifest, action)) calls.push({ function: name, params, from: 'generated' });
}
const rendered = [...played.map((one) => ({ given: { function: nameOf(one), from: 'example' }, ...one })), ...render(calls)];

function specsOf(manifest) {
  return [manifest.spec ?? []].flat().map((spec) => ({ spec, file: fileOf(spec) }));
}

// Exceptions count for the action and the place that they name, and for what lies in it.
function excepted(exceptions, action, at) {
  const exception = exceptions.find((one) => one.action === action && (at === one.at || at.startsWith(`${one.at}/`)));
  if (exception) exception.isUsed = true;
  return exception !== undefined;
}

function originOf(manifest) {
  const base = manifest.config?.base_url?.default ?? manifest.http?.base_url;
  return base && !base.startsWith('=') ? new URL(base).origin : undefined;
}

// An output that has members without a value: the manifest reads what the answer does not have.
function gaps(value, at) {
  if (value === null || value === undefined) return [at];
  if (Array.isArray(value)) return value.flatMap((one) => gaps(one, at));
  return typeof value === 'object' ? Object.entries(value).flatMap(([key, one]) => gaps(one, `${at}/${key}`)) : [];
}

for (const manifest of manifests) {
  const specs = specsOf(manifest);
  const present = specs.filter((one) => one.file);
  const mine = rendered.filter((one) => one.given.function.startsWith(`${manifest.name}.`));

  test(`${manifest.name}: ${mine.length} calls render`, () => {
    const wrong = mine.filter((one) => one.error).map((one) => `${one.given.function} (${one.given.from}): ${one.error}: ${JSON.stringify(one.given.params)}`);
    assert.deepEqual(wrong, []);
  });

  const without = specs.length === 0 ? 'there is no official description of it to be had' : present.length === 0 ? 'TUTTI_TEST_DATA has no description of it' : false;
  test(`${manifest.name}: requests are as the official description says`, { skip: without }, (t) => {
    const descriptions = present.map((one) => new Description(one.file));
    const exceptions = specs.flatMap((one) => one.spec.exceptions ?? []);
    const extra = new Set(Object.keys(manifest.http?.headers ?? {}).map((name) => name.toLowerCase()));
    const wrong = new Set();
    const answers = [];
    const missing = new Set();
    let checked = 0;
    for (const one of mine) {
      const name = one.given.function.split('.')[1];
      for (const request of one.requests ?? []) {
        if (originOf(manifest) && new URL(request.url).origin !== originOf(manifest)) continue;
        const results = descriptions.map((description) => ({ description, ...checkRequest(description, request, extra) }));
        const result = results.find((some) => some.operation) ?? results[0];
        if (!result.operation && present.length < specs.length) { missing.add(name); continue; }
        checked++;
        for (const finding of result.found) {
          if (!excepted(exceptions, name, finding.at)) wrong.add(`${name} (${one.given.from}) ${finding.at}: ${finding.text}`);
        }
        const { action } = actions.get(one.given.function);
        const success = result.operation && !action.steps && one.given.from === 'example' && result.description.success(result.operation);
        const bodies = success?.schema ? result.description.samples(success.schema) : [];
        for (const body of bodies) {
          if (Object.keys(body ?? {}).length > 0) answers.push({ function: one.given.function, response: { status: success.status, headers: {}, body } });
        }
      }
    }
    // Of the forms that an answer may have one must do.
    const outputs = new Map();
    for (const one of render(answers, '--file', new URL(`${manifest.name}.yaml`, folder).pathname)) {
      const name = one.given.function.split('.')[1];
      outputs.set(name, [...(outputs.get(name) ?? []), one]);
    }
    for (const [name, forms] of outputs) {
      const found = forms.map((one) => (one.error ? [`/output: ${one.error}`] : gaps(one.output, '/output')).filter((at) => !excepted(exceptions, name, at.split(':')[0])));
      if (found.every((one) => one.length > 0)) found[0].forEach((at) => wrong.add(`${name} ${at}: an answer as the description has it yields nothing there`));
    }
    assert.deepEqual([...wrong].sort(), []);
    const unused = exceptions.filter((one) => !one.isUsed && !missing.has(one.action)).map((one) => `${one.action} ${one.at}`);
    assert.deepEqual(unused, [], 'exceptions that nothing needs');
    assert.ok(checked > 0);
    if (missing.size > 0) t.diagnostic(`skipped, no description here: ${[...missing].join(', ')}`);
    t.diagnostic(`${checked} requests, ${answers.length} answers`);
  });
}

const github = specsOf(manifests.find((one) => one.name === 'github'))[0];
const adapter = (...args) => spawnSync(program, ['adapter', ...args], { encoding: 'utf8', maxBuffer: 64 << 20 });

test('what `adapter new` and `import-openapi` write lacks nothing but decisions', () => {
  const file = join(scratch, 'made.yaml');
  writeFileSync(file, adapter('new', 'shop').stdout);
  const linted = adapter('lint', file);
  assert.equal(linted.status, 0);
  assert.match(linted.stderr, /:3:1: warning M08: no `spec`/);
  assert.match(adapter('test', '--file', file).stdout, /^shop 1.0.0: 3 actions, 4 played, 0 failed$/m);
  assert.match(adapter('new', 'No Name').stderr, /is no name of an adapter/);
  writeFileSync(file, adapter('import-openapi', fileURLToPath(github.file), '--operations', 'pulls/create,pulls/get', '--name', 'hub').stdout);
  const [{ findings }] = JSON.parse(adapter('lint', file, '--json').stdout);
  assert.deepEqual(findings.map((one) => one.code), ['M06', 'M06', 'M08']); // where its description is to be had
  assert.match(adapter('import-openapi', file).stderr, /neither OpenAPI 3.x nor Swagger 2.0/);
  assert.match(adapter('import-openapi', fileURLToPath(github.file), '--operations', 'pulls/get, pull/create').stderr, /it has no operation `pull\/create`; did you mean `pulls\/create`\?/);
});

test('a function that is not there is not rendered as another one', () => {
  const file = join(scratch, 'shop.yaml');
  writeFileSync(file, adapter('new', 'shop').stdout);
  const rows = [
    [['github.create_isue'], /`github` has no action `create_isue`; did you mean `create_issue`\?/],
    [['nothing.get'], /`nothing.get` is a function of no built-in adapter/],
    [['github.create_issue:9'], /`github` is version 1\..*: its functions end in `:1`/],
    [['other.create_item', '--file', file], /`other.create_item` is no function of `shop`: write `shop.ACTION`/],
    [['create_item', '--file', file], /write `shop.ACTION`/],
    [['shop.create_item', '--file', file, '--params', '{'], /--params: JSON, line 1/],
  ];
  for (const [args, why] of rows) {
    const { status, stdout, stderr } = adapter('render', ...args);
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, why);
  }
  assert.equal(adapter('render', 'shop.create_item:1', '--file', file).status, 0);
});

const arazzo = (operation, more) => `arazzo: 1.0.1
sourceDescriptions: [{ name: hub, url: hub.json, type: openapi }]
workflows:
- workflowId: readPull
  inputs: { type: object, required: [owner], properties: { owner: { type: string } } }
  steps:
  - stepId: find
    operationId: ${operation}
    parameters: [{ name: owner, in: path, value: $inputs.owner }, { name: repo, in: path, value: tea }, { name: pull_number, in: path, value: 1 }]
    successCriteria: [{ condition: $statusCode == 200 }]${more}
    outputs: { title: '$response.body#/title' }
  outputs: { title: $steps.find.outputs.title }
`;

test('`import-openapi` makes actions with steps of workflows of Arazzo', () => {
  const file = join(scratch, 'pulls.arazzo.yaml');
  const made = join(scratch, 'pulls.yaml');
  copyFileSync(fileURLToPath(github.file), join(scratch, 'hub.json'));
  writeFileSync(file, arazzo('pulls/get', ''));
  writeFileSync(made, adapter('import-openapi', file, '--name', 'hub').stdout);
  assert.deepEqual(JSON.parse(adapter('lint', made, '--json').stdout)[0].findings.map((one) => one.code), ['M08']);
  const [{ requests }] = JSON.parse(adapter('render', '--file', made, '--all', '--json').stdout);
  assert.equal(requests[0].url, 'https://api.github.com/repos/text/tea/pulls/1');

  writeFileSync(file, arazzo('pulls/get', '\n    onFailure: [{ name: again, type: retry }]'));
  const noted = adapter('import-openapi', file);
  assert.equal(noted.status, 0);
  assert.match(noted.stderr, /pulls\.arazzo\.yaml:11:16: warning: not taken over: jumps and retries/);
  assert.match(noted.stdout, /# not taken over: onFailure/);
  writeFileSync(file, arazzo('pulls/nothing', ''));
  const refused = adapter('import-openapi', file);
  assert.notEqual(refused.status, 0);
  assert.equal(refused.stdout, '');
  assert.match(refused.stderr, /pulls\.arazzo\.yaml:8:18: error: the description has no operation `pulls\/nothing`/);
});

// A checker that finds nothing proves nothing.
test('wrong requests are found', () => {
  const description = new Description(github.file);
  const base = { method: 'POST', url: 'https://api.github.com/repos/acme/blog/pulls', headers: { 'Content-Type': 'application/json' }, body: { title: 'T', head: 'a', base: 'b' } };
  const found = (change) => checkRequest(description, { ...base, ...change }).found.map((one) => one.at);
  assert.deepEqual(found({}), []);
  assert.deepEqual(found({ url: 'https://api.github.com/repos/acme/blog/pullz' }), ['/path']);
  assert.deepEqual(found({ method: 'PUT' }), ['/path']);
  assert.deepEqual(found({ body: { ...base.body, titel: 'T' } }), ['/body/titel']);
  assert.deepEqual(found({ body: { ...base.body, draft: 'yes' } }), ['/body/draft']);
  assert.deepEqual(found({ body: { head: 'a' } }), ['/body']);
  assert.deepEqual(found({ url: `${base.url}?dry=1` }), ['/query/dry']);
  assert.deepEqual(found({ headers: { ...base.headers, 'X-Own': '1' } }), ['/headers/x-own']);
  assert.deepEqual(found({ headers: { 'Content-Type': 'text/plain' } }), ['/headers/content-type']);
  assert.deepEqual(found({ body: undefined }), ['/body']);
});
