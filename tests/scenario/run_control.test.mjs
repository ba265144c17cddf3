// What is done to runs after their start, with a scheduler that dies in the middle.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];
const define = (name, tasks, version = '1.0.0') => `document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '${version}' }\ndo:\n${tasks}\n`;

scenario('runs are deleted, also by a scheduler that dies meanwhile', { needs: NEEDS }, async (suite) => {
  await suite.apply(define('grow', "  - l: { for: { each: i, in: '${ [range(200)] }' }, do: [ { s: { set: { text: '${ $workflow.input.text + ($i | tostring) }' } } } ] }"));
  await suite.apply(define('sleep', '  - nap: { wait: { hours: 1 } }'));
  const text = 'x'.repeat(2000);
  const runs = [];
  for (let i = 0; i < 20; i++) runs.push(await suite.api.ok('POST', '/v1/runs?wait=30s', { workflow: 'grow', input: { text: text + i }, client_id: `grow-${i}` }));
  const kept = await suite.api.ok('POST', '/v1/runs', { workflow: 'sleep' });

  await suite.api.refused('DELETE', `/v1/runs/${kept.id}`, undefined, 409, 'run_not_finished');
  await Promise.all(runs.map((run) => suite.api.ok('DELETE', `/v1/runs/${run.id}`)));
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.api.patient('GET', `/v1/runs/${kept.id}`);
  for (const run of runs) await suite.api.refused('GET', `/v1/runs/${run.id}`, undefined, 404, 'not_found');
  await suite.api.refused('GET', `/v1/runs/${runs[0].id}/history`, undefined, 404, 'not_found');
  assert.deepEqual((await suite.api.ok('GET', '/v1/runs')).items.map((run) => run.id), [kept.id]);

  const again = await suite.api.ok('POST', '/v1/runs', { workflow: 'sleep', client_id: 'grow-0' });
  assert.equal((await suite.api.call('DELETE', '/v1/runs/grow-0?force=true')).status, 204);
  await suite.api.refused('GET', `/v1/runs/${again.id}`, undefined, 404, 'not_found');
  assert.equal((await suite.api.call('DELETE', `/v1/runs/${kept.id}?force=maybe`)).status, 400);
});
