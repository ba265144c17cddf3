// What changes something happens once, wherever the connection or the tool-adapter dies, or the run
// says that nobody knows; and what a failed run has done is gone again.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { GitHub, githubConfig } from './support/github.mjs';
import { Ledger, ledgerConfig } from './support/ledger.mjs';
import { scenario } from './support/suite.mjs';
import { knows, merged } from './support/tools.mjs';

const github = await GitHub.start();
const ledger = await Ledger.start();
after(() => Promise.all([github.stop(), ledger.stop()]));

const needs = ['scheduler', 'gateway', 'tool-adapter'];
const limits = { breaker: { failures: 100 } };
const config = merged(githubConfig(github), ledgerConfig(ledger), { limits });

const RETRY = 'metadata: { tutti: { retry: { delay: { milliseconds: 20 }, backoff: { constant: {} }, limit: { attempt: { count: 4 } } } } }';
const one = (name, call, args) => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - work:
      call: ${call}
      with: ${args}
      ${RETRY}
output: { as: '\${ $steps.work }' }
`;
// Each attempt of the try is a job of its own, and the same call.
const tried = (call, args) => `
document: { dsl: '1.0.3', namespace: default, name: tried, version: '1.0.0' }
do:
  - all:
      try:
        - work: { call: ${call}, with: ${args} }
      catch:
        errors: { with: { status: 504 } }
        retry: { delay: { milliseconds: 20 }, backoff: { constant: {} }, limit: { attempt: { count: 3 } } }
`;
const TEXT = "{ text: '${ .text }' }";
const FLOWS = {
  issue: one('issue', 'github.create_issue', "{ repo: blog, title: '${ .text }' }"),
  file: one('file', 'github.create_or_update_file', "{ repo: blog, path: '${ .text }', content: hello }"),
  branch: one('branch', 'github.create_branch', "{ repo: blog, branch: '${ .text }', sha: aa218f56b14c9653891f9e74264a383fa43fefbd }"),
  pay: one('pay', 'ledger.pay', TEXT),
  book: one('book', 'ledger.book', TEXT),
  rate: one('rate', 'ledger.rate', '{ currency: eur }'),
  fetch: one('fetch', 'http', `{ method: get, endpoint: { uri: '${ledger.url}/rates/usd' } }`),
  steps: one('steps', 'ledger.post_all', TEXT),
  tried: tried('ledger.book', TEXT),
};

// What there is of `text` on the other side.
const seen = {
  issue: (text) => github.open().filter(({ title }) => title === text).length,
  file: (text) => (github.files.has(text) ? 1 : 0),
  branch: (text) => (github.branches.has(text) ? 1 : 0),
  pay: (text) => ledger.texts().filter((it) => it === text).length,
  book: (text) => ledger.texts().filter((it) => it === text).length,
};

function clear() {
  ledger.clear();
  for (const map of [github.issues, github.files]) map.clear();
  github.before = github.after = () => {};
}

async function prepare(suite) {
  clear();
  await knows(suite, 'github.create_issue', 'ledger.book');
  for (const flow of Object.values(FLOWS)) await suite.apply(flow);
}

// The first change of each text that begins with `word` is answered with `instead`.
function firstOf(word, instead, met = new Set()) {
  return ({ method, path, body }) => {
    if (!['POST', 'PUT'].includes(method)) return undefined;
    const [text] = /(?:before|afterwards)-[a-z]+/.exec(decodeURIComponent(path) + body) ?? [];
    if (!text?.startsWith(word) || met.has(text)) return undefined;
    met.add(text);
    return instead;
  };
}

// Starts each flow once for the one that is cut off before it is done, and once for after.
async function startAll(suite) {
  const runs = [];
  for (const when of ['before', 'afterwards']) {
    for (const kind of Object.keys(seen)) {
      const text = `${when}-${kind}`;
      runs.push({ when, kind, text, id: (await suite.startRun(kind, { text })).id });
    }
  }
  return runs;
}

async function checkAll(suite, runs) {
  for (const { when, kind, text, id } of runs) {
    const ended = await suite.runEnds(id, kind === 'book' ? 'faulted' : 'completed');
    if (kind !== 'book') {
      assert.equal(seen[kind](text), 1, `${text} is there once`);
      continue;
    }
    assert.equal(ended.error.type, 'https://tutti.dev/errors/unknown-outcome');
    assert.equal(ended.error.status, 504);
    assert.equal(seen.book(text), when === 'afterwards' ? 1 : 0, 'it was not tried again');
  }
}

const SAGA = `
document: { dsl: '1.0.3', namespace: default, name: campaign, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
  - issue: { call: github.create_issue, with: { repo: blog, title: Plan } }
  - text: { call: github.create_or_update_file, with: { repo: blog, path: a.md, content: new } }
  - other: { call: github.create_or_update_file, with: { repo: blog, path: b.md, content: new } }
  - branch: { call: github.create_branch, with: { repo: blog, branch: feat, sha: aa218f56b14c9653891f9e74264a383fa43fefbd } }
  - entries: { call: ledger.post_all, with: { text: rent } }
  - broken: { raise: { error: { type: 'https://campaign.test/broken', status: 500 } } }
`;

const HALF = `
document: { dsl: '1.0.3', namespace: default, name: half, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
  - entries: { call: ledger.post_all, with: { text: '\${ .text }' } }
`;

// What it fails at is a change of which its attempts do not learn whether it was made.
const UNSURE = `
document: { dsl: '1.0.3', namespace: default, name: unsure, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
  - branch: { call: github.create_branch, with: { repo: blog, branch: '\${ .text }', sha: aa218f56b14c9653891f9e74264a383fa43fefbd } }
  - issue:
      call: github.create_issue
      with: { repo: blog, title: '\${ $workflow.input.text }' }
      ${RETRY}
`;

// Steps that were finished are not done again.
async function checkSteps(suite) {
  clear();
  let refused = 0;
  ledger.before = ({ body }) => (body.includes(' 2 after ') && refused++ === 0 ? { status: 503, body: { error: 'later' } } : undefined);
  const run = await suite.startRun('steps', { text: 'rent' });
  const ended = await suite.runEnds(run.id);
  const [first] = ended.output.ids;
  assert.deepEqual(ledger.texts(), ['rent 1', `rent 2 after ${first}`]);
  assert.equal(refused, 2);
}

// What a failed run has done is gone again.
async function checkUndone(suite) {
  clear();
  github.files.set('a.md', { content: Buffer.from('old').toString('base64'), sha: 'a'.repeat(40) });
  github.branches.delete('feat');
  await suite.apply(SAGA);
  const run = await suite.startRun('campaign');
  await suite.runEnds(run.id, 'faulted');
  assert.equal(github.issues.size, 1);
  assert.equal(github.open().length, 0, 'the issue is closed');
  assert.deepEqual([...github.files.keys()], ['a.md'], 'the new file is deleted');
  assert.equal(Buffer.from(github.files.get('a.md').content, 'base64').toString(), 'old', 'the old one is as it was');
  assert.equal(github.branches.has('feat'), false);
  assert.deepEqual(ledger.texts(), []);
}

// What a call has done that stopped half-way is gone again.
async function checkHalf(suite) {
  clear();
  await suite.apply(HALF);
  ledger.before = ({ body }) => (body.includes(' 2 after ') ? { status: 422, body: { error: 'no' } } : undefined);
  const run = await suite.startRun('half', { text: 'rent' });
  const { error, compensation } = await suite.runEnds(run.id, 'faulted');
  assert.match(error.detail, /`first` is done, and then: HTTP 422: no/);
  assert.deepEqual([compensation.done, compensation.failed], [1, 0]);
  assert.deepEqual(ledger.texts(), []);
  const { items } = await suite.api.ok('GET', `/v1/runs/${run.id}/history?page_size=500`);
  const failed = items.find(({ type }) => type === 'job.failed');
  assert.deepEqual(failed.data.undo, [{ function: 'ledger.remove', with: { id: ledger.upstream.requests.find(({ method }) => method === 'DELETE').path.split('/').pop() } }]);

  // By hand nobody undoes it: the error says how.
  const called = await suite.api.call('POST', '/v1/tools/ledger.post_all/invoke', { arguments: { text: 'rent' } });
  assert.deepEqual([called.status, called.body.code], [504, 'unknown_outcome']);
  assert.deepEqual(ledger.texts(), ['rent 1']);
  for (const { function: name, with: args } of called.body.undo) await suite.api.ok('POST', `/v1/tools/${name}/invoke`, { arguments: args });
  assert.deepEqual(ledger.texts(), []);
  ledger.before = () => {};
}

scenario('changes are done once, or nobody knows, and undone when the run fails', { needs, config: merged(config, { tools: { drain: '100ms' } }), checkNeeds: false }, async (suite) => {
  await prepare(suite);
  for (const other of [github, ledger]) {
    other.before = firstOf('before', { cut: true });
    other.after = firstOf('afterwards', { cut: true });
  }
  await checkAll(suite, await startAll(suite));
  assert.equal(ledger.upstream.requests.filter(({ body }) => body.includes('-book')).length, 2);
  const [file] = github.files.values();
  assert.equal(github.commits, 2, 'a file that was written is not written again');
  assert.equal(Buffer.from(file.content, 'base64').toString(), 'hello');
  await checkSteps(suite);
  await checkUndone(suite);
  await checkHalf(suite);
  await checkSettled(suite);
  await checkTried(suite);
  await checkStopped(suite);
});

const lettersOf = async (suite, run) => (await suite.api.ok('GET', '/v1/queues/tools/dead-letters')).items.filter((one) => one.run === run.id);
const typesOf = async (suite, run) => (await suite.api.ok('GET', `/v1/runs/${run.id}/history?page_size=500`)).items.map((event) => event.type);

// Before such a run undoes what it did, it is looked up whether the change was made; nobody makes it then.
async function checkSettled(suite) {
  clear();
  await suite.apply(UNSURE);
  const sent = github.requests('POST', '/issues').length;
  let lookUp = { status: 503, body: { message: 'later' } };
  const made = firstOf('afterwards', { cut: true });
  const lost = firstOf('before', { cut: true });
  const isIssue = ({ path }) => path.endsWith('/issues');
  github.before = (request) => (isIssue(request) && (request.method === 'GET' ? lookUp : lost(request))) || undefined;
  github.after = (request) => (isIssue(request) ? made(request) : undefined);
  const hasBranch = (text) => github.branches.has(text);
  const start = (text) => suite.startRun('unsure', { text });
  const isGivenUp = (run) => suite.until('its attempts are spent', async () => (await typesOf(suite, run)).includes('job.dead'));

  const [there, absent] = [await start('afterwards-settled'), await start('before-settled')];
  for (const run of [there, absent]) await isGivenUp(run);
  assert.equal(github.open().length, 1);
  lookUp = undefined;
  for (const run of [there, absent]) {
    const { error } = await suite.runEnds(run.id, 'faulted');
    assert.equal(error.type, 'https://tutti.dev/errors/unknown-outcome');
    assert.equal((await lettersOf(suite, run)).length, 1, 'the job that was given up');
    const types = await typesOf(suite, run);
    assert.deepEqual([types.filter((it) => it === 'job.settled').length, types.filter((it) => it === 'compensation.failed').length], [1, 0]);
  }
  assert.equal(github.open().length, 0, 'the issue that was made is closed');
  assert.deepEqual([github.issues.size, github.requests('POST', '/issues').length - sent], [1, 2], 'none was made for the look-up');
  assert.deepEqual(['afterwards-settled', 'before-settled'].filter(hasBranch), []);

  lookUp = { status: 403, body: { message: 'Forbidden' } };
  const unknown = await start('afterwards-unknown');
  await suite.runEnds(unknown.id, 'faulted');
  assert.equal(github.open().length, 1);
  assert.equal(hasBranch('afterwards-unknown'), false, 'the rest is undone');
  const letters = await lettersOf(suite, unknown);
  assert.deepEqual(letters.map(({ error }) => error.type), ['https://tutti.dev/errors/unknown-outcome', 'https://tutti.dev/errors/unknown-outcome']);
  assert.equal((await typesOf(suite, unknown)).filter((it) => it === 'compensation.failed').length, 1);
}

// A retry of a `try` knows what became of the call before; whoever retries the run answers for it.
async function checkTried(suite) {
  clear();
  ledger.after = firstOf('afterwards', { cut: true });
  const text = 'afterwards-tried';
  const run = await suite.startRun('tried', { text });
  const ended = await suite.runEnds(run.id, 'faulted');
  assert.equal(ended.error.type, 'https://tutti.dev/errors/unknown-outcome');
  assert.deepEqual(ledger.texts(), [text]);
  await suite.api.ok('POST', `/v1/runs/${run.id}/retry`, {});
  await suite.runEnds(run.id);
  assert.deepEqual(ledger.texts(), [text, text]);
}

// A stop that does not wait for them: who leads equal reads gives up first, and nobody takes over.
async function checkStopped(suite) {
  clear();
  let asked = 0;
  ledger.before = () => ({ silent: ++asked > 0 });
  for (const kind of ['rate', 'rate', 'rate', 'fetch', 'book']) await suite.startRun(kind, { text: 'late' });
  await suite.until('one read, the plain one and the change have left', () => asked === 3);
  await suite['tool-adapter'].stop();
  assert.equal(asked, 3);
}

// Both die while changes are out: nobody claims the lease, no attempt is burnt, and yet the next one
// hears that there was one.
scenario('a tool-adapter killed with its scheduler leaves no change twice', { needs, config: merged(config, { tools: { lease: '2s' } }), checkNeeds: false }, async (suite) => {
  await prepare(suite);
  const waiting = new Set();
  for (const other of [github, ledger]) other.after = firstOf('afterwards', { silent: true }, waiting);
  const runs = [];
  for (const kind of ['issue', 'book']) {
    const text = `afterwards-${kind}`;
    runs.push({ when: 'afterwards', kind, text, id: (await suite.startRun(kind, { text })).id });
  }
  await suite.until('all have left', () => waiting.size === runs.length);
  await Promise.all([suite['tool-adapter'].kill(), suite.scheduler.kill()]);
  await suite.scheduler.start();
  await suite['tool-adapter'].start();
  await checkAll(suite, runs);
});

scenario('a killed tool-adapter leaves no change twice', { needs, config: merged(config, { tools: { lease: '2s' } }), checkNeeds: false }, async (suite) => {
  await prepare(suite);
  const waiting = new Set();
  for (const other of [github, ledger]) {
    other.before = firstOf('before', { silent: true }, waiting);
    other.after = firstOf('afterwards', { silent: true }, waiting);
  }
  const runs = await startAll(suite);
  await suite.until('all have left', () => waiting.size === runs.length);
  await suite['tool-adapter'].kill();
  await suite['tool-adapter'].start();
  await checkAll(suite, runs);
});
