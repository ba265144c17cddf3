// `auth: oauth2` of manifests: one token for all calls of a connection, fetched once at a time, renewed once when the service refuses it.
import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

// What a client signs with its own key, as the authorization server knows it.
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const decoded = (part) => JSON.parse(Buffer.from(part, 'base64url'));
const nonces = new Set();
function isSigned(form, audience) {
  const [head, claims, signature] = form.get('client_assertion').split('.');
  const { iss, sub, aud, jti, exp } = decoded(claims);
  const isNew = nonces.size < nonces.add(jti).size;
  assert.deepEqual([decoded(head), form.get('client_assertion_type')], [{ alg: 'ES256', typ: 'JWT', kid: 'key-1' }, 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer']);
  assert.deepEqual([iss, sub, aud, isNew, exp > Date.now() / 1000], ['client-1', 'client-1', audience, true, true]);
  return verify('sha256', `${head}.${claims}`, { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
}

let fetched = 0;
let accepted = new Set();
let release = () => {};
let gate = null;
const upstream = await Upstream.start(async ({ path, headers, body }) => {
  if (path === '/token') {
    if (gate) await gate;
    const form = new URLSearchParams(body);
    const basic = headers.authorization === `Basic ${Buffer.from('client-1:client-secret-1').toString('base64')}`;
    const posted = form.get('client_id') === 'client-1' && form.get('client_secret') === 'client-secret-1';
    const isFine = form.has('client_assertion') ? isSigned(form, `${upstream.url}/token`) : form.get('grant_type') === 'refresh_token' ? posted && form.get('refresh_token') === 'refresh-secret-1' : basic && form.get('scope') === 'read write';
    if (!isFine) return { status: 401, body: { error: 'invalid_client' } };
    const token = `access-token-${++fetched}`;
    accepted.add(token);
    return { body: { access_token: token, token_type: 'Bearer', expires_in: 3600 } };
  }
  const token = headers.authorization?.replace('Bearer ', '');
  return accepted.has(token) ? { body: { ok: true, said: `you are ${token}` } } : { status: 401, body: { error: 'no' } };
});
after(() => upstream.stop());

const folder = mkdtempSync(join(tmpdir(), 'oauth2-'));
after(() => rmSync(folder, { recursive: true }));
const manifest = (name, auth, proof = 'client_secret: client_secret') => `
manifest: tutti/adapter/v1
name: ${name}
version: "1.0.0"
title: Box
docs: https://box.test/docs
config: { base_url: { type: string, default: 'https://box.test' }, client: { type: string, default: client-1 } }
secrets: { client_secret: { optional: true }, client_key: { optional: true }, refresh: { optional: true } }
auth: { type: oauth2, token_url: '=.config.base_url + "/token"', client_id: '=.config.client', ${proof}, ${auth} }
http: { base_url: '=.config.base_url' }
actions:
  look:
    summary: Looks
    effect: read
    params: { properties: { at: { type: string, default: x } } }
    request: { method: GET, path: '/{at}' }
    output: '=.response.body'
    example: { params: {} }
  change:
    summary: Changes
    effect: create
    irreversible: it stays
    params: { properties: {} }
    request: { method: POST, path: /change, body: {} }
    output: '=.response.body'
    idempotency: none
    example: { params: {} }
`;
writeFileSync(join(folder, 'box.yaml'), manifest('box', 'grant: client_credentials, scopes: [read, write]'));
writeFileSync(join(folder, 'chest.yaml'), manifest('chest', 'grant: refresh_token, refresh_token: refresh, client_auth: post'));
writeFileSync(join(folder, 'safe.yaml'), manifest('safe', 'grant: client_credentials, client_auth: private_key_jwt', "client_key: client_key, client_key_id: key-1"));
const secrets = { key: privateKey.export({ type: 'pkcs8', format: 'pem' }), client: 'client-secret-1', other: 'client-secret-2', refresh: 'refresh-secret-1' };
for (const [name, value] of Object.entries(secrets)) writeFileSync(join(folder, name), value, { mode: 0o600 });
const connection = (adapter, secret = 'CLIENT') => ({
  adapter, allow_private: true, config: { base_url: upstream.url }, secrets: { client_secret: { secret }, ...(adapter === 'chest' ? { refresh: { secret: 'REFRESH' } } : {}) },
});
const config = {
  tools: { adapters_dir: folder, connections: { safe: { ...connection('safe'), secrets: { client_key: { secret: 'KEY' } } }, box: connection('box'), chest: connection('chest'), wrong: connection('box', 'OTHER') } },
  secrets: Object.fromEntries(Object.keys(secrets).map((name) => [name.toUpperCase(), { file: join(folder, name) }])),
};

scenario('adapters fetch tokens', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  const invoke = (name, args = {}, more = {}) => suite.api.call('POST', `/v1/tools/${name}/invoke`, { arguments: args, ...more });
  const reaches = async (name, ...call) => { const { status, body } = await invoke(name, ...call); assert.equal(status, 200, JSON.stringify(body)); return body.output; };
  await knows(suite, 'box.look', 'chest.look', 'safe.look');

  // Many at once wait for one token, which nobody is shown.
  gate = new Promise((resolve) => { release = resolve; });
  const many = Array.from({ length: 8 }, (_, i) => reaches('box.look', { at: `p${i}` }));
  await suite.until('a token is asked for', () => upstream.count('/token') === 1);
  release();
  gate = null;
  for (const output of await Promise.all(many)) assert.deepEqual(output, { ok: true, said: 'you are ***' });
  assert.equal(upstream.count('/token'), 1);

  // Refused once, it is renewed once, also for a change; refused again, that is the answer.
  accepted = new Set();
  assert.equal((await reaches('box.change')).ok, true);
  assert.deepEqual([upstream.count('/token'), upstream.count('/change')], [2, 2]);
  accepted = { has: () => false, add() {} };
  const refused = await invoke('box.change');
  assert.deepEqual([refused.body.code, refused.body.tool_error.status], ['tool_failed', 401]);
  assert.deepEqual([upstream.count('/token'), upstream.count('/change')], [3, 4]);
  accepted = new Set();

  assert.equal((await reaches('chest.look')).ok, true);
  assert.equal((await reaches('safe.look')).ok, true);
  accepted = new Set(); // another token, for another assertion
  assert.equal((await reaches('safe.look', { at: 'again' })).ok, true);
  assert.equal(nonces.size, 2);
  const wrong = await invoke('box.look', {}, { connection: 'wrong' });
  assert.equal(wrong.body.tool_error.type.split('/').pop(), 'authentication', JSON.stringify(wrong.body));
  const shown = await invoke('box.look', {}, { dry_run: true });
  assert.match(JSON.stringify(shown.body.requests), /Bearer \*\*\*/);
});
