// Calls prove who they are: to servers that check it, with tokens of a real identity provider.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Identity } from './support/identity.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'tool-adapter'];
const identity = await Identity.start();
const folder = await mkdtemp(join(tmpdir(), 'tutti-secrets-'));
await mkdir(join(folder, 'default'));
const put = (name, value) => writeFile(join(folder, 'default', name), typeof value === 'string' ? value : JSON.stringify(value), { mode: 0o600 });
await put('digest', { username: 'Mufasa', password: 'Circle of Life' });
await put('secret', identity.secretOf('basic'));
await put('assertion', identity.assertion());
await put('machine', {
  authority: identity.url, endpoints: { token: '/token' }, grant: 'client_credentials', client: { id: 'post', secret: identity.secretOf('post') }, scopes: ['read'],
});

const md5 = (text) => createHash('md5').update(text).digest('hex');
const refusedOnce = new Set();

// RFC 7616 as a server does it.
function digestOf({ method, headers }) {
  const field = (name) => new RegExp(`${name}="?([^",]+)"?`).exec(headers.authorization ?? '')?.[1];
  if (!headers.authorization?.startsWith('Digest ')) return false;
  const one = md5('Mufasa:the realm:Circle of Life');
  const two = md5(`${method}:${field('uri')}`);
  return field('response') === md5(`${one}:a-nonce:${field('nc')}:${field('cnonce')}:auth:${two}`) && field('uri') === '/digest?a=b%20c';
}

const upstream = await Upstream.start(async (request) => {
  if (request.path === '/digest') {
    if (digestOf(request)) return { body: { hello: 'Mufasa', got: request.body } };
    return { status: 401, headers: { 'www-authenticate': 'Basic realm="x", Digest realm="the realm", nonce="a-nonce", qop="auth", opaque="o"' } };
  }
  const token = await identity.tokenOf(request.headers.authorization);
  if (!token) return { status: 401, body: { error: 'no token' } };
  if (request.path === '/moody' && !refusedOnce.has('moody')) {
    refusedOnce.add('moody');
    return { status: 401, body: { error: 'another one, please' } };
  }
  return { body: { client: token.clientId, scope: token.scope ?? '', same: request.headers['x-same'] === request.headers.authorization.slice(7), echo: request.headers.authorization } };
});
after(async () => {
  await upstream.stop();
  await identity.stop();
  await rm(folder, { recursive: true, force: true });
});

const call = (path, authentication, more = '') => `
      call: http
      with: { method: get, endpoint: { uri: '${upstream.url}${path}', authentication: ${authentication} }${more} }`;
const oauth = (members) => `{ oauth2: { authority: '${identity.url}', endpoints: { token: /token }, ${members} } }`;
const config = { scheduler: { secrets_dir: folder } };

const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: proofs, version: '1.0.0' }
use:
  secrets: [ digest, secret, assertion, machine ]
  authentications:
    machine: { oauth2: { use: machine } }
do:
  - digest:
      call: http
      with: { method: post, endpoint: { uri: '${upstream.url}/digest?a=b%20c', authentication: { digest: { use: digest } } }, body: { n: 1 } }
  - named:${call('/machine', '{ use: machine }', ", headers: { X-Same: '${ $authorization.parameter }' }")}
  - again:${call('/machine', '{ use: machine }')}
  - basic:${call('/basic', oauth("grant: client_credentials, client: { id: basic, secret: '${ $secrets.secret }', authentication: client_secret_basic }, scopes: [ read, write ]"))}
  - jwt:${call('/jwt', oauth(`grant: client_credentials, client: { id: jwt, secret: '${identity.secretOf('jwt')}', authentication: client_secret_jwt }`))}
  - key:${call('/key', oauth("grant: client_credentials, client: { id: key, assertion: '${ $secrets.assertion }', authentication: private_key_jwt }"))}
  - discovered:${call('/oidc', `{ oidc: { authority: '${identity.url}', issuers: [ '${identity.url}' ], grant: client_credentials, client: { id: post, secret: '${identity.secretOf('post')}' } } }`)}
  - password:${call('/password', oauth(`grant: password, username: ann, password: 'ann knows & tells?', client: { id: post, secret: '${identity.secretOf('post')}' }`))}
  - exchanged:${call('/exchanged', oauth(`grant: 'urn:ietf:params:oauth:grant-type:token-exchange', subject: { token: token-of-ann, type: 'urn:x:y' }, actor: { token: token-of-bob, type: 'urn:x:z' }, client: { id: post, secret: '${identity.secretOf('post')}' }`))}
  - moody:${call('/moody', '{ use: machine }')}
output:
  as: '\${ $steps }'
`;

scenario('calls prove who they are', { needs: NEEDS, config }, async (suite) => {
  identity.requests.length = 0;
  refusedOnce.clear();
  await suite.apply(WORKFLOW);
  const run = await suite.startRun('proofs');
  const { output } = await suite.runEnds(run.id);
  const client = (name) => [output[name].client, output[name].scope];
  assert.deepEqual(output.digest, { hello: 'Mufasa', got: '{"n":1}' });
  assert.deepEqual(client('named'), ['post', 'read']);
  assert.equal(output.named.same, true, '$authorization has the token that was fetched');
  assert.equal(output.named.echo, 'Bearer ***', 'a token becomes no part of the run');
  assert.deepEqual(client('again'), ['post', 'read']);
  assert.deepEqual(client('basic'), ['basic', 'read write']);
  assert.deepEqual(client('jwt'), ['jwt', '']);
  assert.deepEqual(client('key'), ['key', '']);
  assert.deepEqual(client('discovered'), ['post', '']);
  assert.deepEqual(client('password'), ['post', '']);
  assert.deepEqual(client('exchanged'), ['post', '']);
  assert.deepEqual(client('moody'), ['post', 'read']);
  const machine = identity.requests.filter(({ client_id, grant_type, scope }) => client_id === 'post' && grant_type === 'client_credentials' && scope === 'read');
  assert.equal(machine.length, 2, 'one token for three calls, and one after it was refused');
  assert.match(identity.requests.find(({ authorization }) => authorization).authorization, /^Basic /);
});

const MANY = `
document: { dsl: '1.0.3', namespace: default, name: many, version: '1.0.0' }
do:
  - all:
      for: { each: n, in: '\${ [range(40)] }' }
      metadata: { tutti: { parallel: 40 } }
      do:
        - one:${call('/many', oauth(`grant: client_credentials, client: { id: post, secret: '${identity.secretOf('post')}' }, scopes: [ write ]`)).replaceAll('\n', '\n      ')}
output: { as: '\${ map(.client) | unique }' }
`;

scenario('many calls at once fetch one token', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  identity.requests.length = 0;
  await suite.apply(MANY);
  const run = await suite.startRun('many');
  const { output } = await suite.runEnds(run.id);
  assert.deepEqual(output, ['post']);
  assert.equal(identity.requests.length, 1);
});

const WRONG = (authentication) => `
document: { dsl: '1.0.3', namespace: default, name: wrong, version: '1.0.0' }
do:
  - try:
      try:
        - ask:${call('/never', authentication).replaceAll('\n', '\n        ')}
      catch: { as: error, do: [ { note: { set: '\${ $error }' } } ] }
`;

for (const [what, authentication, status, type, words] of [
  ['a wrong secret', oauth('grant: client_credentials, client: { id: post, secret: wrong-secret-of-post }'), 401, 'authentication', /invalid_client/],
  ['a policy that lacks something', oauth('grant: password'), 400, 'configuration', /username is missing/],
  ['an identity provider that is not there', "{ oauth2: { authority: 'http://127.0.0.1:9', grant: client_credentials, client: { id: a, secret: b } } }", 500, 'communication', /./],
  ['an identity provider that may not be called', "{ oauth2: { authority: 'http://10.0.0.1', grant: client_credentials, client: { id: a, secret: b } } }", 403, 'authorization', /egress/],
  ['a wrong issuer', `{ oidc: { authority: '${identity.url}', issuers: [ 'https://other.example' ], client: { id: a, secret: b } } }`, 403, 'authorization', /issuer/],
]) {
  scenario(`${what} is an error of type ${type}`, { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
    await suite.apply(WRONG(authentication));
    const run = await suite.startRun('wrong');
    const { output } = await suite.runEnds(run.id);
    assert.equal(output.status, status, JSON.stringify(output));
    assert.match(output.type, new RegExp(`${type}$`));
    assert.match(output.detail, words);
    assert.doesNotMatch(JSON.stringify(output), /wrong-secret-of-post/);
    assert.equal(upstream.count('/never'), 0);
  });
}
