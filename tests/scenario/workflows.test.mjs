// Definitions before and beside their runs: findings, notes for other runtimes, the plan, the graph.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: drawn, version: '1.0.0' }
do:
  - first: { set: { a: 1 } }
  - skipped: { if: .a > 1, set: { b: 1 } }
  - each:
      for: { each: n, in: '\${ [ 1, 2 ] }' }
      do: [ { inner: { set: { n: '\${ $n }' } } } ]
  - hold: { wait: { hours: 1 } }
  - last: { set: { c: '\${ $steps.first.a }' } }
`;

scenario('a definition is checked without being registered', { needs: NEEDS }, async (suite) => {
  const validate = (text, query = '') => suite.api.ok('POST', `/v1/workflows/validate${query}`, text, { headers: { 'content-type': 'application/yaml' } });
  const plain = await validate(WORKFLOW);
  assert.equal(plain.valid, true);
  assert.deepEqual(plain.diagnostics, []);
  assert.equal(plain.plan.tasks, 6);
  assert.deepEqual(plain.plan.jobs, []);
  assert.equal(plain.plan.defaults.timeout, 'PT10M');

  const notes = await validate(WORKFLOW, '?portable=true');
  assert.equal(notes.valid, true, 'notes are no errors');
  assert.deepEqual(notes.diagnostics.map(({ code, severity, pointer, line }) => ({ code, severity, pointer, line })),
    [{ code: 'P01', severity: 'note', pointer: '/do/4/last/set/c', line: 10 }]);

  const wrong = await validate(WORKFLOW.replace('wait:', 'delay:'));
  assert.equal(wrong.valid, false);
  assert.equal(wrong.plan, undefined);
  assert.deepEqual(wrong.diagnostics.map(({ code, hint }) => [code, hint]), [['V05', 'did you mean `wait`?']]);
  await suite.api.refused('GET', '/v1/workflows/drawn', undefined, 404, 'not_found');
});

scenario('a workflow and its run as pictures', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(WORKFLOW);
  const path = '/v1/workflows/drawn/graph';
  const run = await suite.startRun('drawn', {});
  await suite.until('it waits', async () => (await suite.api.ok('GET', `/v1/runs/${run.id}`)).status === 'waiting');

  const plain = await suite.api.ok('GET', path);
  assert.deepEqual(plain.nodes.map(({ name }) => name), ['first', 'skipped', 'each', 'inner', 'hold', 'last']);
  assert.ok(plain.nodes.every(({ state }) => state === undefined));
  const states = async () => (await suite.api.ok('GET', `${path}?run=${run.id}&version=1.0.0`)).nodes.map(({ state }) => state);
  assert.deepEqual(await states(), ['completed', 'skipped', 'completed', 'completed', 'waiting', 'none']);

  const svg = await suite.api.call('GET', `${path}?format=svg&run=${run.id}`);
  assert.equal(svg.status, 200, svg.text);
  assert.match(svg.headers.get('content-type'), /^image\/svg\+xml/);
  assert.match(svg.headers.get('content-security-policy'), /default-src 'none'/);
  assert.match(svg.text, /class="task waiting"/);
  const mermaid = await suite.api.call('GET', path, undefined, { headers: { accept: 'text/vnd.mermaid' } });
  assert.match(mermaid.text, /^flowchart TB\n/);
  await suite.api.refused('GET', path, undefined, 406, 'not_acceptable', { headers: { accept: 'image/png' } });
  await suite.api.refused('GET', '/v1/workflows/nothing/graph', undefined, 404, 'not_found');
  await suite.api.refused('GET', `${path}?version=9.9.9`, undefined, 404, 'not_found');
  await suite.api.refused('GET', `${path}?run=${run.id}&version=9.9.9`, undefined, 404, 'not_found');

  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.until('the scheduler is back', async () => (await suite.api.call('GET', path)).status === 200);
  assert.deepEqual(await states(), ['completed', 'skipped', 'completed', 'completed', 'waiting', 'none']);
  // What changes something does not wait for a connection: 503, try again.
  await suite.until('it can be cancelled', async () => (await suite.api.call('POST', `/v1/runs/${run.id}/cancel`, {})).status === 202);
  await suite.until('it is cancelled', async () => (await states())[4] === 'cancelled');
});
