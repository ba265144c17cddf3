// What is in a run: its tasks, its variables, which an operator may set; and versions of workflows that nobody needs any more.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];

const flow = (version, more = '') => `
document: { dsl: '1.0.3', namespace: default, name: flow, version: '${version}' }
do:
  - first: { set: { n: 1 }, export: { as: '{ rate: 5, who: "ann" }' } }
  - none: { if: '.n > 1', set: { n: 2 } }
  - job: { call: worker.do, with: { rate: '\${ $context.rate }' }, metadata: { tutti: { queue: jobs, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 2 } } } } } }
  - hear: { listen: { to: { one: { with: { type: go } } } }, output: { as: '{ rate: $context.rate }' } }
${more}`;

async function take(suite) {
  return suite.until('there is a job', async () => {
    const answer = await suite.api.call('POST', '/v1/queues/jobs/poll', { worker: 'test', wait: '1s', max: 1 });
    return answer.status === 200 && answer.body.jobs[0];
  });
}

scenario('tasks and variables of a run', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(flow('1.0.0'));
  const run = await suite.startRun('flow', {});
  const first = await take(suite);
  assert.deepEqual(first.input, { rate: 5 });
  await suite.api.ok('POST', `/v1/jobs/${first.id}/fail`, { lease_token: first.lease_token, error: { type: 'urn:busy', status: 503, title: 'Busy' }, retryable: true });
  const second = await take(suite);
  let { items } = await suite.api.ok('GET', `/v1/runs/${run.id}/tasks`);
  assert.deepEqual(items.map((one) => [one.task, one.state, one.attempts]), [
    ['/do/0/first', 'completed', 1], ['/do/1/none', 'skipped', 0], ['/do/2/job', 'queued', 2],
  ]);
  assert.deepEqual(items[0].output, { n: 1 });
  assert.deepEqual(items[2].input, { n: 1 });
  assert.equal(items[2].error.type, 'urn:busy');
  assert.equal(items[2].job, first.id);

  const { body, headers } = await suite.api.call('GET', `/v1/runs/${run.id}/variables`);
  assert.deepEqual(body.variables, { rate: 5, who: 'ann' });
  const tag = headers.get('etag');
  const put = (name, value, options) => suite.api.call('PUT', `/v1/runs/${run.id}/variables/${name}`, { value }, options);
  const set = await put('rate', 7, { headers: { 'if-match': tag } });
  assert.equal(set.status, 200, set.text);
  assert.deepEqual(set.body.variables, { rate: 7, who: 'ann' });
  assert.equal((await put('rate', 9, { headers: { 'if-match': tag } })).status, 412);
  assert.equal((await put('1x', 9)).body.code, 'variables_invalid');
  await suite.killScheduler();
  assert.deepEqual((await suite.api.ok('GET', `/v1/runs/${run.id}/variables`)).variables, { rate: 7, who: 'ann' });
  await suite.api.ok('POST', `/v1/jobs/${second.id}/complete`, { lease_token: second.lease_token, output: { done: true } });
  await suite.api.ok('POST', `/v1/runs/${run.id}/signals/go`, {});
  assert.deepEqual((await suite.runEnds(run.id)).output, { rate: 7 });

  const pages = [];
  let token = '';
  do {
    const page = await suite.api.ok('GET', `/v1/runs/${run.id}/tasks?page_size=3${token && `&page_token=${token}`}`);
    pages.push(page.items.map((one) => one.task));
    token = page.next_page_token ?? '';
  } while (token);
  assert.deepEqual(pages, [['/do/0/first', '/do/1/none', '/do/2/job'], ['/do/3/hear']]);
  ({ items } = await suite.api.ok('GET', `/v1/runs/${run.id}/tasks?task=${encodeURIComponent('/do/2/job')}`));
  assert.deepEqual(items.map((one) => [one.state, one.attempts, one.output]), [['completed', 2, { done: true }]]);
  assert.ok(items[0].ended_at >= items[0].started_at);
  await suite.api.refused('GET', `/v1/runs/${run.id}/variables`, undefined, 409, 'run_finished');
  assert.equal((await put('rate', 9)).body.code, 'run_finished');
  await suite.api.refused('GET', '/v1/runs/nobody/tasks', undefined, 404, 'not_found');
  await suite.api.refused('GET', `/v1/runs/${run.id}/tasks?page_token=x`, undefined, 400, 'invalid_page_token');
});

scenario('a version goes when nobody needs it', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(flow('1.0.0'));
  await suite.apply(flow('1.1.0'));
  const version = (number) => `/v1/workflows/flow/versions/${number}`;
  const run = await suite.startRun('flow:1.1.0', {});
  const refused = await suite.api.refused('DELETE', version('1.1.0'), undefined, 409, 'in_use');
  assert.match(refused.detail, new RegExp(run.id));
  await suite.api.ok('POST', '/v1/schedules', { id: 'daily', workflow: 'flow:1.0.0', every: '24h', input: {} });
  await suite.api.refused('DELETE', version('1.0.0'), undefined, 409, 'in_use');
  await suite.api.ok('DELETE', '/v1/schedules/daily');
  await suite.api.ok('POST', `/v1/runs/${run.id}/cancel`, {});
  await suite.runEnds(run.id, 'cancelled');
  assert.equal((await suite.api.call('DELETE', version('1.1.0'))).status, 204);
  await suite.api.refused('DELETE', version('1.1.0'), undefined, 404, 'not_found');
  await suite.killScheduler();
  await suite.api.refused('POST', '/v1/runs', { workflow: 'flow:1.1.0' }, 404, 'not_found');
  const older = await suite.startRun('flow', {});
  assert.equal(older.workflow.version, '1.0.0');
  assert.equal((await suite.api.ok('GET', `/v1/runs/${run.id}`)).workflow.version, '1.1.0'); // what has ended is still there
  assert.equal((await suite.api.ok('GET', '/v1/workflows/flow/versions')).items.length, 1);
});
