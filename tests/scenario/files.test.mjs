// Stored files: their type is found in them, their bytes come back over kill -9, and what is deleted or cut off is gone.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenario } from './support/suite.mjs';
import { BIN } from './support/service.mjs';

const PDF = Buffer.concat([Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1'), randomBytes(2 * 1024 * 1024 + 17)]); // three pieces
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

async function put(suite, bytes, query, headers) {
  return suite.api.call('POST', `/v1/files${query}`, bytes, { headers });
}

async function content(suite, id) {
  const answer = await fetch(`${suite.url}/v1/files/${id}/content`, { headers: { authorization: `Bearer ${suite.key}` } });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

async function keepsBytes(suite) {
  const made = await put(suite, PDF, '?subject=ann', { 'content-type': 'application/pdf', 'content-disposition': 'attachment; filename="../../etc/Sum \\"1\\".pdf"' });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual([made.body.name, made.body.bytes, made.body.media_type, made.body.sha256, made.body.subject], ['Sum 1.pdf', PDF.length, 'application/pdf', sha256(PDF), 'ann']);
  assert.equal(made.headers.get('location'), `/v1/files/${made.body.id}`);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  assert.deepEqual(await suite.api.patient('GET', `/v1/files/${made.body.id}`), made.body);
  const got = await content(suite, made.body.id);
  assert.equal(got.status, 200);
  assert.equal(sha256(got.bytes), sha256(PDF));
  assert.equal(got.headers.get('etag'), `"${sha256(PDF)}"`);
  assert.equal(got.headers.get('content-type'), 'application/pdf');
  assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
  assert.match(got.headers.get('content-disposition'), /^attachment; filename="Sum 1\.pdf"/);
  return made.body.id;
}

async function looksAtTypes(suite) {
  const type = async (bytes, declared, query = '') => (await put(suite, bytes, query, { 'content-type': declared })).body;
  assert.equal((await type('# Title\n\nWords.', 'text/markdown; charset=utf-8')).media_type, 'text/markdown');
  assert.equal((await type('{"a": 1}', 'application/json')).media_type, 'application/json');
  assert.equal((await type('plain words', 'application/octet-stream', '?name=a%2Fb.txt&expires_in=1h')).media_type, 'text/plain');
  const refused = async (bytes, declared, code, query = '') => suite.api.refused('POST', `/v1/files${query}`, bytes, code.startsWith('media') ? 415 : 400, code, { headers: { 'content-type': declared } });
  await refused(await readFile(process.execPath).then((bytes) => bytes.subarray(0, 8192)), 'application/octet-stream', 'media_type_not_allowed');
  await refused('#!/bin/sh\nrm -rf /\n', 'application/octet-stream', 'media_type_not_allowed');
  await refused('plain words', 'application/pdf', 'media_type_mismatch');
  await refused(PDF.subarray(0, 100), 'image/png', 'media_type_mismatch');
  await refused('plain words', 'video/mp4', 'media_type_not_allowed');
  await refused('', 'text/plain', 'invalid_request');
  await refused('x y', 'text/plain', 'invalid_request', '?expires_in=soon');
  await suite.api.refused('POST', '/v1/files?subject=', 'x y', 400, 'invalid_request', { headers: { 'content-type': 'text/plain' } });
  const status = await new Promise((resolve, reject) => {
    const large = request(`${suite.url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${suite.key}`, 'content-length': 32 * 1024 * 1024 + 1 } });
    large.on('response', (answer) => { resolve(answer.statusCode); large.destroy(); });
    large.on('error', reject);
    large.flushHeaders();
  });
  assert.equal(status, 413, 'refused before it is sent');
}

// Forms as Node's fetch writes them, each with a boundary of its own; and as nobody should.
async function takesForms(suite) {
  const authorization = `Bearer ${suite.key}`;
  const send = async (fields, query = '', more = {}) => {
    const body = new FormData();
    for (const [name, value, file] of fields) file ? body.append(name, value, file) : body.append(name, value);
    const answer = await fetch(`${suite.url}/v1/files${query}`, { method: 'POST', headers: { authorization, ...more }, body });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  };
  const pdf = new Blob([PDF], { type: 'application/pdf' });
  const made = await send([['subject', 'fred'], ['file', pdf, 'C:\\tmp\\Sum "1" gr\u00fcn.pdf'], ['expires_in', '1h']], '', { 'idempotency-key': 'form' });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.deepEqual([made.body.name, made.body.bytes, made.body.media_type, made.body.sha256, made.body.subject], ['Sum 1 gr\u00fcn.pdf', PDF.length, 'application/pdf', sha256(PDF), 'fred']);
  assert.ok(made.body.expires_at > made.body.created_at);
  assert.equal(made.headers.get('location'), `/v1/files/${made.body.id}`);
  assert.equal(sha256((await content(suite, made.body.id)).bytes), sha256(PDF));
  assert.equal((await send([['file', pdf]], '', { 'idempotency-key': 'form' })).body.id, made.body.id, 'the same key and bytes');
  const named = await send([['file', new Blob(['# Title']), 'a.md']], '?name=b.md&subject=fred');
  assert.deepEqual([named.status, named.body.name, named.body.media_type, named.body.subject], [201, 'b.md', 'text/plain', 'fred']);

  const refused = async (fields, detail, { query, status = 400, code = 'invalid_request' } = {}) => {
    const { status: got, body } = await send(fields, query);
    assert.deepEqual([got, body.code], [status, code], JSON.stringify(body));
    assert.match(body.detail, detail);
  };
  const words = new Blob(['plain words'], { type: 'text/plain' });
  await refused([['name', 'a.txt']], /no part with the name `file`/);
  await refused([['file', words], ['file', words]], /part 2 of the form: a second `file`/);
  await refused([['purpose', 'assistants'], ['file', words]], /part 1 of the form: its name is none of file/);
  await refused([['file', words], ['subject', 'x'.repeat(201)]], /subject: 1 to 200 bytes/);
  await refused([['file', words], ['subject', 'a']], /subject: it stands in the form and in the query/, { query: '?subject=a' });
  await refused([['file', words], ['expires_in', 'soon']], /expires_in: a duration/);
  await refused([['file', new Blob([])]], /the file is empty/);
  await refused([['file', new Blob(['plain words'], { type: 'application/pdf' })]], /said to be application\/pdf/, { status: 415, code: 'media_type_mismatch' });
  const raw = (body, type) => suite.api.refused('POST', '/v1/files', body, 400, 'invalid_request', { headers: { 'content-type': type } });
  assert.match((await raw('--x\r\nContent-Disposition: form-data; name=file\r\n\r\nhalf', 'multipart/form-data; boundary=x')).detail, /part 1 of the form: the body breaks off/);
  assert.match((await raw('--x--', 'multipart/form-data')).detail, /needs a boundary/);
  assert.deepEqual((await suite.api.ok('GET', '/v1/files?subject=fred')).items.map((file) => file.id), [named.body.id, made.body.id]);
}

// The same key is the same file; a body that breaks off is none.
async function repeatsAndBreaks(suite) {
  const headers = { 'content-type': 'text/plain', 'idempotency-key': 'once' };
  const first = await put(suite, 'said once', '', headers);
  assert.equal(first.status, 201);
  assert.equal((await put(suite, 'said once', '', headers)).body.id, first.body.id);
  const count = async () => (await suite.api.ok('GET', '/v1/files?page_size=500')).items.length;
  const before = await count();
  await new Promise((resolve) => {
    const cut = request(`${suite.url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${suite.key}`, 'content-length': 3_000_000 } });
    cut.on('error', resolve);
    cut.write(Buffer.alloc(1_500_000, 'a'), () => cut.destroy(new Error('cut')));
  });
  assert.equal(await count(), before);
  await suite.api.refused('GET', '/v1/files/01M830NA3Y00000000N6HHXP60', undefined, 404, 'not_found');
  await suite.api.refused('GET', '/v1/files/nothing/content', undefined, 404, 'not_found');
}

// Whatever the moment the scheduler dies: the file is there as a whole, or not at all; asked again, it is there once.
async function survivesKill(suite) {
  const bytes = Buffer.concat([PDF.subarray(0, 20), randomBytes(4 * 1024 * 1024)]);
  const headers = { 'content-type': 'application/pdf', 'idempotency-key': 'killed' };
  const first = put(suite, bytes, '?subject=killed', headers).catch((error) => error);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await first;
  const made = await suite.until('the upload is repeated', async () => {
    const answer = await put(suite, bytes, '?subject=killed', headers).catch(() => null);
    return answer?.status === 201 ? answer.body : null;
  });
  const { items } = await suite.api.ok('GET', '/v1/files?subject=killed');
  assert.deepEqual(items.map((file) => file.id), [made.id]);
  assert.equal(sha256((await content(suite, made.id)).bytes), sha256(bytes));
}

async function fromTheCommandLine(suite, pdf) {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-files-'));
  const tutti = (...args) =>
    new Promise((resolve) => {
      const env = { PATH: process.env.PATH, TUTTI_KEY: suite.key, TUTTI_URL: suite.url };
      execFile(join(BIN, 'tutti'), args, { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
    });
  try {
    await writeFile(join(folder, 'notes.md'), '# Notes\n');
    const made = await tutti('file', 'put', join(folder, 'notes.md'), '--subject', 'bob');
    assert.equal(made.code, 0, made.stderr);
    const [id, type, name] = made.stdout.trim().split(/ {2}/);
    assert.deepEqual([type, name], ['text/markdown', 'notes.md']);
    assert.match((await tutti('file', 'list', '--subject', 'bob')).stdout, new RegExp(id));
    assert.equal((await tutti('file', 'get', pdf, '-o', join(folder, 'out.pdf'))).code, 0);
    assert.equal(sha256(await readFile(join(folder, 'out.pdf'))), sha256(PDF));
    assert.equal((await tutti('file', 'delete', '--subject', 'bob')).stdout, `${id} is deleted\n`);
    assert.equal((await tutti('file', 'get', id)).code, 3);
    assert.equal((await tutti('file', 'delete')).code, 2);
  } finally {
    await rm(folder, { recursive: true });
  }
}

scenario('files are kept as they are', { needs: ['scheduler', 'gateway'], checkNeeds: false }, async (suite) => {
  const pdf = await keepsBytes(suite);
  await looksAtTypes(suite);
  await takesForms(suite);
  await repeatsAndBreaks(suite);
  await survivesKill(suite);
  await fromTheCommandLine(suite, pdf);
  const other = await suite.api.ok('GET', '/v1/files', undefined, { headers: { 'tutti-namespace': 'other' } });
  assert.deepEqual(other.items, []);
  assert.equal((await suite.api.call('DELETE', `/v1/files/${pdf}`)).status, 204);
  await suite.api.refused('GET', `/v1/files/${pdf}/content`, undefined, 404, 'not_found');
  await suite.api.refused('DELETE', `/v1/files/${pdf}`, undefined, 404, 'not_found');
});
