// Starting, finding and ending runs as the contract says, also over a restart of the scheduler.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const define = (name, tasks) => `document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }\ndo:\n${tasks}\n`;
const ECHO = define('echo', "  - back: { set: { got: '${ $workflow.input }' } }");
const SLEEP = define('sleep', '  - nap: { wait: { hours: 1 } }');
const FAIL = define('fail', '  - no: { raise: { error: { type: https://example.com/no, status: 400, title: No } } }');

scenario('a start that is repeated is the same start', { needs: NEEDS }, async (suite) => {
  await suite.apply(ECHO);
  const start = (key, input) => suite.api.call('POST', '/v1/runs', { workflow: 'echo', input }, { headers: { 'idempotency-key': key } });
  const first = await start('one', { n: 1 });
  assert.equal(first.status, 201, first.text);
  assert.equal(first.headers.get('location'), `/v1/runs/${first.body.id}`);
  const again = await start('one', { n: 1 });
  assert.equal(again.body.id, first.body.id);
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  const other = await start('one', { n: 2 });
  assert.equal(other.status, 422);
  assert.equal(other.body.code, 'idempotency_key_reused');

  await suite.scheduler.kill();
  await suite.scheduler.start();
  const later = await suite.until('the answer is remembered', async () => {
    const answer = await start('one', { n: 1 });
    return answer.status < 300 && answer;
  });
  assert.equal(later.body.id, first.body.id);
  assert.equal((await suite.api.ok('GET', '/v1/runs')).items.length, 1);
});

scenario('ids that callers choose', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(SLEEP);
  const start = (on_conflict) => ({ workflow: 'sleep', client_id: 'nightly', on_conflict });
  const run = await suite.api.ok('POST', '/v1/runs', start('reject'));
  await suite.api.refused('POST', '/v1/runs', start('reject'), 409, 'run_id_in_use');
  assert.equal((await suite.api.ok('POST', '/v1/runs', start('return'))).id, run.id);
  assert.equal((await suite.api.ok('GET', '/v1/runs/nightly')).id, run.id);
  await suite.api.refused('POST', '/v1/runs', { workflow: 'sleep', client_id: run.id }, 400, 'invalid_request');

  assert.equal((await suite.api.call('GET', '/v1/runs/nightly/result')).status, 202);
  const cancelled = await suite.api.ok('POST', '/v1/runs/nightly/cancel', { reason: 'enough' });
  assert.equal(cancelled.status, 'cancelled');
  await suite.api.refused('POST', '/v1/runs/nightly/cancel', {}, 409, 'run_finished');
  await suite.api.refused('POST', '/v1/runs/nightly/signals/go', {}, 409, 'run_finished');
  await suite.api.refused('GET', '/v1/runs/nightly/result', undefined, 424, 'run_failed');
});

scenario('results, errors and waiting', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  for (const definition of [ECHO, SLEEP, FAIL]) await suite.apply(definition);
  const run = await suite.api.ok('POST', '/v1/runs?wait=30s', '{"workflow": "echo", "input": {"big": 9007199254740993, "text": "ä€😀"}}');
  assert.equal(run.status, 'completed');
  const result = await suite.api.call('GET', `/v1/runs/${run.id}/result`);
  assert.match(result.text, /9007199254740993/, 'integers are exact');
  assert.equal(result.body.got.text, 'ä€😀');
  const failed = await suite.api.ok('POST', '/v1/runs?wait=30s', { workflow: 'fail' });
  assert.equal(failed.status, 'faulted');
  assert.equal(failed.error.type, 'https://example.com/no');
  await suite.api.refused('GET', `/v1/runs/${failed.id}/result`, undefined, 424, 'run_failed');
  const asleep = await suite.api.ok('POST', '/v1/runs?wait=100ms', { workflow: 'sleep' });
  assert.ok(['running', 'waiting'].includes(asleep.status));
});

scenario('lists come in pages and by filter', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(ECHO);
  await suite.apply(SLEEP);
  const ids = [];
  for (let index = 0; index < 12; index++) {
    const run = await suite.startRun(index % 3 === 0 ? 'sleep' : 'echo', {}, { labels: { team: index % 2 ? 'a' : 'b' } });
    ids.push(run.id);
    if (index % 3) await suite.runEnds(run.id);
  }
  async function all(query) {
    const found = [];
    let token = '';
    do {
      const page = await suite.api.ok('GET', `/v1/runs?page_size=5${query}${token && `&page_token=${encodeURIComponent(token)}`}`);
      assert.ok(page.items.length <= 5);
      found.push(...page.items.map((run) => run.id));
      token = page.next_page_token ?? '';
    } while (token);
    return found;
  }
  assert.deepEqual(await all(''), ids.toReversed(), 'the newest first');
  assert.deepEqual(await all('&order=oldest'), ids);
  assert.deepEqual(await all('&order=oldest&workflow=sleep'), ids.filter((_, index) => index % 3 === 0));
  assert.deepEqual(await all('&order=oldest&status=completed'), ids.filter((_, index) => index % 3));
  assert.deepEqual(await all('&order=oldest&label=team:a'), ids.filter((_, index) => index % 2));
  assert.deepEqual(await all('&status=faulted'), []);
  const first = await suite.api.ok('GET', '/v1/runs?page_size=5');
  await suite.api.refused('GET', `/v1/runs?page_size=5&status=completed&page_token=${encodeURIComponent(first.next_page_token)}`, undefined, 400, 'invalid_page_token');
});
