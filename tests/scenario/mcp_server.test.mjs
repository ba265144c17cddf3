// tutti as a server of the Model Context Protocol, with the official SDK's clients of both eras and by hand.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { loadMcp } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const GREET = `
document: { dsl: '1.0.3', namespace: default, name: greet-somebody, version: '1.0.0', title: Greeting, summary: Greets. }
input: { schema: { document: { type: object, required: [name], properties: { name: { type: string } } } } }
do:
  - greet: { set: { text: '\${ "Hello " + $workflow.input.name }' } }
`;
const PICTURE = `
document: { dsl: '1.0.3', namespace: default, name: picture, version: '1.0.0' }
do:
  - draw: { set: { content: [ { type: image, data: aGVsbG8=, mimeType: image/png } ] } }
`;
const ASK = `
document: { dsl: '1.0.3', namespace: default, name: ask, version: '1.0.0' }
do:
  - wait: { listen: { to: { one: { with: { type: go } } } } }
`;
const FORM = `
document: { dsl: '1.0.3', namespace: default, name: form, version: '1.0.0', summary: Asks }
do:
  - ask:
      listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '\${ $workflow.id }' } } } } }
      output: { as: '.[0]' }
      metadata: { tutti: { approval: { title: Which day?, form: { type: object, properties: { day: { type: string } }, required: [day] } } } }
  - told: { set: { day: '\${ .data.day }', approved: '\${ .approved }' } }
`;
const BREAK = `
document: { dsl: '1.0.3', namespace: default, name: break, version: '1.0.0' }
do:
  - fail: { raise: { error: { type: 'https://example.org/broken', status: 500, title: Broken } } }
`;

// Speaks HTTP itself: headers that fetch() would not send.
function post(suite, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const call = request(`${suite.url}/mcp`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${suite.key}`, ...headers } }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part)).on('end', () => {
        const all = Buffer.concat(parts).toString();
        resolve({ status: answer.statusCode, body: all ? JSON.parse(all) : null });
      });
    });
    call.on('error', reject).end(text);
  });
}

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
const modern = (suite, method, params = {}, headers = {}) =>
  post(suite, { jsonrpc: '2.0', id: 1, method, params: { _meta: META, ...params } }, {
    'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(params.name ? { 'mcp-name': params.name } : {}), ...headers,
  });

async function withClient(suite, use) {
  const { Client, StreamableHTTPClientTransport } = await loadMcp();
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL(`${suite.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${suite.key}` } } });
  await client.connect(transport);
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

scenario('agents list, start and follow workflows with the SDK', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  for (const workflow of [GREET, PICTURE, ASK, FORM, BREAK]) await suite.apply(workflow);
  await withClient(suite, async (client) => {
    assert.equal(client.getServerVersion().name, 'tutti');
    const { tools } = await client.listTools();
    const greet = tools.find((tool) => tool.name === 'run_greet_somebody');
    assert.deepEqual(greet.inputSchema.required, ['name']);
    assert.match(greet.description, /^Greets\. Runs /);
    assert.match(tools.find((tool) => tool.name === 'run_form').description, /^Asks\. Runs /);
    assert.ok(tools.find((tool) => tool.name === 'get_run').annotations.readOnlyHint);

    const greeted = await client.callTool({ name: 'run_greet_somebody', arguments: { name: 'Ann' } });
    assert.deepEqual(greeted.structuredContent, { text: 'Hello Ann' });
    assert.deepEqual(JSON.parse(greeted.content[0].text), { text: 'Hello Ann' });
    const picture = await client.callTool({ name: 'run_picture', arguments: {} });
    assert.deepEqual(picture.content, [{ type: 'image', data: 'aGVsbG8=', mimeType: 'image/png' }]);

    // What goes wrong is said so that a model can mend it.
    const wrong = await client.callTool({ name: 'run_greet_somebody', arguments: {} });
    assert.ok(wrong.isError && /name/.test(wrong.content[0].text), JSON.stringify(wrong));
    const broken = await client.callTool({ name: 'run_break', arguments: {} });
    assert.ok(broken.isError && /faulted/.test(broken.content[0].text) && /example\.org\/broken/.test(broken.content[0].text));
    const nobody = await client.callTool({ name: 'run_nobody', arguments: {} });
    assert.ok(nobody.isError && /not_found/.test(nobody.content[0].text), JSON.stringify(nobody));
    const guessed = await client.callTool({ name: 'get_run', arguments: { run: 'x', wiat: '1s' } });
    assert.ok(guessed.isError && /wiat/.test(guessed.content[0].text), JSON.stringify(guessed));
    const outside = await client.callTool({ name: 'get_run', arguments: { run: '../keys' } });
    assert.ok(outside.isError, 'a path cannot be left');
    await assert.rejects(client.callTool({ name: 'nothing', arguments: {} }), /Unknown tool/);

    // A run that waits is followed, signalled, and ends.
    const started = await client.callTool({ name: 'start_run', arguments: { workflow: 'ask', labels: { by: 'agent' } } });
    const { id } = started.structuredContent;
    await suite.until('it waits', async () => (await client.callTool({ name: 'get_run', arguments: { run: id, explain: true } })).structuredContent.waiting_for);
    await client.callTool({ name: 'signal_run', arguments: { run: id, name: 'go', data: { a: 1 } } });
    const ended = await client.callTool({ name: 'get_run', arguments: { run: id, wait: '30s' } });
    assert.equal(ended.structuredContent.status, 'completed');
    const listed = await client.callTool({ name: 'list_runs', arguments: { label: 'by:agent' } });
    assert.deepEqual(listed.structuredContent.items.map((run) => run.id), [id]);
    const history = await client.callTool({ name: 'get_run_history', arguments: { run: id } });
    assert.ok(history.structuredContent.items.length > 2);

    // An approval that asks for something is answered with what it asks for.
    const asking = (await client.callTool({ name: 'start_run', arguments: { workflow: 'form' } })).structuredContent.id;
    const asked = await suite.until('it asks', async () => (await client.callTool({ name: 'list_approvals', arguments: { run: asking } })).structuredContent.items[0]);
    const unfit = await client.callTool({ name: 'approve', arguments: { approval: asked.id, data: { day: 5 } } });
    assert.ok(unfit.isError && /day/.test(unfit.content[0].text), JSON.stringify(unfit));
    await client.callTool({ name: 'approve', arguments: { approval: asked.id, data: { day: 'Friday' } } });
    const told = await client.callTool({ name: 'get_run', arguments: { run: asking, wait: '30s' } });
    assert.deepEqual(told.structuredContent.output, { day: 'Friday', approved: true });
  });
});

scenario('both eras, headers and hostile messages', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(GREET);
  const found = await modern(suite, 'server/discover');
  assert.equal(found.status, 200);
  assert.deepEqual(found.body.result.supportedVersions, ['2026-07-28']);
  assert.equal(found.body.result._meta['io.modelcontextprotocol/serverInfo'].name, 'tutti');
  const listed = await modern(suite, 'tools/list');
  assert.equal(listed.body.result.resultType, 'complete');
  assert.equal(listed.body.result.cacheScope, 'private');
  const called = await modern(suite, 'tools/call', { name: 'run_greet_somebody', arguments: { name: 'Bob' } });
  assert.deepEqual(called.body.result.structuredContent, { text: 'Hello Bob' });

  const code = async (answer, status, error) => assert.deepEqual([(await answer).status, (await answer).body.error?.code], [status, error]);
  await code(modern(suite, 'ping'), 404, -32601);
  await code(modern(suite, 'initialize'), 404, -32601);
  await code(modern(suite, 'tools/list', {}, { 'mcp-method': 'TOOLS/LIST' }), 400, -32020);
  await code(modern(suite, 'tools/call', { name: 'get_run' }, { 'mcp-name': 'x' }), 400, -32020);
  await code(post(suite, { jsonrpc: '2.0', id: 1, method: 'server/discover', params: {} }, { 'mcp-protocol-version': '2026-07-28' }), 400, -32602);
  const unsupported = await post(suite, { jsonrpc: '2.0', id: 'a', method: 'tools/list', params: { _meta: { ...META, 'io.modelcontextprotocol/protocolVersion': '2099-01-01' } } }, { 'mcp-protocol-version': '2099-01-01', 'mcp-method': 'tools/list' });
  assert.equal(unsupported.status, 400);
  assert.deepEqual(unsupported.body, { jsonrpc: '2.0', id: 'a', error: { code: -32022, message: 'Unsupported protocol version', data: { supported: ['2026-07-28'], requested: '2099-01-01' } } });

  await code(post(suite, '{"jsonrpc":"2.0",'), 400, -32700);
  await code(post(suite, '[{"jsonrpc":"2.0","id":1,"method":"ping"}]'), 400, -32600);
  await code(post(suite, { id: 1, method: 'ping' }), 400, -32600);
  await code(post(suite, { jsonrpc: '2.0', id: {}, method: 'ping' }), 400, -32600);
  await code(post(suite, { jsonrpc: '2.0', id: 1, method: 7 }), 400, -32600);
  await code(post(suite, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 1 } }), 200, -32602);
  await code(post(suite, { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { cursor: 'nonsense' } }), 200, -32602);
  await code(post(suite, { jsonrpc: '2.0', id: 1, method: 'resources/list' }), 200, -32601);
  assert.equal((await post(suite, { jsonrpc: '2.0', method: 'notifications/initialized' })).status, 202);
  assert.equal((await post(suite, { jsonrpc: '2.0', id: 1, method: 'ping' }, { origin: 'https://evil.example' })).status, 403);
  assert.equal((await post(suite, { jsonrpc: '2.0', id: 1, method: 'ping' }, { origin: 'http://localhost:3000' })).status, 200);
  assert.equal((await post(suite, { jsonrpc: '2.0', id: 1, method: 'ping' }, { authorization: 'Bearer nobody' })).status, 401);
  const asked = await post(suite, { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2024-01-01', capabilities: {}, clientInfo: { name: 'x', version: '1' } } });
  assert.equal(asked.body.result.protocolVersion, '2025-11-25');

  // The limits of an operation hold behind this door, too.
  const large = await post(suite, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'signal_run', arguments: { run: 'x', name: 'go', data: 'x'.repeat(300_000) } } });
  assert.ok(large.body.result.isError && /body_too_large/.test(large.body.result.content[0].text), JSON.stringify(large.body).slice(0, 300));

  // A key may do here what it may do elsewhere.
  const developer = await suite.api.ok('POST', '/v1/api-keys', { name: 'agent', roles: ['developer'] });
  const decided = await post(suite, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'approve', arguments: { approval: 'x' } } }, { authorization: `Bearer ${developer.key}` });
  assert.ok(decided.body.result.isError && /forbidden/.test(decided.body.result.content[0].text), JSON.stringify(decided.body));
});
