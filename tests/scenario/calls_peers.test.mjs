// `call: mcp` and `call: a2a`: servers of both eras of MCP (one of them tutti's own gateway), and an agent.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Agent, Guarded, Legacy, Modern } from './support/peers.mjs';
import { EventStream } from './support/sse.mjs';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

const legacy = new Legacy();
const modern = new Modern();
const agent = new Agent();
const guarded = new Guarded(modern);
const upstream = await Upstream.start((request) => {
  if (request.path === '/legacy') return legacy.handle(request);
  if (request.path === '/modern') return modern.handle(request);
  if (request.path.startsWith('/agent/')) return agent.handle(request);
  return guarded.handle(request);
});
const folder = await mkdtemp(join(tmpdir(), 'tutti-secrets-'));
await mkdir(join(folder, 'default'));
after(async () => {
  await upstream.stop();
  await rm(folder, { recursive: true, force: true });
});

const at = (path) => `transport: { http: { endpoint: '${upstream.url}${path}' } }`;
const mcp = (path, members) => `call: mcp, with: { ${at(path)}, ${members} }, metadata: { tutti: { retry: none } }`;
const tool = (path, name, more = '') => mcp(path, `method: tools/call, parameters: { name: ${name}${more} }`);
const a2a = (members) => `call: a2a, with: { ${members} }, metadata: { tutti: { retry: none } }`;
const fails = (name, call) => `  - ${name}: { try: [ { one: { ${call} } } ], catch: { as: error, do: [ { keep: { set: '\${ $error }' } } ] } }`;
const secret = 'authentication: { bearer: { token: agent-secret } }';
const card = `agentCard: { endpoint: { uri: '${upstream.url}/agent/card.json', ${secret} } }`;
const server = `server: { uri: '${upstream.url}/agent/rpc', ${secret} }`;

const act = (name, members) => `call: mcp.${name}, with: { connection: ${members} }, metadata: { tutti: { retry: none } }`;
const connection = (path, more) => ({ adapter: 'mcp', config: { url: `${upstream.url}${path}`, ...more }, allow_private: true });
const config = { scheduler: { secrets_dir: folder }, tools: { connections: { old: connection('/legacy', { tools: ['echo', 'fail'] }), modern: connection('/modern'), trusted: connection('/modern', { trusted: true }), sure: connection('/modern', { trusted: true }), guarded: { ...connection('/modern'), allow_private: false } } } };
const oauth = (more) => ({ ...connection('/guarded/mcp', { client_id: 'me', ...more }), secrets: { client_secret: { secret: 'KEEPS' } } });
await writeFile(join(folder, 'client'), 'secret-of-client', { mode: 0o600 });
await writeFile(join(folder, 'key'), generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
config.secrets = { KEEPS: { file: join(folder, 'client') }, SIGNS: { file: join(folder, 'key') } };
const signing = (more) => ({ ...oauth(more), secrets: { client_key: { secret: 'SIGNS' } } });
Object.assign(config.tools.connections, { told: oauth({ issuer: `${upstream.url}/id` }), keyed: signing({ issuer: `${upstream.url}/id` }), signed: signing({ token_url: `${upstream.url}/id/token` }), believed: oauth({ trusted: true }), misled: oauth({ issuer: `${upstream.url}/other` }), silent: oauth({}), nameless: { ...oauth({ token_url: `${upstream.url}/id/token` }), config: { url: `${upstream.url}/guarded/mcp`, token_url: `${upstream.url}/id/token` } } });

const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: peers, version: '1.0.0' }
use: { secrets: [ gateway ] }
do:
  - tools: { ${mcp('/legacy', 'method: tools/list')} }
  - page: { ${mcp('/legacy', "method: tools/list, parameters: { cursor: '1' }")} }
  - echo: { ${tool('/legacy', 'echo', ', arguments: { a: 1 }')} }
  - rest: { ${tool('/legacy', 'cut')} }
  - forgotten: { ${tool('/legacy', 'echo')} }
${fails('isError', tool('/legacy', 'fail'))}
${fails('unknown', tool('/legacy', 'none'))}
${fails('method', mcp('/legacy', 'method: prompts/list'))}
  - place: { ${tool('/modern', 'place', ', arguments: { region: "Zürich" }')} }
  - later: { ${tool('/modern', 'later')} }
  - busy: { call: mcp, with: { ${at('/modern')}, method: tools/call, parameters: { name: busy } }, metadata: { tutti: { retry: { delay: PT0.01S, limit: { attempt: { count: 3 } } } } } }
${fails('asks', tool('/modern', 'asks'))}
${fails('broken', tool('/modern', 'broken'))}
${fails('lost', tool('/modern', 'lost'))}
${fails('garbage', tool('/modern', 'garbage'))}
${fails('nowhere', tool('/nowhere', 'echo'))}
${fails('version', mcp('/modern', "method: tools/list, protocolVersion: '1999-01-01'"))}
${fails('outside', 'call: mcp, with: { transport: { http: { endpoint: "http://192.0.2.1/mcp" } }, method: tools/list }')}
  - own: { call: mcp, with: { transport: { http: { endpoint: { uri: '\${ $workflow.input.own }', authentication: { bearer: { token: '\${ $secrets.gateway }' } } } } }, method: tools/list } }
  - ownOld: { call: mcp, with: { protocolVersion: '2025-06-18', transport: { http: { endpoint: '\${ $workflow.input.own }', headers: { Authorization: '\${ "Bearer " + $secrets.gateway }' } } }, method: tools/call, parameters: { name: list_runs }, timeout: PT20S, client: { name: me, version: '3' } } }
  - send: { ${a2a(`${card}, method: message/send, parameters: { message: { parts: [ { kind: text, text: hi } ] } }`)} }
  - stream: { ${a2a(`${server}, method: message/stream, parameters: { message: { role: agent, messageId: m7, parts: [] } }`)} }
  - task: { ${a2a(`${server}, method: tasks/get, parameters: { id: t1 }`)} }
${fails('noTask', a2a(`${server}, method: tasks/get, parameters: { id: t2 }`))}
${fails('stranger', a2a(`server: '${upstream.url}/agent/rpc', method: tasks/get, parameters: { id: t1 }`))}
${fails('noCard', a2a(`agentCard: { endpoint: '${upstream.url}/none.json' }, method: tasks/list`))}
  - listed: { ${act('list_tools', 'old')} }
  - called: { ${act('call_tool', 'old, name: echo, arguments: { b: 2 }')} }
${fails('failed', act('call_tool', 'old, name: fail'))}
${fails('forbidden', act('call_tool', 'old, name: cut'))}
${fails('noSuch', act('call_tool', 'modern, name: none'))}
${fails('once', act('call_tool', 'modern, name: lost'))}
${fails('twice', act('call_tool', 'modern, name: lost, idempotent: true').replace('retry: none', 'retry: { delay: PT0.01S, limit: { attempt: { count: 2 } } }'))}
${fails('hinted', act('call_tool', 'trusted, name: lost').replace('retry: none', 'retry: { delay: PT0.01S, limit: { attempt: { count: 2 } } }'))}
${fails('unhinted', act('call_tool', 'sure, name: broken').replace('retry: none', 'retry: { delay: PT0.01S, limit: { attempt: { count: 2 } } }'))}
  - weather: { ${act('call_tool', 'sure, name: weather, arguments: { degrees: 21 }')} }
${fails('promised', act('call_tool', 'sure, name: weather, arguments: { degrees: hot }'))}
  - told: { ${act('call_tool', 'told, name: later')} }
  - again: { ${act('call_tool', 'told, name: later')} }
  - believed: { ${act('call_tool', 'believed, name: later, idempotent: false')} }
${fails('misled', act('call_tool', 'misled, name: later'))}
${fails('silent', act('call_tool', 'silent, name: later'))}
${fails('nameless', act('call_tool', 'nameless, name: later'))}
${fails('keyed', act('call_tool', 'keyed, name: later'))}
  - signed: { ${act('call_tool', 'signed, name: later')} }
${fails('guard', act('list_tools', 'guarded'))}
output: { as: '\${ $steps }' }
`;

scenario('servers of MCP and agents are called', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false, config }, async (suite) => {
  await writeFile(join(folder, 'default', 'gateway'), suite.key, { mode: 0o600 });
  await knows(suite, 'mcp.list_tools', 'mcp.call_tool');
  const applied = await suite.apply(WORKFLOW);
  assert.deepEqual(applied.warnings ?? [], []);
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01` };
  const started = await suite.api.ok('POST', '/v1/runs', { workflow: 'peers', input: { own: `${suite.url}/mcp` } }, { headers });
  const { output } = await suite.runEnds(started.id);

  assert.deepEqual(output.tools.tools.map(({ name }) => name), ['echo', 'fail', 'cut'], 'all pages');
  assert.deepEqual([output.page.tools.length, output.page.nextCursor], [1, '2'], 'the page that was asked for');
  assert.deepEqual(output.echo.structuredContent, { a: 1 });
  assert.equal(output.rest.content[0].text, 'the rest', 'of a stream that was cut');
  assert.deepEqual(output.forgotten.structuredContent, {}, 'arguments are always there');
  assert.match(output.isError.type, /\/runtime$/);
  assert.equal(output.isError.detail, 'out of tea');
  assert.match(output.unknown.detail, /^-32602 Unknown tool$/);
  assert.match(output.method.detail, /^-32601 Method not found/);
  await suite.until('sessions without a connection are given back', () => legacy.sessions.size === 1);
  const heard = Object.fromEntries(legacy.heard.map((message) => [message.id, message]));
  assert.deepEqual(heard.p?.result, {});
  assert.equal(heard.s?.error.code, -32601);

  assert.equal(output.place.content[0].text, 'Zürich', 'with the header that its schema asks for');
  assert.equal(output.place.resultType, undefined);
  assert.deepEqual([...modern.traces], [trace], 'calls belong to the trace of the start');
  assert.equal(output.later.content[0].text, 'now');
  assert.equal(output.busy.content[0].text, 'at last', 'a server that says later has done nothing');
  assert.match(output.asks.detail, /asks for input/);
  for (const name of ['broken', 'lost', 'garbage']) assert.match(output[name].type, /unknown-outcome$/, `${name}: ${JSON.stringify(output[name])}`);
  assert.equal(output.nowhere.status, 404);
  assert.match(output.version.type, /\/configuration$/);
  assert.match(output.outside.type, /\/authorization$/);
  assert.ok(output.own.tools.some(({ name }) => name === 'start_run'));
  assert.equal(output.ownOld.isError ?? false, false);

  assert.deepEqual(output.listed.tools.map(({ name }) => name), ['echo', 'fail'], 'the tools that the connection allows');
  assert.deepEqual([output.called.text, output.called.structured], ['done', { b: 2 }]);
  assert.match(output.failed.detail, /out of tea/);
  assert.match(output.forbidden.detail, /not in the connection's `tools`/);
  assert.match(output.failed.type, /\/communication$/);
  assert.deepEqual([output.failed.status, output.failed.content[0].text], [400, 'out of tea'], 'invalid, with what the tool says');
  assert.match(output.noSuch.detail, /Unknown tool/);
  assert.match(output.noSuch.type, /\/runtime$/, 'JSON-RPC has said it');
  assert.match(output.once.type, /unknown-outcome$/);
  for (const name of ['hinted', 'unhinted']) assert.match(output[name].type, /unknown-outcome$/);
  assert.equal(modern.lost, 1 + 1 + 3 + 3, 'only what may be made twice is tried again, or is said to be by a server that is trusted');
  assert.equal(modern.broken, 1 + 1, 'a tool without a hint is called once');
  assert.deepEqual(output.weather.structured, { degrees: 21 });
  assert.match(output.promised.detail, /\/degrees/, 'where it differs from what the server has promised');
  assert.equal(output.promised.status, 400);
  for (const name of ['told', 'again', 'believed']) assert.equal(output[name].text, 'now', `${name}: with a token from where the server says`);
  assert.deepEqual(guarded.tokens[0], { grant_type: 'client_credentials', scope: 'tools', resource: `${upstream.url}/guarded/mcp`, client_id: 'me', client_secret: 'secret-of-client' });
  assert.equal(guarded.tokens.length, 2, 'equal clients share a token');
  assert.equal(output.signed.text, 'now', 'with a token for what its key has signed');
  assert.deepEqual([guarded.tokens[1].client_secret, guarded.tokens[1].client_assertion.split('.').length], [undefined, 3]);
  assert.match(output.keyed.detail, /takes no client_credentials with a key/);
  assert.match(output.misled.detail, /does not name the `issuer`/);
  assert.match(output.silent.detail, /does not say who may have its client_secret/);
  assert.match(output.nameless.detail, /client\.id is missing/);
  assert.match(output.guard.type, /\/(validation|authorization)$/);

  assert.equal(output.send.history[0].role, 'user');
  assert.match(output.send.history[0].messageId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(output.stream.map(({ kind }) => kind), ['task', 'status-update']);
  assert.equal(output.task.id, 't1');
  assert.match(output.noTask.detail, /^-32001 Task not found/);
  assert.match(output.stranger.type, /\/authentication$/);
  assert.match(output.noCard.detail, /\/agentCard/);
});

const SLOW = `
document: { dsl: '1.0.3', namespace: default, name: slow, version: '1.0.0' }
do:
  - both:
      fork:
        branches:
          - old: { ${tool('/legacy', 'slow')} }
          - new: { ${act('call_tool', 'modern, name: slow')} }
          - who: { ${act('call_tool', 'told, name: reveals')} }
`;

const MANY = `
document: { dsl: '1.0.3', namespace: default, name: many, version: '1.0.0' }
do:
  - all:
      for: { in: '\${ [range(6)] }', each: n }
      do: [ { one: { ${act('call_tool', "old, name: echo, arguments: { n: '\${ $n }' }")} } } ]
      metadata: { tutti: { parallel: 6 } }
`;

scenario('calls of a connection share a session, also when the server has forgotten it', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false, config }, async (suite) => {
  legacy.sessions.clear(); // of the suite before, whose farewells may have had no time
  await knows(suite, 'mcp.call_tool');
  await suite.apply(MANY);
  let opened = legacy.opened;
  for (const forgets of [false, true, 'rudely']) {
    legacy.forgets = forgets;
    const { id } = await suite.startRun('many');
    await suite.runEnds(id);
    opened += 1;
    assert.equal(legacy.opened, opened, 'one session for all');
    assert.equal(legacy.sessions.size, 1);
  }
  const ids = legacy.ids.filter(({ session }) => session === `session-${opened}`).map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'an id is used once in a session');
  assert.ok(ids.length >= 6);
  // It outlives the configuration of the connection.
  const path = join(suite.folder, 'tutti.yaml');
  const now = JSON.parse(await readFile(path, 'utf8'));
  now.tools.connections.reread = connection('/legacy', { tools: ['echo'] });
  await writeFile(path, JSON.stringify(now));
  suite['tool-adapter'].child.kill('SIGHUP');
  await suite.until('it is read anew', async () => (await suite.api.call('POST', '/v1/tools/mcp.list_tools/invoke', { arguments: {}, connection: 'reread' })).status === 200);
  await suite['tool-adapter'].stop();
  await suite.until('they are given back at the end', () => legacy.sessions.size === 0); // the process may be gone before it is heard here
  await suite['tool-adapter'].start();
});

scenario('how far tools say they are is seen', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false, config }, async (suite) => {
  let go = () => {};
  legacy.on = modern.on = new Promise((resolve) => { go = resolve; });
  await knows(suite, 'mcp.call_tool');
  await suite.apply(SLOW);
  const { id } = await suite.startRun('slow');
  const stream = new EventStream(suite, `/v1/runs/${id}/events`);
  const end = stream.connect();
  const said = () => stream.events.filter(({ event }) => event === 'job.progress').map(({ data }) => data);
  await suite.until('all are heard', () => said().length >= 3);
  assert.deepEqual(said().map(({ task }) => task).sort(), ['/do/0/both/fork/branches/0/old', '/do/0/both/fork/branches/1/new', '/do/0/both/fork/branches/2/who']);
  assert.doesNotMatch(JSON.stringify(said()), /token/, 'no part of a token that was fetched');
  for (const { job, progress } of said().filter(({ task }) => !task.endsWith('/who'))) {
    assert.deepEqual(progress, { progress: 1, total: 4, message: 'Heats water' });
    assert.deepEqual((await suite.api.ok('GET', `/v1/jobs/${job}`)).progress, progress);
  }
  go();
  const { output } = await suite.runEnds(id);
  assert.match(JSON.stringify(output), /"it is Bearer \*\*\*"/, 'also when the tool gives it away');
  assert.equal(await end, 'end');
  assert.equal(said().length, 3);
});

scenario('a call that a killed tool-adapter has sent is not made again', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false, config: { tools: { lease: '1s' } } }, async (suite) => {
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: held, version: '1.0.0' }
do:
  - hold: { call: mcp, with: { ${at('/modern')}, method: tools/call, parameters: { name: holds } }, metadata: { tutti: { retry: { delay: PT0.01S, limit: { attempt: { count: 3 } } } } } }
`);
  const { id } = await suite.startRun('held');
  await suite.until('the server has it', () => modern.held === 1);
  await suite['tool-adapter'].kill();
  await suite['tool-adapter'].start();
  const { error } = await suite.runEnds(id, 'faulted');
  assert.match(error.type, /unknown-outcome$/);
  assert.equal(modern.held, 1);
});
