// Stored files in workflows: services get their bytes, what services answer is kept as one, and both within the namespace only. The
// services are stand-ins that keep state; S3's computes the signature over the bytes once more.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import { Fleet } from './support/standin/fleet.mjs';
import { scenario } from './support/suite.mjs';
import { knows, merged } from './support/tools.mjs';

const fleet = await Fleet.start();
after(() => fleet.stop());
const { s3, slack } = fleet.worlds;
const config = merged(fleet.config(), { files: { size_max: '4MiB', types: ['text/plain', 'text/markdown', 'application/json', 'application/pdf'] } });
const PDF = Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(2 * 1024 * 1024 + 17)]); // three pieces

async function put(suite, bytes, query = '', headers = {}) {
  const made = await suite.api.call('POST', `/v1/files${query}`, bytes, { headers });
  assert.equal(made.status, 201, made.text);
  return made.body;
}

async function content(suite, id) {
  const answer = await fetch(`${suite.url}/v1/files/${id}/content`, { headers: { authorization: `Bearer ${suite.key}` } });
  return Buffer.from(await answer.arrayBuffer());
}

// One call as a workflow.
let count = 0;
async function call(suite, name, args, state = 'completed') {
  const flow = `call-${++count}`;
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: ${flow}, version: '1.0.0' }
do:
  - call: { call: ${name}, with: ${JSON.stringify(args)} }
`);
  return suite.runEnds((await suite.startRun(flow, {})).id, state);
}

async function sends(suite) {
  const file = await put(suite, PDF, '?name=sum.pdf', { 'content-type': 'application/pdf' });
  const run = await call(suite, 's3.put_object', { key: 'sum.pdf', body: { file: file.id } });
  const { content: stored, mime } = s3.store.get('objects', 'sum.pdf');
  assert.ok(PDF.equals(stored));
  assert.equal(mime, 'application/pdf');
  const history = await suite.api.ok('GET', `/v1/runs/${run.id}/history?page_size=500`);
  assert.ok(JSON.stringify(history).length < 100_000, 'bytes are nobody else\'s matter');
  const { output } = await call(suite, 'slack.upload_file', { content: { file: file.id }, channel: 'Cgeneral' });
  const posted = slack.store.get('files', output.file);
  assert.deepEqual([posted.filename, posted.title], ['sum.pdf', 'sum.pdf']);
  assert.ok(PDF.equals(posted.content));
}

// An answer becomes a file; the same call repeated is the same file, and what must not be kept is not.
async function keeps(suite) {
  const { output } = await call(suite, 's3.get_object', { key: 'sum.pdf', keep: { subject: 'ann', expires_in: '1h' } });
  const { file, ...shown } = output.body;
  const stored = await suite.api.ok('GET', `/v1/files/${file}`);
  assert.deepEqual(shown, { name: 'sum.pdf', mime: 'application/pdf', size: PDF.length, sha256: stored.sha256 });
  assert.equal(stored.subject, 'ann');
  assert.ok(stored.expires_at);
  assert.ok(PDF.equals(await content(suite, file)));

  const invoke = (args) => suite.api.call('POST', '/v1/tools/s3.get_object/invoke', { arguments: args }, { headers: { 'idempotency-key': 'once' } });
  const keep = () => invoke({ key: 'old a.txt', keep: { name: '../a.txt' } }).then(({ body, text }) => body.output?.body.file ?? text);
  const once = await keep();
  assert.equal((await suite.api.ok('GET', `/v1/files/${once}`)).name, 'a.txt');
  assert.equal(await keep(), once);
  s3.store.put('objects', 'tool', { key: 'tool', content: Buffer.from('#!/bin/sh\nrm -rf /\n'), etag: '"e"', mime: 'application/octet-stream' });
  const refused = await call(suite, 's3.get_object', { key: 'tool', keep: {} }, 'faulted');
  assert.match(refused.error.detail, /files of the type text\/x-shellscript are not kept/);
  assert.match((await call(suite, 's3.get_object', { key: 'tool', keep: { expires_in: 'soon' } }, 'faulted')).error.detail, /expires_in/);
}

async function splits(suite) {
  const notes = await put(suite, '# Notes\n\nOne.\n', '?name=n.md&subject=bob', { 'content-type': 'text/markdown' });
  const { output } = await call(suite, 'documents.split', { file: notes.id });
  assert.deepEqual(output.file, { id: notes.id, name: 'n.md', media_type: 'text/markdown', subject: 'bob' });
  assert.deepEqual(output.chunks.map(({ key, headings }) => [key, headings]), [[`${notes.id}#0`, ['Notes']]]);
  const same = await call(suite, 'documents.split', { blob: { file: notes.id }, id: 'mine' });
  assert.equal(same.output.chunks[0].key, 'mine#0');
  return notes;
}

async function refuses(suite, notes) {
  const fails = async (name, args, why) => {
    const { error } = await call(suite, name, args, 'faulted');
    assert.match(error.detail, why);
    assert.match(error.type, /validation$/);
  };
  const foreign = await put(suite, 'theirs', '', { 'content-type': 'text/plain', 'tutti-namespace': 'other' });
  const json = await put(suite, '{"a": 1}', '', { 'content-type': 'application/json' });
  const pdf = await put(suite, PDF.subarray(0, 100), '', { 'content-type': 'application/pdf' });
  await fails('documents.split', { file: foreign.id }, /no stored file .* in this namespace/);
  await fails('documents.split', { file: 'nothing' }, /no stored file/);
  await fails('documents.split', { file: pdf.id }, /is application\/pdf: text, Markdown and HTML/);
  await fails('slack.upload_file', { content: { file: json.id }, channel: 'Cgeneral' }, /is application\/json, which is not taken/);
  // What comes along is measured and looked at as well.
  const GIF = Buffer.from('GIF89a\x01\0\x01\0\x80\0\0').toString('base64');
  await fails('slack.upload_file', { content: { base64: Buffer.from([0, 1, 2, 3, 4]).toString('base64') }, filename: 'x', channel: 'Cgeneral' }, /: \/content: is application\/octet-stream, which is not taken/);
  await fails('slack.upload_file', { content: { base64: GIF, mime: 'application/pdf' }, filename: 'x', channel: 'Cgeneral' }, /: \/content: the file is said to be application\/pdf and looks like image\/gif/);
  await fails('slack.upload_file', { content: { base64: 'R0lG!' }, filename: 'x', channel: 'Cgeneral' }, /: \/content\/base64: is no base64/);
  for (const content of ['{"a": 1}', { base64: GIF }, { base64: GIF, mime: 'image/gif' }]) await call(suite, 'slack.upload_file', { content, filename: 'x', channel: 'Cgeneral' });
  // What a service says of a file is believed, unless the bytes tell.
  const shows = async (key, bytes, mime) => {
    s3.store.put('objects', key, { key, content: bytes, etag: '"e"', mime });
    return (await call(suite, 's3.get_object', { key })).output.body.mime;
  };
  assert.equal(await shows('a.png', PDF.subarray(0, 100), 'image/png'), 'application/pdf');
  assert.equal(await shows('b.png', Buffer.from(GIF, 'base64'), 'image/gif'), 'image/gif');
  assert.equal(await shows('c.bin', Buffer.from([0, 1, 2, 3]), 'application/octet-stream'), 'application/octet-stream');
  await suite.api.ok('DELETE', `/v1/files/${notes.id}`);
  await fails('documents.split', { file: notes.id }, /deleted/);
  await suite.api.refused('POST', '/v1/files', 'a,b\n1,2\n', 415, 'media_type_not_allowed', { headers: { 'content-type': 'text/csv' } });
  await suite.api.refused('POST', '/v1/files', Buffer.alloc(4 * 1024 * 1024 + 1, 'a'), 413, 'body_too_large', { headers: { 'content-type': 'text/plain' } });
}

scenario('stored files go out with calls and come back from them', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  await knows(suite, 's3.put_object', 'slack.upload_file', 'documents.split');
  await sends(suite);
  await keeps(suite);
  await refuses(suite, await splits(suite));
});
