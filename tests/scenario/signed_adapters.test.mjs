// Services that want to know who calls by more than a password: a certificate of ours (`http.tls`), or tokens that we sign (`auth: jwt`), which
// are verified here by Node's own cryptography.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac, verify } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

const folder = mkdtempSync(join(tmpdir(), 'signed-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name) => join(folder, name);
const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });

// Of its own authority each.
for (const name of ['server', 'client', 'stranger']) {
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`));
}
const guarded = createServer({ key: readFileSync(file('server.key')), cert: readFileSync(file('server.pem')), ca: readFileSync(file('client.pem')), requestCert: true }, (request, answer) => {
  answer.setHeader('content-type', 'application/json');
  answer.end(JSON.stringify({ you: request.socket.getPeerCertificate().subject.CN }));
});
await new Promise((resolve) => guarded.listen(0, '127.0.0.1', resolve));
after(() => { guarded.closeAllConnections(); return new Promise((resolve) => guarded.close(resolve)); });

const HMAC_KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', file('app.key'));
openssl('pkey', '-in', file('app.key'), '-pubout', '-out', file('app.pub'));
writeFileSync(file('hmac'), HMAC_KEY, { mode: 0o600 });
for (const name of ['server.pem', 'client.pem', 'stranger.pem', 'app.key']) chmodSync(file(name), 0o600);

// What a token says, if it is signed as it should be.
function claimsOf(authorization) {
  const [, prefix, token] = /^(\w+) (.+)$/.exec(authorization ?? '') ?? [];
  const [head, body, signature] = (token ?? '..').split('.');
  const { alg, kid } = JSON.parse(Buffer.from(head || 'e30', 'base64url'));
  const signed = Buffer.from(`${head}.${body}`);
  const given = Buffer.from(signature, 'base64url');
  const isOurs = alg === 'RS256' ? verify('RSA-SHA256', signed, readFileSync(file('app.pub')), given)
    : alg === 'HS256' && createHmac('sha256', Buffer.from(HMAC_KEY, 'hex')).update(signed).digest().equals(given);
  const { iat, exp, ...claims } = JSON.parse(Buffer.from(body || 'e30', 'base64url'));
  const now = Date.now() / 1000;
  return isOurs && iat <= now + 60 && exp > now && { prefix, kid, seconds: exp - iat, ...claims };
}
const tokens = [];
const upstream = await Upstream.start(({ headers }) => {
  const claims = claimsOf(headers.authorization);
  tokens.push(headers.authorization);
  return claims ? { body: { claims, heard: headers.authorization } } : { status: 401, body: {} };
});
after(() => upstream.stop());

const manifest = (name, rest, secrets) => writeFileSync(file(`${name}.yaml`), `
manifest: tutti/adapter/v1
name: ${name}
version: "1.0.0"
title: ${name}
docs: https://box.test/docs
config: { base_url: { type: string, default: 'https://box.test' } }
secrets: ${JSON.stringify(secrets)}
${rest}
actions:
  look: { summary: Looks, effect: read, params: {}, request: { method: GET, path: / }, output: '=.response.body', example: { params: {} } }
`);
manifest('sealed', "http: { base_url: '=.config.base_url', tls: { ca: authority, cert: certificate, key: key } }", { authority: { optional: true }, certificate: { optional: true }, key: { optional: true } });
manifest('app', "http: { base_url: '=.config.base_url' }\nauth: { type: jwt, alg: RS256, secret: key, claims: { iss: '12345', aud: '=.config.base_url' }, ttl: 9m }", { key: {} });
manifest('ghost', "http: { base_url: '=.config.base_url' }\nauth: { type: jwt, alg: HS256, secret: key, secret_format: hex, header: { kid: k1 }, claims: { aud: /admin/ }, prefix: Ghost }", { key: {} });

const files = { SERVER: 'server.pem', CLIENT: 'client.pem', CLIENT_KEY: 'client.key', STRANGER: 'stranger.pem', STRANGER_KEY: 'stranger.key', APP: 'app.key', HMAC: 'hmac' };
const sealed = (secrets) => ({
  adapter: 'sealed', allow_private: true, config: { base_url: `https://localhost:${guarded.address().port}` },
  secrets: Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, { secret }])),
});
const plain = (adapter, secret) => ({ adapter, allow_private: true, config: { base_url: upstream.url }, secrets: { key: { secret } } });
const config = {
  tools: {
    adapters_dir: folder,
    connections: {
      sealed: sealed({ authority: 'SERVER', certificate: 'CLIENT', key: 'CLIENT_KEY' }),
      stranger: sealed({ authority: 'SERVER', certificate: 'STRANGER', key: 'STRANGER_KEY' }),
      bare: sealed({ authority: 'SERVER' }),
      trusting: sealed({ certificate: 'CLIENT', key: 'CLIENT_KEY' }),
      half: sealed({ authority: 'SERVER', certificate: 'CLIENT' }),
      app: plain('app', 'APP'),
      ghost: plain('ghost', 'HMAC'),
    },
  },
  secrets: Object.fromEntries(Object.entries(files).map(([name, path]) => [name, { file: file(path) }])),
};

scenario('services know us by a certificate, or by what we sign', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  for (const name of ['SERVER', 'CLIENT', 'STRANGER']) suite.planted.forget(name); // certificates are public
  await knows(suite, 'sealed.look', 'app.look', 'ghost.look');
  const invoke = (adapter, connection = adapter) => suite.api.call('POST', `/v1/tools/${adapter}.look/invoke`, { arguments: {}, connection });
  const reaches = async (...call) => { const { status, text, body } = await invoke(...call); assert.equal(status, 200, text); return body.output; };

  assert.deepEqual(await reaches('sealed'), { you: 'client' });
  for (const name of ['stranger', 'bare', 'trusting']) assert.equal((await invoke('sealed', name)).status, 502, name);
  const half = await invoke('sealed', 'half');
  assert.match(half.body.detail, /certificate and key/, half.text);
  assert.deepEqual(await reaches('sealed'), { you: 'client' }, 'others have not taken its connection');

  assert.deepEqual(await reaches('app'), { claims: { prefix: 'Bearer', seconds: 540, iss: '12345', aud: upstream.url }, heard: 'Bearer ***' }, 'a token is as secret as its key');
  await reaches('app');
  assert.equal(tokens[0], tokens[1], 'one token for both');
  assert.deepEqual(await reaches('ghost'), { claims: { prefix: 'Ghost', kid: 'k1', seconds: 300, aud: '/admin/' }, heard: 'Ghost ***' });
  const shown = await suite.api.ok('POST', '/v1/tools/ghost.look/invoke', { arguments: {}, dry_run: true });
  assert.match(JSON.stringify(shown.requests), /Ghost \*\*\*/);
});
