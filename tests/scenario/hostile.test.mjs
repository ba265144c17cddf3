// What strangers, broken clients and attackers send. Each time the answer is a clear problem
// document, nothing that was accepted is lost, and nothing crashes (the logs are looked through).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { after } from 'node:test';
import { freePort } from './support/ports.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';
import { FETCH } from './support/workflows.mjs';
import { randomOf, within } from './support/wait.mjs';

const NEEDS = ['scheduler', 'gateway', 'tool-adapter'];
const MiB = 1 << 20;
const deep = (count) => '['.repeat(count) + ']'.repeat(count);
const yaml = { headers: { 'content-type': 'application/yaml' } };
const document = (name) => `document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }\n`;

// A call that is under way before the attack and must end well after it.
let release;
const upstream = await Upstream.start(() => new Promise((resolve) => (release = () => resolve({ body: { survived: true } }))));
after(() => upstream.stop());
const tcpPort = await freePort([1, 100]); // calls, hints, long calls; before the first test is known

function attack(name, body, more = {}) {
  scenario(name, { needs: NEEDS, checkNeeds: false, ...more }, async (suite) => {
    upstream.requests.length = 0;
    await suite.apply(FETCH);
    const run = await suite.startRun('fetch', { url: upstream.url });
    await suite.until('a call is under way', () => upstream.requests.length === 1);
    await body(suite);
    release();
    assert.deepEqual((await suite.runEnds(run.id)).output, { survived: true });
    for (const service of [suite.scheduler, suite.gateway, suite['tool-adapter']]) assert.ok(service.isRunning, `${service.name} is alive`);
  });
}

// Sends bytes as they are; resolves to what came back until the server closed.
function raw(port, bytes, ms = 20_000) {
  return within('the server closes', ms, new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => (text += chunk));
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
  }));
}

attack('definitions that are none', async (suite) => {
  const bombs = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`).join('\n')}\n`;
  const cases = {
    'no YAML': 'document: { dsl: \'1.0.3\', name: x\n  - ]',
    'empty': ' ',
    'a text': 'hello',
    'no tasks': document('x'),
    'a duplicate key': `${document('x')}do: []\ndo: []\n`,
    'an alias bomb': bombs,
    'too deep': `${document('x')}do: ${deep(200)}\n`,
    'an unclosed expression': `${document('x')}do:\n  - a: { set: { b: '\${ .c | ' } }\n`,
    'no jq': `${document('x')}do:\n  - a: { set: { b: '\${ ) }' } }\n`,
    'a forbidden function': `${document('x')}do:\n  - a: { set: { b: '\${ env.HOME }' } }\n`,
    'an unknown task': `${document('x')}do:\n  - a: { parallel: [] }\n`,
    'what is not supported yet': `${document('x')}do:\n  - a: { run: { shell: { command: ls } } }\n`,
    'a NUL': `${document('x')}do:\n  - a: { set: { b: "\\0" } }\n\0`,
    'no UTF-8': Buffer.concat([Buffer.from(document('x')), Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe])]),
  };
  for (const [name, definition] of Object.entries(cases)) {
    const answer = await suite.api.call('PUT', '/v1/workflows/x', definition, yaml);
    assert.equal(answer.status, 422, `${name}: ${answer.status} ${answer.text}`);
    assert.equal(answer.body.code, 'workflow_invalid', name);
    assert.ok(answer.body.errors.length > 0, name);
    for (const finding of answer.body.errors) assert.ok(finding.detail && /^V\d\d$/.test(finding.code), name);
  }
  const json = { headers: { 'content-type': 'application/json' } };
  const wrong = await suite.api.call('PUT', '/v1/workflows/x', '{"document": {', json);
  assert.ok([400, 422].includes(wrong.status), wrong.text);
  await suite.api.refused('PUT', '/v1/workflows/other', `${document('x')}do:\n  - a: { set: { b: 1 } }\n`, 422, 'workflow_invalid', yaml);
  await suite.api.refused('PUT', '/v1/workflows/x', 'x', 415, 'unsupported_media_type', { headers: { 'content-type': 'text/html' } });
  await suite.api.refused('PUT', '/v1/workflows/x', `#${' '.repeat(600 << 10)}`, 413, 'body_too_large', yaml);
});

attack('expressions that never end', async (suite) => {
  const bombs = ['def f: f; f', '[range(infinite)]', '"x" * 1000000000', '[limit(100000000; repeat(1))] | length', 'null | .[400000000] = 1', '"a" * 100000 | test("(a+)+$b")', 'def f: def g: f; g; f', '[recurse(.; true)]'];
  for (const [index, bomb] of bombs.entries()) {
    await suite.apply(`${document(`bomb-${index}`)}do:\n  - a: { set: { b: ${JSON.stringify(`\${ ${bomb} }`)} } }\n`);
    const run = await suite.startRun(`bomb-${index}`);
    const ended = await suite.runEnds(run.id, 'faulted');
    assert.match(ended.error.type, /expression$/, bomb);
  }
});

attack('parameters that there are not', async (suite) => {
  const { body: contract } = await suite.api.call('GET', '/openapi.json?colour=red'); // without a key: ignored
  let asked = 0;
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
      const operation = item[method];
      if (!operation || operation['x-tutti-later'] || operation['x-tutti-role'] === 'none' || operation['x-tutti-media'] === 'opaque') continue;
      const place = path.replace(/\{[a-z_]+\}/g, '1');
      const answer = await suite.api.call(method.toUpperCase(), `${place}?colour=red`, operation.requestBody ? {} : undefined);
      assert.ok(answer.status === 404 && answer.body.code === 'not_found' || answer.status === 400, `${method} ${path}: ${answer.status} ${answer.text}`);
      if (answer.status === 400 && answer.body.code === 'unknown_parameter') asked++;
    }
  }
  assert.ok(asked > 60, `only ${asked} paths said so`);
  const near = await suite.api.refused('GET', '/v1/runs?page_sise=1', undefined, 400, 'unknown_parameter');
  assert.match(near.detail, /`page_sise` here; did you mean `page_size`\?/);
});

attack('bodies that are none', async (suite) => {
  const start = (body, status, code) => suite.api.refused('POST', '/v1/runs', body, status, code);
  await start('{', 400, 'invalid_json');
  await start('', 400, 'invalid_json');
  await start('[]', 400, 'invalid_request');
  await start('{"workflow": "fetch", "workflow": "fetch"}', 400, 'invalid_json');
  await start({ workflow: 'fetch', colour: 'red' }, 400, 'invalid_request');
  await start({ workflow: 7 }, 400, 'invalid_request');
  await start({ workflow: 'fetch', priority: 10 }, 400, 'invalid_request');
  await start({ workflow: 'fetch', client_id: 'a b' }, 400, 'invalid_request');
  await start({ workflow: 'nothing' }, 404, 'not_found');
  await start({ workflow: '../../etc' }, 404, 'not_found');
  await start(`{"workflow": "fetch", "input": ${deep(100)}}`, 413, 'body_too_large');
  await start(`{"workflow": "fetch", "input": [${'1,'.repeat(150_000)}1]}`, 413, 'body_too_large');
  await start(`{"workflow": "fetch", "input": "${'x'.repeat(MiB)}"}`, 413, 'body_too_large');
  await start(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'invalid_json');
  await suite.api.refused('POST', '/v1/runs', 'workflow=fetch', 415, 'unsupported_media_type', { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
});

attack('ids, cursors and parameters that are none', async (suite) => {
  const { api } = suite;
  const ids = ['x', '0'.repeat(26), '01M80KTSHM0000000008Q05W6K', '%00', '%ff%fe', 'a'.repeat(129), encodeURIComponent('../x'), encodeURIComponent("' or 1=1")];
  for (const id of ids) {
    for (const path of [`/v1/runs/${id}`, `/v1/runs/${id}/history`, `/v1/runs/${id}/events`, `/v1/runs/${id}/result`, `/v1/approvals/${id}`, `/v1/workflows/${id}`, `/v1/queues/${id}`]) {
      const answer = await api.call('GET', path);
      assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text}`);
      assert.ok(answer.body.code, path);
    }
    const cancelled = await api.call('POST', `/v1/runs/${id}/cancel`, {});
    assert.ok([400, 404].includes(cancelled.status), `cancel ${id}: ${cancelled.text}`);
  }
  for (const query of ['page_size=0', 'page_size=501', 'page_size=x', 'page_size=-1', 'status=red', 'created_after=yesterday', 'order=random', 'label=nocolon']) {
    await api.refused('GET', `/v1/runs?${query}`, undefined, 400, 'invalid_request');
  }
  for (const token of ['x', 'AAAA', 'A'.repeat(500)]) {
    await api.refused('GET', `/v1/runs?page_token=${token}`, undefined, 400, 'invalid_page_token');
  }
  await api.refused('GET', '/v1/runs/x?wait=soon', undefined, 400, 'invalid_request');
});

attack('HTTP that is none', async (suite) => {
  const { port } = suite.gateway;
  const head = `Host: x\r\nAuthorization: Bearer ${suite.key}\r\n`;
  const cases = [
    ['garbage', `${randomBytes(300).toString('latin1')}\r\n\r\n`, /^(HTTP\/1.1 (400|431|505)|$)/],
    ['TLS', Buffer.from('1603010200010001fc0303', 'hex'), /^(HTTP\/1.1 400|$)/],
    ['two lengths', `POST /v1/runs HTTP/1.1\r\n${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, /^HTTP\/1.1 400/],
    ['length and chunks', `POST /v1/runs HTTP/1.1\r\n${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1.1 400/],
    ['a chunk without end', `POST /v1/runs HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n`, /^HTTP\/1.1 400/],
    ['no host', 'GET /v1/version HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400/],
    ['a folded header', `GET /v1/version HTTP/1.1\r\n${head}X: a\r\n b\r\n\r\n`, /^HTTP\/1.1 400/],
    ['a header of 20 KiB', `GET /v1/version HTTP/1.1\r\n${head}X: ${'a'.repeat(20 << 10)}\r\n\r\n`, /^HTTP\/1.1 431/],
    ['200 headers', `GET /v1/version HTTP/1.1\r\n${head}${'X: a\r\n'.repeat(200)}\r\n`, /^HTTP\/1.1 431/],
    ['a long path', `GET /${'a'.repeat(20 << 10)} HTTP/1.1\r\n${head}\r\n`, /^HTTP\/1.1 (414|431)/],
    ['a length beyond all', `POST /v1/runs HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n`, /^HTTP\/1.1 413/],
  ];
  for (const [name, bytes, expected] of cases) {
    assert.match(await raw(port, bytes), expected, name);
  }
  const random = randomOf(7);
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(`POST /v1/runs HTTP/1.1\r\n${head}Content-Type: application/json\r\nConnection: close\r\nContent-Length: 22\r\n\r\n{"workflow":"nothing"}`);
    for (let n = 0; n < 3; n++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end(bytes);
    await within('an answer or the end', 60_000, new Promise((resolve) => socket.once('data', resolve).once('close', resolve)));
    socket.destroy();
  }
});

attack('clients that are slow or go away', async (suite) => {
  const { port } = suite.gateway;
  const slow = await raw(port, `POST /v1/runs HTTP/1.1\r\nHost: x\r\nAuthor`, 30_000); // never the rest
  assert.match(slow, /^(HTTP\/1.1 408|$)/);
  const gone = Array.from({ length: 300 }, () => new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET /v1/runs/x?wait=60s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${suite.key}\r\n\r\n`);
      socket.destroy();
    });
    socket.on('close', resolve).on('error', resolve);
  }));
  await Promise.all(gone);
  await suite.api.ok('GET', '/v1/workflows');
});

// The same services over TCP, as on several machines.
const tcp = `tcp://127.0.0.1:${tcpPort}`;
const hints = `tcp://127.0.0.1:${tcpPort + 1}`;
const overTcp = {
  gateway: { scheduler: tcp, scheduler_hints: hints, llm: '' },
  scheduler: { listen: tcp, hint_listen: hints },
  tools: { scheduler: tcp },
  rpc: { token: { secret: 'RPC_TOKEN' } },
};

attack('garbage on the RPC ports', async (suite) => {
  const random = randomOf(11);
  const sp = Buffer.from([0x00, 0x53, 0x50, 0x00, 0x00, 0x30, 0x00, 0x00]); // the greeting of a requester
  const frame = (size, body) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(size));
    return Buffer.concat([sp, length, body]);
  };
  const bodies = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    randomBytes(4096),
    sp,
    frame(2n ** 62n, randomBytes(16)),
    frame(100, randomBytes(100)),
    frame(4, Buffer.from([0x80, 0, 0, 1])),
    ...Array.from({ length: 40 }, () => {
      const size = Math.floor(random() * 300);
      return frame(size, Buffer.concat([Buffer.from([0x80, 0, 0, 1]), randomBytes(size)]));
    }),
  ];
  for (const port of [tcpPort, tcpPort + 100, tcpPort + 1]) {
    for (const bytes of bodies) {
      await new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
        socket.on('close', resolve).on('error', resolve).resume();
        socket.setTimeout(200, () => socket.destroy());
      });
    }
  }
  await suite.api.patient('GET', '/v1/workflows');
}, { config: overTcp });
