// Every action of every adapter that tutti brings: it does what it says at a service that keeps state, its undo leaves that service as
// it was, and an answer that is lost after the change was made does not make it twice. An action without a case fails.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { BIN } from './support/service.mjs';
import { includes, Proof } from './support/proof.mjs';
import { casesOf } from './support/standin/cases.mjs';
import { Fleet } from './support/standin/fleet.mjs';
import { anonymous } from './support/standin/store.mjs';
import { scenario } from './support/suite.mjs';
import { merged } from './support/tools.mjs';

const fleet = await Fleet.start();
after(() => fleet.stop());

const needs = ['scheduler', 'gateway', 'tool-adapter'];
const github = fleet.config().tools.connections.github;
const config = merged(fleet.config(), { limits: { breaker: { failures: 100 } }, tools: { connections: {
  denied: { ...github, secrets: { token: { secret: 'SLACK_TOKEN' } } },
  closed: { ...github, config: { ...github.config, base_url: 'http://127.0.0.1:9' } },
  poor: { adapter: 'github' },
} } });
const actions = JSON.parse(execFileSync(join(BIN, 'tutti'), ['adapter', 'list', '--json'])).items.map((one) => ({ ...one, name: one.function.split(':')[0] }));
const cases = casesOf(fleet);

const worldOf = (suite, name) => {
  const [adapter] = name.split('.');
  return fleet.worlds[adapter] ?? (adapter === 'memory' ? memoryOf(suite) : { store: { effects: 0 }, reset() {}, snapshot: () => ({}) });
};

// The stand-in of the adapter that runs inside of the service: what it remembers is its state.
function memoryOf(suite) {
  const invoke = (action, args) => suite.api.ok('POST', `/v1/tools/memory.${action}/invoke`, { arguments: args }).then(({ output }) => output);
  return {
    store: { effects: 0 },
    reset: async () => {
      await invoke('delete', { filter: {}, keys: ['new', 'old'] }).catch(() => {});
      await invoke('remember', { key: 'old', content: 'before', vector: [0.6, 0.8], model: 'm' });
    },
    snapshot: async () => anonymous((await invoke('list', {})).items),
  };
}

// Every connection is tried out by reads that need no arguments: by the API, and from the command line.
async function triesConnections(suite) {
  const attempt = (name) => suite.api.ok('POST', `/v1/connectors/${name}/test`);
  await Promise.all(Object.keys(fleet.worlds).map(async (name) => {
    const tried = await attempt(name);
    assert.ok(tried.ok, JSON.stringify(tried));
    assert.deepEqual([tried.connection, tried.adapter], [name, name]);
  }));
  const slack = await attempt('slack');
  assert.equal(slack.account, 'U1');
  assert.deepEqual(slack.checks.map(({ function: read, ok, http_status }) => [read, ok, http_status]), [['slack.get_account', true, 200]]);
  const classOf = async (name) => (await attempt(name)).checks[0].class;
  assert.equal(await classOf('denied'), 'auth');
  assert.equal(await classOf('closed'), 'transient');
  assert.deepEqual((await attempt('prometheus')).checks.map((one) => one.function).sort(), ['prometheus.alerts']);
  await suite.api.refused('POST', '/v1/connectors/nobody/test', undefined, 404, 'not_found');
  await suite.api.refused('POST', '/v1/connectors/poor/test', undefined, 409, 'conflict');

  const tutti = (...args) => new Promise((resolve) => {
    const env = { PATH: process.env.PATH, TUTTI_KEY: suite.key, TUTTI_URL: suite.url };
    execFile(join(BIN, 'tutti'), ['adapter', 'test', ...args], { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });
  const fine = await tutti('github', '--connection', 'github');
  assert.equal(fine.code, 0, fine.stderr);
  assert.match(fine.stdout, /github \(github\) as acme-bot\nok {3}github.get_account/);
  const denied = await tutti('github', '--connection', 'denied');
  assert.equal(denied.code, 1);
  assert.match(denied.stdout, /BAD {2}github.get_account .* auth: /);
  assert.match((await tutti('slack', '--connection', 'github')).stderr, /one of `github`, not of `slack`/);
}

// Other names of adapters and actions can be called, are said to be that, and are not offered to agents.
async function answersToOtherNames(suite) {
  const { with: args, like } = cases['notion.query_database'];
  await fleet.worlds.notion.reset();
  const { warnings } = await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: other-names, version: '1.0.0' }
do:
  - rows: { call: notion.search_database, with: ${JSON.stringify(args)} }
  - gone: { call: 'memory.forget:1', with: { keys: [ none ] } }
  - page: { call: webhook.get, with: ${JSON.stringify(cases['http.get'].with)} }
output: { as: '\${ $steps }' }
`);
  assert.deepEqual(warnings.map(({ code, detail }) => [code, detail]), [
    ['V14', '`notion.search_database` is another name of `notion.query_database`'],
    ['V14', '`memory.forget` is another name of `memory.delete`'],
    ['V14', '`webhook.get` is another name of `http.get`'],
  ]);
  const { id } = await suite.startRun('other-names');
  const { output } = await suite.runEnds(id);
  includes(output.rows, like, 'by another name');
  assert.ok('gone' in output);
  assert.equal(output.page.status, 200);
  const there = await suite.api.ok('GET', '/v1/tools/notion.search_database');
  assert.equal(there.alias_of, 'notion.query_database');
}

scenario('every action of every adapter', { needs, config, checkNeeds: false }, async (suite) => {
  suite.planted.forget('S3_ACCESS_KEY');
  assert.deepEqual(actions.map(({ name }) => name).filter((name) => !cases[name]), [], 'actions without a case');
  await suite.until('the adapters are registered', async () => (await suite.api.call('GET', '/v1/tools/wordpress.delete_media')).status === 200);
  await triesConnections(suite);
  await answersToOtherNames(suite);
  const adapters = new Map();
  for (const action of actions.filter(({ name }) => !cases[name].skip)) {
    const [adapter] = action.name.split('.');
    adapters.set(adapter, [...(adapters.get(adapter) ?? []), action]);
  }
  const failures = [];
  await Promise.all([...adapters.values()].map(async (mine) => {
    for (const action of mine) await new Proof(suite, action, cases[action.name], worldOf(suite, action.name)).all().catch((error) => failures.push(error.message));
  }));
  if (failures.length > 0) assert.fail(failures.join('\n'));
  assert.deepEqual(Object.keys(cases).filter((name) => !actions.some((one) => one.name === name)), [], 'cases without an action');
  for (const { service, complaints } of Object.values(fleet.worlds)) assert.deepEqual([...new Set(complaints)], [], `what the description of ${service.name} does not know`);
});
