// A secret goes where the workflow sends it, and nowhere else.
import assert from 'node:assert/strict';
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'tool-adapter'];
const TOKEN = 'tk/"+ü-0123456789abcdef';
const PASSWORD = 'pässword?of&ann=1';

// Beside the suite's folder: what is searched there must not find the file of the secret itself.
const folder = await mkdtemp(join(tmpdir(), 'tutti-secrets-'));
await mkdir(join(folder, 'default'));
await writeFile(join(folder, 'default', 'token'), `${TOKEN}\n`, { mode: 0o600 });
await writeFile(join(folder, 'login'), JSON.stringify({ username: 'ann', password: PASSWORD }, null, 2), { mode: 0o600 });
const config = { scheduler: { secrets_dir: folder, secrets: { default: { login: { file: join(folder, 'login') } } } } };

// Answers with all it got, so that whatever was sent comes back.
const upstream = await Upstream.start((request, count) => {
  if (request.path === '/flaky' && count === 1) return { status: 503, body: { got: request.headers } };
  if (request.path === '/wrong') return { status: 400, body: { got: request.headers } };
  return { body: { headers: request.headers, body: request.body, query: request.query.toString() } };
});
after(async () => {
  await upstream.stop();
  await rm(folder, { recursive: true, force: true });
});

const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: sender, version: '1.0.0' }
use:
  secrets: [ token, login ]
  authentications:
    ann: { basic: { use: login } }
do:
  - plain:
      call: http
      with:
        method: post
        endpoint: '${upstream.url}/plain'
        headers: { X-Token: '\${ $secrets.token | @uri }', X-Base: '\${ $secrets.token | @base64 }' }
        query: { t: '\${ $secrets.token }' }
        body: { deep: [ '\${ "it is \\($secrets.token), really" }' ] }
        output: response
  - basic:
      call: http
      with: { method: get, endpoint: { uri: '${upstream.url}/basic', authentication: { use: ann } } }
  - bearer:
      call: http
      with:
        method: get
        endpoint: { uri: '${upstream.url}/bearer', authentication: { bearer: { token: '\${ $secrets.token | @base64 }' } } }
        headers: { X-Same: '\${ $authorization.parameter }' }
  - flaky:
      call: http
      input: { from: '{ t: $secrets.token }' }
      with: { method: post, endpoint: '${upstream.url}/flaky', body: '\${ .t }' }
      metadata: { tutti: { retry: { delay: { milliseconds: 10 }, limit: { attempt: { count: 2 } } } } }
  - asked: { if: '$secrets.token | startswith("tk/")', set: { known: true } }
  - kept: { set: { stored: '\${ $secrets.token }', of: '\${ $secrets.login }', asked: '\${ $steps.asked.known }' } }
  - wrong:
      try:
        - call:
            call: http
            with: { method: post, endpoint: '${upstream.url}/wrong', body: '\${ $secrets.token }' }
      catch: { as: error, do: [ { note: { set: { error: '\${ $error }', kept: '\${ $steps.kept }' } } } ] }
`;

function forms(secret) {
  const bytes = Buffer.from(secret);
  const padded = (lead) => Buffer.concat([Buffer.alloc(lead), bytes]).toString('base64').slice(Math.ceil((lead * 8) / 6) + (lead ? 1 : 0), -4);
  const base = [0, 1, 2].map(padded);
  return [
    secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), bytes.toString('hex'),
    ...base, ...base.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ].map((text) => Buffer.from(text));
}

async function filesBelow(path) {
  const entries = await readdir(path, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

// Neither the data, nor the logs, nor any answer holds a secret in any of its forms.
async function checkNothingKept(suite, run) {
  const texts = new Map();
  for (const file of await filesBelow(suite.folder)) texts.set(file, await readFile(file));
  const paths = [
    '/v1/runs', `/v1/runs/${run.id}`, `/v1/runs/${run.id}/history?page_size=500`, '/v1/secrets',
    '/v1/workflows', '/v1/workflows/sender', '/v1/queues', '/v1/system/status',
  ];
  for (const path of paths) texts.set(path, Buffer.from(JSON.stringify(await suite.api.ok('GET', path))));
  const events = await fetch(`${suite.url}/v1/runs/${run.id}/events?after=0`, { headers: { authorization: `Bearer ${suite.key}` } });
  texts.set('events', Buffer.from(await events.text()));
  assert.ok(texts.get('events').includes('task.started'));
  for (const [where, text] of texts) {
    for (const form of [...forms(TOKEN), ...forms(PASSWORD)]) {
      assert.ok(!text.includes(form), `${where} holds a secret as ${form}`);
    }
  }
  return texts.size;
}

scenario('secrets are sent and never kept', { needs: NEEDS, config }, async (suite) => {
  upstream.requests.length = 0;
  upstream.counts.clear();
  await suite.apply(WORKFLOW);
  const run = await suite.startRun('sender');
  const ended = await suite.runEnds(run.id);

  const got = Object.fromEntries(upstream.requests.map((request) => [request.path, request]));
  assert.equal(got['/plain'].headers['x-token'], encodeURIComponent(TOKEN));
  assert.equal(got['/plain'].query.get('t'), TOKEN);
  assert.deepEqual(JSON.parse(got['/plain'].body), { deep: [`it is ${TOKEN}, really`] });
  assert.equal(got['/basic'].headers.authorization, `Basic ${Buffer.from(`ann:${PASSWORD}`).toString('base64')}`);
  assert.equal(got['/bearer'].headers.authorization, `Bearer ${Buffer.from(TOKEN).toString('base64')}`);
  assert.equal(got['/bearer'].headers['x-same'], Buffer.from(TOKEN).toString('base64'));
  assert.equal(upstream.count('/flaky'), 2, 'the second attempt has it again');
  assert.equal(got['/flaky'].body, TOKEN);
  assert.equal(got['/wrong'].body, TOKEN);

  assert.deepEqual(ended.output.kept, { stored: '***', of: { username: '***', password: '***' }, asked: true });
  assert.equal(ended.output.error.status, 400);
  assert.ok((await checkNothingKept(suite, run)) > 10);
  const { items } = await suite.api.ok('GET', '/v1/secrets');
  assert.deepEqual(items, [{ name: 'login', namespace: 'default' }, { name: 'token', namespace: 'default' }]);
});

const WAITING = `
document: { dsl: '1.0.3', namespace: default, name: later, version: '1.0.0' }
use: { secrets: [ token, absent ] }
do:
  - pause: { wait: { milliseconds: 300 } }
  - send:
      call: http
      with: { method: post, endpoint: '${upstream.url}/later', body: '\${ $secrets.token }' }
  - miss:
      try: [ { send: { call: http, with: { method: post, endpoint: '${upstream.url}/never', body: '\${ $secrets.absent }' } } } ]
      catch: { as: error, do: [ { note: { set: '\${ $error }' } } ] }
`;

scenario('a secret that changes while the scheduler is away is the new one afterwards', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  upstream.requests.length = 0;
  upstream.counts.clear();
  await suite.apply(WAITING);
  await suite['tool-adapter'].kill();
  const run = await suite.startRun('later');
  await suite.until('the job waits', async () => (await suite.api.patient('GET', `/v1/runs/${run.id}`)).waiting_for?.[0]?.kind === 'job');
  await suite.scheduler.kill();
  await writeFile(join(folder, 'default', 'token'), 'another-token-of-today');
  await suite.scheduler.start();
  await suite['tool-adapter'].start();
  const ended = await suite.runEnds(run.id);
  assert.equal(upstream.requests.find(({ path }) => path === '/later').body, 'another-token-of-today');
  assert.equal(upstream.count('/never'), 0);
  assert.equal(ended.output.status, 403);
  assert.match(ended.output.type, /authorization$/);
  assert.match(ended.output.detail, /`absent`/);
  await writeFile(join(folder, 'default', 'token'), `${TOKEN}\n`);
});
