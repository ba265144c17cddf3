// Mail by SMTP, against a real server of another make: what arrives, what its refusals mean, and that nothing that is given becomes a
// header or recipient of its own.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSmtpServer } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';

const { SMTPServer } = loadSmtpServer();
const needs = ['scheduler', 'gateway', 'tool-adapter'];
const mails = [];
let refuse = () => undefined; // (address) → a refusal of a recipient

const server = new SMTPServer({
  authMethods: ['PLAIN', 'LOGIN'], allowInsecureAuth: true, hideSTARTTLS: true, disableReverseLookup: true,
  onAuth: (auth, session, done) => (auth.password === 'right-password' ? done(null, { user: auth.username }) : done(Object.assign(new Error('no'), { responseCode: 535 }))),
  onRcptTo: (address, session, done) => done(refuse(address.address)),
  onData: (stream, session, done) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      mails.push({ from: session.envelope.mailFrom.address, to: session.envelope.rcptTo.map((one) => one.address), text: Buffer.concat(chunks).toString() });
      done(null, 'taken');
    });
  },
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
after(() => new Promise((resolve) => server.close(resolve)));

// A server that takes a whole mail and then says nothing.
let swallowed = 0;
const silent = createServer((socket) => {
  let isData = false;
  let mail = ''; // it may come in pieces
  socket.on('error', () => {});
  socket.write('220 silent\r\n');
  socket.on('data', (data) => {
    const text = data.toString();
    if (isData) {
      mail += text;
      if (mail.endsWith('\r\n.\r\n')) { swallowed++; socket.destroy(); }
      return;
    }
    isData = /^DATA/i.test(text);
    socket.write(isData ? '354 go on\r\n' : '250 ok\r\n');
  });
});
await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
after(() => new Promise((resolve) => silent.close(resolve)));

const folder = mkdtempSync(join(tmpdir(), 'mail-'));
after(() => rmSync(folder, { recursive: true }));
for (const name of ['right', 'wrong']) writeFileSync(join(folder, name), `${name}-password`, { mode: 0o600 });
const password = (name) => ({ password: { secret: name.toUpperCase() } });

const settings = (port, more = {}) => ({ host: '127.0.0.1', port, tls: 'none', from: 'Shop <shop@example.com>', ...more });
const config = { tools: {
  egress: { private_networks: ['127.0.0.0/8', '::1/128'], http_hosts: ['127.0.0.1'] },
  connections: {
    smtp: { adapter: 'smtp', config: settings(server.server.address().port, { user: 'shop' }), secrets: password('right'), allow_private: true },
    wrong: { adapter: 'smtp', config: settings(server.server.address().port, { user: 'shop' }), secrets: password('wrong'), allow_private: true },
    mute: { adapter: 'smtp', config: settings(silent.address().port), allow_private: true },
    tls: { adapter: 'smtp', config: settings(server.server.address().port, { tls: 'starttls' }), allow_private: true },
    closed: { adapter: 'smtp', config: settings(server.server.address().port) },
  },
}, secrets: { RIGHT: { file: join(folder, 'right') }, WRONG: { file: join(folder, 'wrong') } } };

// A workflow for each mail: what it sends stands in it.
let count = 0;
async function send(suite, input, state = 'completed', metadata = '') {
  const name = `mail-${++count}`;
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - send: { call: smtp.send, with: ${JSON.stringify(input)}${metadata} }
output: { as: '\${ $steps.send }' }
`);
  const run = await suite.startRun(name, {});
  return suite.runEnds(run.id, state);
}

scenario('mails are sent by SMTP', { needs, config, checkNeeds: false }, async (suite) => {
  await suite.until('the adapter is registered', async () => (await suite.api.call('GET', '/v1/tools/smtp.send')).status === 200);

  const whole = await send(suite, {
    to: ['Ada <ada@example.com>', 'bob@example.com'], bcc: ['secret@example.com'], subject: 'Größe', text: 'Hallo\n.\nWelt', html: '<p>Hallo',
    attachments: [{ name: 'ä.txt', mime: 'text/plain', text: 'x' }], headers: { 'List-Unsubscribe': '<https://x.example/u>' },
  });
  const [mail] = mails;
  assert.match(whole.output.message_id, /^<[0-9a-f]{32}@example\.com>$/);
  assert.equal(whole.output.accepted, 3);
  assert.equal(mail.from, 'shop@example.com');
  assert.deepEqual(mail.to, ['ada@example.com', 'bob@example.com', 'secret@example.com']);
  assert.ok(mail.text.includes(`Message-ID: ${whole.output.message_id}`));
  assert.ok(mail.text.includes(`=?UTF-8?B?${Buffer.from('Größe').toString('base64')}?=`));
  assert.ok(mail.text.includes(Buffer.from('Hallo\n.\nWelt').toString('base64')));
  assert.ok(mail.text.includes('List-Unsubscribe: <https://x.example/u>'));
  assert.ok(!mail.text.includes('secret@example.com'));

  // A stored file, under its own name and type.
  const stored = await suite.api.call('POST', '/v1/files?name=plan.md', '# Plan\n', { headers: { 'content-type': 'text/markdown' } });
  await send(suite, { to: 'ada@example.com', subject: 's', text: 't', attachments: [{ file: stored.body.id }] });
  const { text } = mails.pop();
  assert.ok(text.includes('Content-Type: text/markdown'), text);
  assert.ok(text.includes("filename*=UTF-8''plan.md") && text.includes(Buffer.from('# Plan\n').toString('base64')), text);
  const both = await send(suite, { to: 'ada@example.com', subject: 's', text: 't', attachments: [{ file: stored.body.id, text: 'x' }] }, 'faulted');
  assert.match(both.error.detail, /one of `text`, `base64` and `file`/);

  // What would be a header or a recipient of its own is refused before anything leaves.
  for (const bad of [{ subject: 'a\r\nBcc: b@example.com' }, { to: 'a@example.com>\r\nRCPT TO:<b@example.com' }, { headers: { 'X-A': 'b\nBcc: c@example.com' } }, { headers: { Bcc: 'c@example.com' } }, { to: 'nobody' }]) {
    await send(suite, { to: 'ada@example.com', subject: 's', text: 't', ...bad }, 'faulted');
  }
  assert.equal(mails.length, 1);

  // A refusal for good is not tried again; one for now is, by the policy; nobody gets half a mail.
  const once = { retry: 1 };
  refuse = (address) => (address === 'gone@example.com' ? Object.assign(new Error('no such user'), { responseCode: 550 }) : undefined);
  const gone = await send(suite, { to: ['ada@example.com', 'gone@example.com'], subject: 's', text: 't' }, 'faulted');
  assert.match(JSON.stringify(gone.error), /no such user/);
  // A server that says no is well: as many refusals as would open its breaker do not.
  for (let i = 0; i < 5; i++) await send(suite, { to: 'gone@example.com', subject: 's', text: 't' }, 'faulted');
  const { items } = await suite.api.ok('GET', '/v1/circuit-breakers');
  assert.ok(items.every(({ state }) => state === 'closed'), JSON.stringify(items));
  refuse = () => (once.retry-- > 0 ? Object.assign(new Error('later'), { responseCode: 450 }) : undefined);
  await send(suite, { to: 'ada@example.com', subject: 'later', text: 't' }, 'completed', ', metadata: { tutti: { retry: { delay: PT0.05S, limit: { attempt: { count: 5 } } } } }');
  refuse = () => undefined;
  assert.equal(mails.length, 2);

  // Wrong password; a server without TLS where TLS is asked for; an address that the connection does not open.
  for (const [connection, word] of [['wrong', /authentication|535/i], ['closed', /egress|forbid/]]) {
    const ended = await send(suite, { connection, to: 'ada@example.com', subject: 's', text: 't' }, 'faulted');
    assert.match(JSON.stringify(ended.error), word);
  }

  // All of it went out and nothing came back: nobody knows, so it is not sent again.
  const unknown = await send(suite, { connection: 'mute', to: 'ada@example.com', subject: 's', text: 't' }, 'faulted');
  assert.match(unknown.error.type, /unknown-outcome/);
  assert.equal(swallowed, 1);
  assert.equal(mails.length, 2);
});
