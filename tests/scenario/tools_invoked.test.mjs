// Functions of adapters for somebody who waits: over HTTP, from the command line, and as tools of agents.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after } from 'node:test';
import { GitHub, githubConfig } from './support/github.mjs';
import { Ledger, ledgerConfig } from './support/ledger.mjs';
import { loadMcp } from './support/packages.mjs';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { merged } from './support/tools.mjs';

const github = await GitHub.start();
const ledger = await Ledger.start();
after(() => Promise.all([github.stop(), ledger.stop()]));
const elsewhere = new URL(github.url).port;
const connections = {
  plain: { adapter: 'http', config: { base_url: ledger.url }, secrets: { token: { secret: 'GITHUB' } }, allow_private: true },
  wide: { adapter: 'http', hosts: ['127.0.0.1', '10.11.12.13', 'ledger.example'], allow_private: true },
  shy: { adapter: 'http', config: { base_url: ledger.url } },
  nowhere: { adapter: 'http' },
  nobody: { adapter: 'mcp' },
};
const config = merged(githubConfig(github), ledgerConfig(ledger), { tools: { connections } });

const tutti = (suite, ...args) =>
  new Promise((resolve) => {
    const env = { PATH: process.env.PATH, TUTTI_KEY: suite.key, TUTTI_URL: suite.url };
    execFile(join(BIN, 'tutti'), args, { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });

scenario('a function is called, shown, and refused by its class', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false, config: merged(config, { gateway: { drain: '100ms' } }) }, async (suite) => {
  const invoke = (name, body, headers) => suite.api.call('POST', `/v1/tools/${name}/invoke`, body, { headers });
  const made = await invoke('github.create_issue', { arguments: { repo: 'blog', title: 'By hand' } });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  assert.deepEqual(made.body.output, { number: 1, url: 'https://github.test/1' });
  assert.equal(made.body.undo[0].function.split(':')[0], 'github.close_issue');
  assert.equal(github.open().length, 1);

  // Texts for people do not carry what they say of people.
  const told = await invoke('github.create_issue', { arguments: { repo: 'blog', title: 'Told', body: 'by ann@example.org, 4111 1111 1111 1111' } });
  assert.equal(told.status, 200, JSON.stringify(told.body));
  assert.match(github.open().at(-1).body, /^by \[EMAIL_1\], \[CARD_1\]/);

  // Shown, not sent; without the secret.
  const shown = await invoke('github.create_issue', { arguments: { repo: 'blog', title: 'Shown' }, dry_run: true });
  assert.equal(shown.status, 200, JSON.stringify(shown.body));
  assert.equal(shown.body.requests[0].method, 'POST');
  assert.match(JSON.stringify(shown.body.requests[0].headers), /\*\*\*/);
  assert.equal(github.open().length, 2);
  const among = await invoke('github.create_issue', { arguments: { connection: 'github', repo: 'blog', title: 'Shown' }, dry_run: true });
  assert.deepEqual([among.status, among.body.requests], [200, shown.body.requests], 'the connection may stand among the arguments, as in workflows');
  await suite.api.refused('POST', '/v1/tools/github.create_issue/invoke', { connection: 'github', arguments: { connection: 'github', repo: 'blog', title: 'T' } }, 422, 'tool_invalid');

  // Refused: what is wrong, and whose fault it is.
  const wrong = await invoke('github.create_issue', { arguments: { repo: 'blog', titel: 'x' } });
  assert.deepEqual([wrong.status, wrong.body.code], [422, 'tool_invalid']);
  assert.match(wrong.body.detail, /titel|title/);
  await suite.api.refused('POST', '/v1/tools/github.nothing/invoke', {}, 404, 'not_found');
  await suite.api.refused('POST', '/v1/tools/github.create_issue/invoke', { connection: 'nobody' }, 409, 'conflict');
  await suite.api.refused('POST', '/v1/tools/github.create_issue/invoke', { argument: {} }, 400, 'invalid_request');
  ledger.before = () => ({ status: 404, headers: {}, body: { error: 'gone' } });
  const gone = await invoke('ledger.list', { arguments: {} });
  assert.deepEqual([gone.status, gone.body.code, gone.body.tool_error.status], [502, 'tool_failed', 404]);
  ledger.before = () => ({ status: 503, headers: {}, body: {} });
  assert.deepEqual([(await invoke('ledger.list', { arguments: {} })).body.code], ['upstream_error']);
  ledger.clear();

  // From the command line.
  const listed = await tutti(suite, 'tool', 'invoke', 'ledger.list', '--arguments', '{"limit": 3}');
  assert.equal(listed.code, 0, listed.stderr);
  assert.deepEqual(JSON.parse(listed.stdout).items, []);
  const dry = await tutti(suite, 'tool', 'invoke', 'github.create_issue', '--dry-run', '--arguments', '{"repo": "blog", "title": "T"}');
  assert.match(dry.stdout, /"method": "POST"/);
  assert.notEqual((await tutti(suite, 'tool', 'invoke', 'ledger.list', '--arguments', '{')).code, 0);

  // As a tool of an agent: those whose connection can be used.
  const { Client, StreamableHTTPClientTransport } = await loadMcp();
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${suite.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${suite.key}` } } }));
  try {
    const { tools } = await client.listTools();
    const create = tools.find((tool) => tool.name === 'github.create_issue');
    assert.ok(create, tools.map((tool) => tool.name).join(' '));
    assert.ok(create.inputSchema.required.includes('title'));
    assert.ok(create.inputSchema.properties.connection, 'agents may say under which account');
    assert.ok(!create.annotations.readOnlyHint);
    assert.ok(tools.find((tool) => tool.name === 'ledger.list').annotations.readOnlyHint);
    assert.ok(!tools.some((tool) => tool.name.startsWith('notion.')), 'an adapter without its secret is not offered');
    const called = await client.callTool({ name: 'github.create_issue', arguments: { repo: 'blog', title: 'By an agent' } });
    assert.deepEqual(called.structuredContent, { number: 3, url: 'https://github.test/3' });
    const refused = await client.callTool({ name: 'github.create_issue', arguments: { repo: 'blog' } });
    assert.ok(refused.isError && /title/.test(refused.content[0].text), JSON.stringify(refused));
    const under = (connection) => client.callTool({ name: 'github.create_issue', arguments: { connection, repo: 'blog', title: 'Under an account' } });
    assert.deepEqual((await under('github')).structuredContent, { number: 4, url: 'https://github.test/4' });
    const strange = await under('nobody');
    assert.ok(strange.isError && /nobody/.test(strange.content[0].text), JSON.stringify(strange));
  } finally {
    await client.close();
  }

  // Where a call may go, and what says no to the rest.
  const get = (connection, url) => invoke('http.get', { connection, arguments: { url } });
  const there = await get('plain', `${ledger.url}/entries?after=0`);
  assert.deepEqual([there.status, there.body.output?.status], [200, 200], JSON.stringify(there.body));
  assert.equal((await get('plain', '/entries')).status, 200);
  assert.ok(ledger.upstream.requests.slice(-2).every(({ headers }) => headers.authorization?.startsWith('Bearer ')), 'the token goes to the origin');
  assert.equal((await get('wide', `${ledger.url}/entries`)).status, 200);
  assert.equal(ledger.upstream.requests.at(-1).headers.authorization, undefined);
  const seen = [ledger, github].map(({ upstream }) => upstream.requests.length);
  const refusals = [
    ['plain', `http://127.0.0.1:${elsewhere}/x?token=t0p`, `http://127.0.0.1:${elsewhere} is refused; it takes the host in \`hosts\` of the connection`],
    ['plain', 'https://other.example/x?token=t0p', 'https://other.example:443 is refused; it takes the host in `hosts` of the connection'],
    ['wide', 'https://10.11.12.13/x?token=t0p', 'private address 10.11.12.13; it takes tools.egress.private_networks'],
    ['wide', 'http://ledger.example/x?token=t0p', 'http://ledger.example is refused; it takes https, or the host in tools.egress.http_hosts'],
    ['shy', '/entries?token=t0p', 'loopback address 127.0.0.1; it takes `allow_private` of the connection'],
    ['nowhere', '/entries?token=t0p', 'the connection `nowhere` lacks the setting `base_url`: tools.connections.nowhere.config'],
  ];
  for (const [connection, url, why] of refusals) {
    const refused = await get(connection, url);
    assert.equal(refused.status, connection === 'nowhere' ? 502 : 422, JSON.stringify(refused.body));
    assert.ok(refused.body.detail.includes(why), `${refused.body.detail}, not ${why}`);
    assert.ok(!JSON.stringify(refused.body).includes('t0p'), 'no query');
  }
  const page = await invoke('web.fetch', { arguments: { url: 'https://10.11.12.13/x' } });
  assert.ok(page.body.detail.includes('private address 10.11.12.13'), page.body.detail);
  const nobody = await invoke('mcp.list_tools', { connection: 'nobody' });
  assert.match(nobody.body.detail, /the connection `nobody` lacks the setting `url` \(or `server`\): tools\.connections\.nobody\.config/);
  assert.deepEqual([ledger, github].map(({ upstream }) => upstream.requests.length), seen, 'nothing has left');

  // A gateway that stops leaves a call that takes longer than it waits.
  const before = ledger.upstream.requests.length;
  ledger.before = () => ({ silent: true });
  const left = invoke('ledger.list', { arguments: {} }).catch((error) => error);
  await suite.until('it has left', () => ledger.upstream.requests.length > before);
  await suite.gateway.stop();
  await left;
  ledger.clear();
});
