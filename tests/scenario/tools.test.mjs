// Functions of adapters: a workflow calls them by name, and they do what their manifests say.
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
const elsewhere = { tools: { connections: { theirs: { adapter: 'ledger', config: { base_url: ledger.url }, allow_private: true, namespaces: ['theirs'] }, narrow: { adapter: 'ledger', config: { base_url: ledger.url }, allow_private: true, concurrency: 1 } } } };
const config = merged(githubConfig(github), ledgerConfig(ledger), elsewhere);

const flow = (name, call, args) => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - work: { call: ${call}, with: ${args} }
output: { as: '\${ $steps.work }' }
`;

async function run(suite, name, input, status = 'completed') {
  const { id } = await suite.startRun(name, input);
  return suite.runEnds(id, status);
}

async function checkCall(suite) {
  await suite.apply(flow('issue', 'github.create_issue', "{ repo: blog, title: '${ .title }', labels: [bug] }"));
  const ended = await run(suite, 'issue', { title: 'It is broken' });
  assert.deepEqual(ended.output, { number: 1, url: 'https://github.test/1' });
  const [issue] = github.open();
  assert.equal(issue.title, 'It is broken');
  assert.deepEqual(issue.labels, ['bug']);
  assert.match(issue.body, /<!-- tutti:[0-9a-f]{64} -->/);
  const refused = await run(suite, 'issue', { title: 7 }, 'faulted');
  assert.match(refused.error.type, /validation/);
  assert.equal(github.issues.size, 1);
}

async function checkPages(suite) {
  for (let i = 0; i < 8; i++) ledger.route({ method: 'POST', path: '/entries', headers: {}, body: JSON.stringify({ text: `n${i}` }) });
  await suite.apply(flow('list', 'ledger.list', "{ limit: '${ .limit }' }"));
  await suite.apply(flow('numbered', 'ledger.list_numbered', '{}'));
  const all = await run(suite, 'list', { limit: 1000 });
  assert.deepEqual(all.output.items.map(({ text }) => text), [...'01234567'].map((i) => `n${i}`));
  assert.equal(all.output.total, 8);
  const some = await run(suite, 'list', { limit: 4 });
  assert.equal(some.output.items.length, 4);
  assert.equal((await run(suite, 'numbered')).output.items.length, 8);
  for (let i = 0; i < 10; i++) ledger.route({ method: 'POST', path: '/entries', headers: {}, body: JSON.stringify({ text: `m${i}` }) });
  const tooMany = await run(suite, 'list', { limit: 1000 }, 'faulted');
  assert.match(tooMany.error.detail, /more than 5 pages/, 'an incomplete list is none');
}

async function checkWaiting(suite) {
  ledger.clear();
  ledger.before = (request, count) => (request.method === 'POST' && count === 1 ? { status: 429, headers: { 'retry-after': '1' }, body: { error: 'slow down' } } : undefined);
  await suite.apply(flow('pay', 'ledger.pay', "{ text: '${ .text }' }"));
  const { id } = await suite.startRun('pay', { text: 'rent' });
  await suite.runEnds(id);
  assert.deepEqual(ledger.texts(), ['rent']);
  const [first, second] = ledger.upstream.requests;
  assert.ok(second.at - first.at >= 900, 'it waited as long as it was asked to');
  assert.equal((await suite.history(id)).filter(({ type }) => type === 'job.retried').length, 0, 'and no attempt was burnt');
}

// No more at once than the connection says.
async function checkLimits(suite) {
  ledger.clear();
  let inside = 0;
  let most = 0;
  ledger.before = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside--;
  };
  await suite.apply(flow('narrow', 'ledger.pay', "{ text: '${ .text }', connection: narrow }"));
  const started = await Promise.all(['a', 'b', 'c', 'd'].map((text) => suite.startRun('narrow', { text })));
  for (const { id } of started) await suite.runEnds(id);
  assert.deepEqual(ledger.texts(), ['a', 'b', 'c', 'd']);
  assert.equal(most, 1);
}

async function checkConnections(suite) {
  ledger.clear();
  const cases = [
    ['nobody', /there is no connection `nobody`/, /configuration/],
    ['github', /is one of `github`, not of `ledger`/, /configuration/],
    ['theirs', /is not for this namespace/, /authorization/],
  ];
  await suite.apply(flow('with', 'ledger.pay', "{ text: rent, connection: '${ .connection }' }"));
  for (const [connection, detail, type] of cases) {
    const ended = await run(suite, 'with', { connection }, 'faulted');
    assert.match(ended.error.detail, detail);
    assert.match(ended.error.type, type);
  }
  assert.equal(ledger.upstream.requests.length, 0);
}

// Equal reads are one: those at a time wait for it, those after it get what it brought.
async function checkKept(suite) {
  ledger.clear();
  const waiting = [];
  ledger.before = ({ path }) => (path === '/rates/eur' ? new Promise((resolve) => waiting.push(resolve)) : undefined);
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: rates, version: '1.0.0' }
do:
  - all:
      for: { each: currency, in: '\${ .currencies }' }
      metadata: { tutti: { parallel: 8 } }
      do:
        - rate: { call: ledger.rate, with: { currency: '\${ $currency }' } }
output: { as: '\${ $steps.all | map(.rate) }' }
`);
  const { id } = await suite.startRun('rates', { currencies: ['eur', 'eur', 'eur', 'usdx'] });
  await suite.until('one asks', () => waiting.length > 0);
  waiting.forEach((go) => go());
  assert.deepEqual((await suite.runEnds(id)).output, [3, 3, 3, 4]);
  assert.deepEqual((await run(suite, 'rates', { currencies: ['eur', 'usdx'] })).output, [3, 4]);
  assert.equal(ledger.upstream.count('/rates/eur'), 1);
  assert.equal(ledger.upstream.count('/rates/usdx'), 1);
}

async function checkSecrets(suite) {
  github.before = ({ headers }) => ({ status: 422, body: { message: `you sent ${headers.authorization}` } });
  const ended = await run(suite, 'issue', { title: 'Broken again' }, 'faulted');
  github.before = () => {};
  assert.equal(ended.error.status, 422);
  assert.match(ended.error.detail, /you sent Bearer \*\*\*/);
  for (const line of await suite['tool-adapter'].lines()) assert.ok(!line.includes(github.token), line);
}

scenario('functions of adapters are called as their manifests say', { needs, config, checkNeeds: false }, async (suite) => {
  await knows(suite, 'github.create_issue', 'ledger.pay');
  await checkCall(suite);
  await checkPages(suite);
  await checkWaiting(suite);
  await checkLimits(suite);
  await checkConnections(suite);
  await checkKept(suite);
  await checkSecrets(suite);
});
