// What people have put into a run is erased, in every table, through a kill; what was deleted makes room for what comes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const ANN = 'Ann Example, born 1970-01-01';
const ENV = { PATH: process.env.PATH, LSAN_OPTIONS: `suppressions=${new URL('../support/lsan.supp', import.meta.url).pathname}:print_suppressions=0` };
const STEPS = 60; // more than a snapshot holds

const FLOW = `
document: { dsl: '1.0.3', namespace: default, name: person, version: '1.0.0' }
do:
  - each: { for: { in: '[range(${STEPS})]' }, do: [ { note: { set: { who: '\${ $workflow.input.who }', n: '\${ $item }', long: '\${ $workflow.input.who * 100 }' } } } ] }
  - ask: { listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 } } } }, metadata: { tutti: { approval: { title: '\${ "For " + $workflow.input.who }', payload: '\${ $workflow.input }' } } } }
  - work: { call: worker.do, with: { who: '\${ $workflow.input.who }' }, metadata: { tutti: { queue: people, deadLetter: { queue: lost }, retry: none } } }
`;

// Its runs go as soon as they have ended; what is given up stays.
const PASSING = `
document: { dsl: '1.0.3', namespace: default, name: passing, version: '1.0.0' }
do:
  - work: { call: worker.do, with: { who: '\${ $workflow.input.who * 100 }' }, metadata: { tutti: { queue: fleeting, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 1 } } } } } }
`;
const lettersOf = async (suite) => (await suite.api.patient('GET', '/v1/queues/fleeting/dead-letters')).items;

async function failPassing(suite) {
  await suite.apply(PASSING);
  const runs = [await suite.startRun('passing', { who: ANN }), await suite.startRun('passing', { who: ANN })];
  await suite.until('both are given up', async () => {
    const answer = await suite.api.call('POST', '/v1/queues/fleeting/poll', { worker: 'w', wait: '0s', max: 2 });
    for (const job of answer.body?.jobs ?? []) {
      await suite.api.ok('POST', `/v1/jobs/${job.id}/fail`, { lease_token: job.lease_token, retryable: true, error: { type: 'https://x.test/busy', status: 503, detail: `${ANN} again` } });
    }
    return (await lettersOf(suite)).length === 2;
  });
  return runs.map((run) => run.id);
}

async function eraseLetters(suite, [one, other]) {
  const letters = await suite.until('both runs are gone', async () => {
    const items = await lettersOf(suite);
    return items.every((letter) => letter.run_gone) && items;
  });
  assert.deepEqual(letters.map((letter) => letter.run).sort(), [one, other].sort());
  assert.ok(letters.every((letter) => JSON.stringify(letter).includes(ANN)));
  const answers = (status, method, path) => suite.until(`${method} is ${status}`, async () => (await suite.api.call(method, path)).status === status);
  await answers(404, 'GET', `/v1/runs/${one}`);
  await answers(204, 'POST', `/v1/runs/${one}/erase`);
  assert.deepEqual((await lettersOf(suite)).map((letter) => letter.run), [other]);
  await answers(204, 'DELETE', `/v1/runs/${other}`);
  assert.deepEqual(await lettersOf(suite), []);
  await answers(404, 'POST', `/v1/runs/${one}/erase`);
  await answers(404, 'DELETE', `/v1/runs/${other}`);
}

// All bytes of all rows, as they are kept.
function rowsOf(suite) {
  const text = execFileSync(join(BIN, 'store_rows'), ['dump', join(suite.config.scheduler.store.path, 'p0')], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return text.trim().split('\n').map((line) => {
    const [table, key, value = ''] = line.split(' ');
    return { table, text: Buffer.from(key, 'hex').toString('latin1') + Buffer.from(value, 'base64').toString('latin1') };
  });
}

const naming = (rows) => [...new Set(rows.filter((row) => row.text.includes('Ann Example')).map((row) => row.table))];

const RETENTION = { retention: { rules: [{ workflow: 'passing', keep: '1ms' }] } };
scenario('a run is erased', { needs: NEEDS, checkNeeds: false, config: RETENTION }, async (suite) => {
  await suite.apply(FLOW);
  const run = await suite.startRun('person', { who: ANN }, { labels: { subject: 'a-17' } });
  await suite.api.refused('POST', `/v1/runs/${run.id}/erase`, {}, 409, 'run_not_finished');
  const approval = await suite.until('it asks', async () => (await suite.api.ok('GET', '/v1/approvals?status=pending')).items[0]);
  // Answers with a key are kept for a day, and show what is known of her: of the run, of an approval. Variables are in the journal, a long one in a payload.
  const keyed = [
    ['POST', `/v1/runs/${run.id}/pause`, { reason: 'lunch' }, 'run_erased'],
    ['POST', `/v1/runs/${run.id}/resume`, {}, 'run_erased'],
    ['PUT', `/v1/runs/${run.id}/variables/short`, { value: `${ANN}!` }, 'run_finished'], // takes no key
    ['PUT', `/v1/runs/${run.id}/variables/long`, { value: ANN.repeat(100) }, 'run_finished'],
    ['POST', `/v1/approvals/${approval.id}/approve`, { comment: `${ANN} may` }, 'not_found'],
  ];
  const ask = ([method, path, body], i) => suite.api.call(method, path, body, { headers: { 'idempotency-key': `ann-${i}` } });
  for (const [i, one] of keyed.entries()) {
    const answer = await ask(one, i);
    assert.ok(answer.status < 300, `${one[1]}: ${answer.text}`);
  }
  const { jobs } = await suite.api.ok('POST', '/v1/queues/people/poll', { worker: 'w', wait: '10s' });
  await suite.api.ok('POST', `/v1/jobs/${jobs[0].id}/fail`, { lease_token: jobs[0].lease_token, error: { type: 'https://x.test/bad', status: 422, detail: `${ANN} is unknown` } });
  await suite.runEnds(run.id, 'faulted');
  const before = await suite.history(run.id);
  assert.ok(JSON.stringify(before).includes(ANN));
  await suite.api.refused('POST', '/v1/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/erase', {}, 404, 'not_found');

  // Kept before, by whoever must.
  const exported = execFileSync(join(BIN, 'tutti'), ['--url', suite.url, '--key', suite.key, 'export', '--label', 'subject:a-17'], { encoding: 'utf8', env: ENV });
  const lines = exported.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((line) => [line.format, line.run.id, line.run.input]), [['tutti-run-2', run.id, { who: ANN }]]);
  assert.deepEqual(lines[0].history, before);
  assert.equal(execFileSync(join(BIN, 'tutti'), ['--url', suite.url, '--key', suite.key, 'export', '--status', 'completed'], { encoding: 'utf8', env: ENV }), '');

  const erased = await suite.api.patient('POST', `/v1/runs/${run.id}/erase`, {});
  assert.ok(erased.erased_at);
  const passing = await failPassing(suite);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await eraseLetters(suite, passing); // retention has looked as it started

  // How it went is there, what it was about is not.
  const history = await suite.until('nothing names her', async () => {
    const answer = await suite.api.patient('GET', `/v1/runs/${run.id}/history?page_size=500`);
    return !JSON.stringify(answer).includes('Ann') && answer.items;
  });
  assert.deepEqual(history.map((event) => [event.sequence, event.type, event.task]), before.map((event) => [event.sequence, event.type, event.task]));
  const seen = await suite.api.patient('GET', `/v1/runs/${run.id}`);
  assert.equal(seen.status, 'faulted');
  assert.equal(seen.erased_at, erased.erased_at);
  assert.deepEqual(seen.labels, { subject: 'a-17' });
  assert.deepEqual(seen.input, { who: '' });
  assert.equal(seen.error.type, 'https://x.test/bad');
  assert.equal(seen.error.status, 422);
  assert.ok(!JSON.stringify(seen).includes('Ann'));
  assert.equal((await suite.api.ok('POST', `/v1/runs/${run.id}/erase`, {})).erased_at, erased.erased_at, 'again is nothing');

  // It is over for good, and says why.
  for (const [path, body] of [['retry', {}], ['compensate', {}], ['reset', { to_sequence: 3 }], ['restart', {}]]) {
    const refusal = await suite.api.refused('POST', `/v1/runs/${run.id}/${path}`, body, 409, 'run_erased');
    assert.match(refusal.detail, /erased/);
  }

  for (const [i, one] of keyed.entries()) {
    const again = await ask(one, i);
    assert.equal(again.body.code, one[3], again.text);
  }

  await suite.scheduler.stop();
  assert.deepEqual(naming(rowsOf(suite)), []);
  const verified = JSON.parse(execFileSync(join(BIN, 'tutti-scheduler'), ['verify', suite.config.scheduler.store.path, '--json'], { encoding: 'utf8' }));
  assert.equal(verified.fault_count, 0, JSON.stringify(verified.faults));
  await suite.scheduler.start();
  await suite.until('it is deleted', async () => (await suite.api.call('DELETE', `/v1/runs/${run.id}`)).status === 204);
});

const WAITING = `
document: { dsl: '1.0.3', namespace: default, name: waiting, version: '1.0.0' }
do:
  - note: { set: { who: '\${ $workflow.input.who * 50 }' } }
  - more: { if: '\${ $workflow.input.waits == true }', listen: { to: { one: { with: { type: test.go } } } } }
`;

const tutti = (suite, ...words) => execFileSync(join(BIN, 'tutti'), ['--url', suite.url, '--key', suite.key, ...words], { encoding: 'utf8', env: ENV });

// Four runs that a backup has with all they hold: one that ended before, one that ended later, one that was deleted as well, another person's.
async function fillBackup(suite) {
  await suite.apply(WAITING);
  const labels = { subject: 'ann' };
  const start = async (waits, more) => (await suite.startRun('waiting', { who: ANN, waits }, more)).id;
  const runs = { ended: await start(false, { labels }), open: await start(true, { labels }), deleted: await start(false), other: (await suite.startRun('waiting', { who: 'Bob' })).id };
  for (const name of ['ended', 'deleted', 'other']) await suite.runEnds(runs[name]);
  runs.line = tutti(suite, 'export', '--label', 'subject=ann');
  tutti(suite, 'backup', 'create', 'before');
  await suite.api.ok('POST', `/v1/runs/${runs.open}/signals/test.go`, {});
  await suite.runEnds(runs.open);
  return runs;
}

async function restoreBackup(suite) {
  const data = suite.config.scheduler.store.path;
  await suite.scheduler.kill();
  await rename(data, `${data}.lost`);
  const restored = JSON.parse(tutti(suite, '--json', 'backup', 'restore', join(suite.folder, 'backups', 'before'), '--to', data));
  await suite.scheduler.start();
  await suite.scheduler.ready();
  return restored;
}

scenario('what was erased stays erased when an older backup is restored', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const runs = await fillBackup(suite);
  assert.match(tutti(suite, 'erase', '--label', 'subject=ann', '--dry-run'), /^2 matched, 2 would be done, 0 would be refused/);
  assert.match(tutti(suite, 'erase', '--label', 'subject=ann'), /^2 matched, 2 done, 0 refused/);
  tutti(suite, 'erase', runs.deleted);
  tutti(suite, 'delete', runs.deleted);
  const list = join(suite.folder, 'backups', 'erasures.p0');
  await suite.until('the list beside the backups has all', async () => (await readFile(list, 'utf8')).includes(`${runs.deleted} `) && / deleted /.test(await readFile(list, 'utf8')));
  assert.ok(!(await readFile(list, 'utf8')).includes('Ann'));

  const restored = await restoreBackup(suite);
  assert.equal(restored.erasures_again, 4);
  assert.equal(restored.partitions_without_erasures, 0);
  const seen = (id) => suite.api.patient('GET', `/v1/runs/${id}`);
  for (const id of [runs.ended, runs.open]) {
    const run = await suite.until('it is erased again', async () => (await seen(id)).erased_at && seen(id));
    assert.ok(!JSON.stringify(run).includes('Ann'));
  }
  assert.equal((await seen(runs.ended)).status, 'completed');
  assert.equal((await seen(runs.open)).status, 'terminated', 'it was not over in the backup');
  await suite.until('it is deleted again', async () => (await suite.api.call('GET', `/v1/runs/${runs.deleted}`)).status === 404);
  assert.equal((await seen(runs.other)).input.who, 'Bob');

  // Nor does a line of before bring it back, also when the run has gone.
  const importing = async () => (await suite.api.call('POST', '/v1/runs/import', runs.line, { headers: { 'content-type': 'application/x-ndjson' } })).text;
  assert.match(await importing(), /run_id_in_use/);
  tutti(suite, 'delete', runs.ended);
  assert.match(await suite.until('its rows are gone', async () => { const text = await importing(); return !text.includes('unavailable') && text; }), /run_erased/);

  await suite.scheduler.stop();
  assert.deepEqual(naming(rowsOf(suite)), []);
  const verified = JSON.parse(execFileSync(join(BIN, 'tutti-scheduler'), ['verify', suite.config.scheduler.store.path, '--json'], { encoding: 'utf8' }));
  assert.equal(verified.fault_count, 0, JSON.stringify(verified.faults));
});

// The same work again and again, deleted each time: the file grows by what one round takes, and by what may wait for a checkpoint.
const ROUNDS = 16;
const WAITING_MAX = 8 << 20; // bytes of freed pages: common/store/lmdb_checkpoint.c
scenario('room of deleted runs is used again', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: bulky, version: '1.0.0' }
do:
  - a: { set: { text: '\${ $workflow.input.text * 20 }' } }
`);
  const file = join(suite.config.scheduler.store.path, 'p0', 'data.mdb');
  const sizes = [];
  const kept = new Set();
  for (let round = 0; round < ROUNDS; round++) {
    const ids = [];
    for (let n = 0; n < 15; n++) ids.push((await suite.startRun('bulky', { text: `${round}-${n} `.repeat(500) })).id);
    for (const id of ids) await suite.runEnds(id);
    for (const id of ids) assert.equal((await suite.api.call('DELETE', `/v1/runs/${id}`)).status, 204);
    kept.add(ids[0]);
    sizes.push((await stat(file)).size);
  }
  assert.equal(kept.size, ROUNDS);
  assert.ok(sizes[0] > 1 << 19, `a round is more than noise: ${sizes}`);
  const [last] = sizes.slice(-1);
  assert.ok(last < 2 * sizes[1] + WAITING_MAX, `all rounds take the room of four and of what waits: ${sizes}`);
  assert.ok(last < (ROUNDS / 2) * sizes[0], `and that is much less than all: ${sizes}`);
});
