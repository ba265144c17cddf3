// Runs go out as lines and come in elsewhere: with their history, payloads, labels and parents, twice without harm, through a
// kill in the middle; what was changed on the way is refused; and many are erased by a filter.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BIN } from './support/service.mjs';
import { scenario, withSuite } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const ENV = { PATH: process.env.PATH, LSAN_OPTIONS: `suppressions=${new URL('../support/lsan.supp', import.meta.url).pathname}:print_suppressions=0` };

const FLOWS = [`
document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
do:
  - long: { set: { text: '\${ $workflow.input.text * 300 }' } }
`, `
document: { dsl: '1.0.3', namespace: default, name: parent, version: '1.0.0', metadata: { tutti: { idempotencyKey: '\${ "p" + ($workflow.input.n | tostring) }' } } }
do:
  - each: { for: { in: '[range(40)]' }, do: [ { note: { set: { n: '\${ $item }', big: '\${ $workflow.input.text * 200 }' } } } ] }
  - below: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { text: '\${ $workflow.input.text }' } } } }
`, `
document: { dsl: '1.0.3', namespace: default, name: bad, version: '1.0.0' }
do:
  - work: { call: worker.do, with: { who: '\${ $workflow.input.text }' }, metadata: { tutti: { queue: bad, retry: none } } }
`];

function tutti(suite, args, input) {
  return new Promise((resolve) => {
    const child = execFile(join(BIN, 'tutti'), ['--url', suite.url, '--key', suite.key, ...args], { encoding: 'utf8', env: ENV, maxBuffer: 1 << 28 },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
    if (input !== undefined) child.stdin.end(input);
  });
}

// Lines by their runs; `run` and `history` are views that name nothing of the place where they are.
const sorted = (text) => text.trim().split('\n').sort((a, b) => (JSON.parse(a).run.id < JSON.parse(b).run.id ? -1 : 1));

function checksum({ id, row, definition, entries, payloads }) {
  const hash = createHash('sha256');
  const parts = [id, Buffer.from(row, 'base64'), definition, ...entries.map((one) => Buffer.from(one, 'base64')), ...payloads.map((one) => Buffer.from(one, 'base64'))];
  for (const part of parts.map((one) => Buffer.from(one))) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(part.length));
    hash.update(length).update(part);
  }
  return hash.digest('hex');
}

async function makeRuns(suite) {
  for (const flow of FLOWS) await suite.apply(flow);
  for (let n = 0; n < 3; n++) {
    const run = await suite.startRun('parent', { text: `n${n} ä`, n }, { labels: { team: n ? 'red' : 'blue' } });
    await suite.runEnds(run.id);
  }
  await suite.runEnds((await suite.startRun('child', { text: 'own' }, { client_id: 'order-17' })).id);
  const bad = await suite.startRun('bad', { text: 'x' });
  const { jobs } = await suite.api.ok('POST', '/v1/queues/bad/poll', { worker: 'w', wait: '10s' });
  await suite.api.ok('POST', `/v1/jobs/${jobs[0].id}/fail`, { lease_token: jobs[0].lease_token, error: { type: 'https://x.test/bad', status: 422, detail: 'no' } });
  await suite.runEnds(bad.id, 'faulted');
  const erased = await suite.startRun('child', { text: 'secret' });
  await suite.runEnds(erased.id);
  await suite.api.ok('POST', `/v1/runs/${erased.id}/erase`, {});
  return { bad: bad.id, erased: erased.id };
}

scenario('runs are exported and imported', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const made = await makeRuns(suite);
  const open = await suite.startRun('bad', { text: 'open' });
  await suite.api.refused('GET', `/v1/runs/${open.id}/export`, undefined, 409, 'run_not_finished');
  await suite.until('the erased run can be exported', async () => (await suite.api.call('GET', `/v1/runs/${made.erased}/export`)).status === 200);
  const out = await tutti(suite, ['export']);
  assert.equal(out.code, 0, out.stderr);
  const lines = sorted(out.stdout);
  assert.equal(lines.length, 9);
  assert.ok(!out.stdout.includes('secretsecret'));

  await withSuite({}, undefined, async (other) => {
    await other.start(NEEDS);
    await other.ready(NEEDS);

    // A kill in the middle: the command waits and goes on.
    const importing = tutti(other, ['import'], `${lines.join('\n')}\n`);
    await other.scheduler.kill();
    await other.scheduler.start();
    const first = await importing;
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^\d imported, \d here already, 0 refused\n$/);
    const file = join(other.folder, 'runs.jsonl');
    await writeFile(file, `\n${lines.join('\n')}`);
    const again = await tutti(other, ['import', file]);
    assert.equal(again.stdout, '0 imported, 9 here already, 0 refused\n');

    // The same bytes come out again.
    const back = await tutti(other, ['export']);
    assert.deepEqual(sorted(back.stdout), lines);

    // They are runs like others.
    const red = await other.api.ok('GET', '/v1/runs?label=team:red');
    assert.equal(red.items.length, 2);
    const parent = red.items[0].id;
    assert.equal((await other.api.ok('GET', `/v1/runs?parent=${parent}`)).items.length, 1);
    assert.equal((await other.api.ok('GET', '/v1/runs/order-17')).workflow.name, 'child');
    assert.equal((await other.api.ok('GET', '/v1/runs?status=faulted')).items.length, 1);
    await other.api.refused('POST', '/v1/runs', { workflow: 'parent', input: { text: 'a', n: 1 } }, 404, 'not_found'); // starts mean what is registered
    for (const flow of FLOWS) await other.apply(flow);
    const found = await other.startRun('parent', { text: 'other', n: 2 });
    assert.equal(found.input.text, 'n2 ä', 'the key of its workflow finds it');
    await other.api.ok('POST', `/v1/runs/${made.bad}/retry`, {});
    const { jobs } = await other.api.ok('POST', '/v1/queues/bad/poll', { worker: 'w', wait: '10s' });
    await other.api.ok('POST', `/v1/jobs/${jobs[0].id}/complete`, { lease_token: jobs[0].lease_token, output: { ok: 1 } });
    await other.runEnds(made.bad);
    const moved = await tutti(other, ['import'], lines.find((line) => JSON.parse(line).run.id === made.bad));
    assert.equal(moved.code, 1);
    assert.match(moved.stderr, /line 1: [0-9A-Z]{26}: .*another history/);

    // What was changed on the way is refused, line by line, and says what to do.
    const line = JSON.parse(lines[0]);
    const cut = (part) => {
      const kept = { ...line.kept, ...part };
      return JSON.stringify({ ...line, kept: { ...kept, sha256: checksum(kept), ...part } });
    };
    const entry = Buffer.from(line.kept.entries[0], 'base64');
    entry[3] ^= 1; // of the run's id
    const elsewhere = '01M81X5Q6X00G0000000000000';
    const cases = [
      ['{"format": "tutti-run-1", "run": {}, "history": []}', /older `tutti export`/],
      ['{"format": "tutti-run-2"', /no JSON object/],
      [cut({ id: 'x' }), /`kept.id`/],
      [cut({ row: '!' }), /`kept.row` is no base64/],
      [cut({ row: '' }), /another run/],
      [cut({ definition: '{}' }), /imported|here/],
      [cut({ entries: line.kept.entries.slice(1) }), /entry 1 of the journal/],
      [cut({ entries: line.kept.entries.slice(0, -1) }), /had not ended|no entry names/],
      [cut({ entries: [entry.toString('base64'), ...line.kept.entries.slice(1)] }), /belongs to another run/],
      [cut({ sha256: '0'.repeat(64) }), /of another line/],
      [cut({ id: elsewhere }), /number of partitions/],
      [cut({ payloads: [] }), /payload/],
    ];
    for (const [text, expected] of cases) {
      const answer = await other.api.call('POST', '/v1/runs/import', `\n${text}\n`, { headers: { 'content-type': 'application/x-ndjson' } });
      assert.equal(answer.status, 200, answer.text);
      const [result] = answer.body.results;
      assert.equal(result.line, 2);
      if (text === cut({ definition: '{}' })) {
        assert.equal(result.status, 200, 'what is known here is not asked for');
      } else {
        assert.ok([400, 409, 422].includes(result.status), `${result.status} ${text.slice(0, 200)}`);
        assert.match(result.problem.detail, expected);
      }
    }
    assert.equal((await other.api.call('POST', '/v1/runs/import', 'x', { headers: { 'content-type': 'application/json' } })).status, 415);

    const many = await other.api.call('POST', '/v1/runs/import', '{}\n'.repeat(1001), { headers: { 'content-type': 'application/x-ndjson' } });
    assert.equal(many.status, 413, many.text);

    // Erased by a filter; counted first.
    const dry = await tutti(other, ['bulk', 'erase', '--label', 'team:red', '--dry-run']);
    assert.equal(dry.stdout, '2 matched, 2 would be done, 0 would be refused\n');
    assert.equal((await other.api.ok('GET', `/v1/runs/${parent}`)).erased_at, undefined);
    const done = await tutti(other, ['bulk', 'erase', '--label', 'team:red']);
    assert.equal(done.stdout, '2 matched, 2 done, 0 refused\n');
    await other.scheduler.kill();
    await other.scheduler.start();
    await other.until('nothing of them is left', async () => !JSON.stringify(await other.api.patient('GET', `/v1/runs/${parent}/history?page_size=500`)).includes('n1'));
    assert.ok((await other.api.patient('GET', `/v1/runs/${parent}`)).erased_at);

    await other.scheduler.stop();
    const verified = JSON.parse(execFileSync(join(BIN, 'tutti-scheduler'), ['verify', other.config.scheduler.store.path, '--json'], { encoding: 'utf8' }));
    assert.equal(verified.fault_count, 0, JSON.stringify(verified.faults));
    await other.scheduler.start();
  });
});

// 48 bits of time, then 16 of the partition, then 64 more.
function partitionOf(id) {
  const bits = [...id].reduce((sum, digit) => sum * 32n + BigInt('0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(digit)), 0n);
  return Number((bits >> 64n) & 0xffffn);
}

// Each run goes to the process that owns its partition; fewer partitions than there were take only their own.
scenario('runs are imported into several scheduler processes', { needs: ['scheduler-0', 'scheduler-1', 'gateway'], schedulers: 2, checkNeeds: false }, async (suite) => {
  await suite.apply(FLOWS[0]);
  const partitions = new Set();
  for (let n = 0; n < 8; n++) {
    const run = await suite.startRun('child', { text: `t${n}` }, { client_id: `order-${n}` });
    await suite.runEnds(run.id);
    partitions.add(partitionOf(run.id));
  }
  assert.equal(partitions.size, 2, `of both processes: ${[...partitions]}`);
  const out = await tutti(suite, ['export']);
  assert.equal(out.code, 0, out.stderr);
  for (let n = 0; n < 8; n++) await suite.until('it is deleted', async () => (await suite.api.call('DELETE', `/v1/runs/order-${n}`)).status === 204);
  const importing = tutti(suite, ['import'], out.stdout);
  await suite['scheduler-1'].kill();
  await suite['scheduler-1'].start();
  const done = await importing;
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /, 0 refused\n$/);
  assert.deepEqual(sorted((await tutti(suite, ['export'])).stdout), sorted(out.stdout));
  for (let n = 0; n < 8; n++) assert.equal((await suite.api.patient('GET', `/v1/runs/order-${n}`)).input.text, `t${n}`);

  await withSuite({}, undefined, async (one) => {
    await one.start(NEEDS);
    await one.ready(NEEDS);
    const part = await tutti(one, ['import'], out.stdout);
    assert.equal(part.code, 1);
    assert.match(part.stdout, /^[1-7] imported, 0 here already, [1-7] refused\n$/);
    assert.match(part.stderr, /another number of partitions/);
  });
});
