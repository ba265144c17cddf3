// Requests of connections that leave by an HTTP proxy: tunnels for https, whole addresses for http, its password, and the egress rules, which
// are asked about the target though the proxy dials it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { HttpProxy } from './support/http_proxy.mjs';
import { Legacy } from './support/peers.mjs';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

const PASSWORD = 'correct horse/battery@staple';
const folder = mkdtempSync(join(tmpdir(), 'proxied-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name) => join(folder, name);
const secret = (name, text) => { writeFileSync(file(name), text, { mode: 0o600 }); return { file: file(name) }; };

execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=server',
  '-addext', 'subjectAltName=DNS:localhost', '-keyout', file('server.key'), '-out', file('server.pem')], { stdio: 'pipe' });
chmodSync(file('server.pem'), 0o600);
const heads = [];
const sealed = createServer({ key: readFileSync(file('server.key')), cert: readFileSync(file('server.pem')) }, ({ headers }, answer) => {
  heads.push(headers);
  answer.setHeader('content-type', 'application/json');
  answer.end('{"by":"https"}');
});
await new Promise((resolve) => sealed.listen(0, 'localhost', resolve));
const PAGES = { '/robots.txt': 'User-agent: *\nDisallow: /private', '/page': '<!DOCTYPE html><title>Hello</title>' };
const legacy = new Legacy();
const open = await Upstream.start((request) => {
  if (request.path === '/mcp') return legacy.handle(request);
  if (request.path === '/token') return { body: { access_token: 'token-of-the-authority', token_type: 'bearer', expires_in: 3600 } };
  return request.path in PAGES ? { text: PAGES[request.path], headers: { 'content-type': 'text/html' } } : { body: { by: 'http', as: request.headers.authorization } };
});
const guarded = await HttpProxy.start({ user: `alice:${PASSWORD}` });
const free = await HttpProxy.start();
after(async () => {
  sealed.closeAllConnections();
  await Promise.all([open.stop(), guarded.stop(), free.stop(), new Promise((resolve) => sealed.close(resolve))]);
});
const withUser = (password) => `http://alice:${encodeURIComponent(password)}@${guarded.address}`;

const look = 'actions: { look: { summary: Looks, effect: read, params: {}, request: { method: GET, path: /x }, output: "=.response.body", example: { params: {} } } }';
const manifest = (name, rest) => writeFileSync(file(`${name}.yaml`), `
manifest: tutti/adapter/v1
name: ${name}
version: "1.0.0"
title: ${name}
docs: https://box.test/docs
config: { base_url: { type: string, default: 'https://box.test' } }
${rest}
${look}
`);
manifest('box', 'secrets: { way: { optional: true } }\nhttp: { base_url: "=.config.base_url", proxy: way }');
manifest('club', `secrets: { client_secret: {} }
http: { base_url: "=.config.base_url" }
auth: { type: oauth2, grant: client_credentials, token_url: '="${open.url}/token"', client_id: tutti, client_secret: client_secret }`);

const https = { base_url: `https://localhost:${sealed.address().port}` };
const http = { base_url: open.url };
const box = (config, rest) => ({ adapter: 'box', allow_private: true, config, ...rest });
const config = {
  secrets: { PROXY: secret('proxy', withUser(PASSWORD)), WRONG: secret('wrong', withUser('a wrong password')), CLIENT: secret('client', 'secret-of-the-client') },
  tools: {
    adapters_dir: folder,
    egress: { ca_file: file('server.pem') },
    connections: {
      tunnel: box(https, { proxy: { secret: 'PROXY' } }),
      named: box(https, { secrets: { way: { secret: 'PROXY' } } }),
      whole: box(http, { proxy: { secret: 'PROXY' } }),
      whole_free: box(http, { proxy: `http://${free.address}` }),
      wrong: box(https, { proxy: { secret: 'WRONG' } }),
      gone: box(https, { proxy: 'http://127.0.0.1:1' }),
      nowhere: box({ base_url: 'https://nowhere.invalid' }, { proxy: `http://${free.address}` }),
      inward: { ...box(https, { proxy: `http://${free.address}` }), allow_private: false },
      metadata: box({ base_url: 'https://169.254.169.254' }, { proxy: `http://${free.address}` }),
      straight: box(https, {}),
      club: { adapter: 'club', allow_private: true, config: http, secrets: { client_secret: { secret: 'CLIENT' } }, proxy: `http://${free.address}` },
      web: { adapter: 'web', allow_private: true, proxy: `http://${free.address}` },
      mcp: { adapter: 'mcp', allow_private: true, config: { url: `${open.url}/mcp` }, proxy: `http://${free.address}` },
    },
  },
};

scenario('requests leave by the proxy of their connection', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  suite.planted.add('PASSWORD', PASSWORD);
  await knows(suite, 'box.look', 'club.look', 'web.fetch', 'mcp.list_tools');
  const invoke = (tool, connection, given = {}) => suite.api.call('POST', `/v1/tools/${tool}/invoke`, { arguments: given, connection });
  const reaches = async (...call) => { const { status, text, body } = await invoke(...call); assert.equal(status, 200, text); return body.output; };
  const seenBy = async (proxy, work) => { proxy.seen.length = 0; await work(); return proxy.seen; };
  const tunnel = `CONNECT localhost:${sealed.address().port}`;

  const seen = await seenBy(guarded, async () => {
    assert.deepEqual(await reaches('box.look', 'tunnel'), { by: 'https' });
    assert.deepEqual(await reaches('box.look', 'named'), { by: 'https' });
    assert.deepEqual(await reaches('box.look', 'whole'), { by: 'http' });
  });
  assert.deepEqual(seen, [tunnel, tunnel, `GET ${open.url}/x`], 'a tunnel of a password serves its own call alone');
  const refused = guarded.refused;
  const wrong = await invoke('box.look', 'wrong');
  assert.equal(wrong.status, 502, wrong.text);
  assert.match(wrong.body.detail, /407/);
  assert.ok(guarded.refused > refused);
  assert.equal([...heads, ...open.requests.map(({ headers }) => headers)].some((head) => 'proxy-authorization' in head), false, 'it is the proxy\'s alone');

  assert.deepEqual(await seenBy(free, async () => {
    assert.deepEqual(await reaches('box.look', 'whole_free'), { by: 'http' });
    assert.deepEqual(await reaches('club.look', 'club'), { by: 'http', as: 'Bearer ***' });
    assert.equal((await reaches('web.fetch', 'web', { url: `${open.url}/page` })).text.includes('Hello'), true);
    assert.notEqual((await invoke('web.fetch', 'web', { url: `${open.url}/private` })).status, 200, 'robots.txt came by it, too');
  }), [`GET ${open.url}/x`, `POST ${open.url}/token`, `GET ${open.url}/x`, `GET ${open.url}/robots.txt`, `GET ${open.url}/page`]);
  const spoken = await seenBy(free, async () => assert.equal((await reaches('mcp.list_tools', 'mcp')).tools.length > 0, true));
  assert.ok(spoken.length >= 3 && spoken.every((line) => line === `POST ${open.url}/mcp`), spoken.join());

  assert.deepEqual(await seenBy(free, async () => {
    for (const [name, why] of [['inward', /loopback/], ['metadata', /metadata/]]) {
      const { status, body, text } = await invoke('box.look', name);
      assert.notEqual(status, 200, name);
      assert.match(body.detail, why, text);
    }
    assert.notEqual((await invoke('box.look', 'nowhere')).status, 200, 'what has no address here cannot be checked');
  }), [], 'the proxy was not even asked');
  assert.equal((await invoke('box.look', 'gone')).status, 502);
  assert.deepEqual(await seenBy(free, async () => assert.deepEqual(await reaches('box.look', 'straight'), { by: 'https' })), []);
});
