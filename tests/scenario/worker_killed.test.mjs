// A worker that dies in the middle of a job: the job is leased again, and one completion counts.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: slow, version: '1.0.0' }
do:
  - call:
      call: http
      with: { method: post, endpoint: '\${ .url }', body: {} }
      metadata: { tutti: { retry: { limit: { attempt: { count: 2 } } } } }
output: { as: .number }
`;

// The first call of a path is held until the test lets it go.
let release;
const upstream = await Upstream.start(async (_, count) => {
  if (count === 1) await new Promise((resolve) => (release = resolve));
  return { body: { number: count } };
});
after(() => upstream.stop());

const config = { tools: { lease: '1s' } };

scenario('a killed worker loses its job to the next one', { needs: ['scheduler', 'gateway', 'tool-adapter'], config }, async (suite) => {
  upstream.counts.clear();
  await suite.apply(WORKFLOW);
  const run = await suite.startRun('slow', { url: `${upstream.url}/killed` });
  await suite.until('the call is under way', () => upstream.count('/killed') === 1);
  await suite['tool-adapter'].kill();
  await suite['tool-adapter'].start();
  const ended = await suite.runEnds(run.id);
  release();
  assert.equal(ended.output, 2, 'the second call counts');
  assert.equal(upstream.count('/killed'), 2);
  const events = await suite.history(run.id);
  assert.equal(events.filter((event) => event.type === 'task.completed' && event.task === '/do/0/call').length, 1);
});

scenario('a worker that was only cut off for a while completes its job, and it is not done again', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  upstream.counts.clear();
  await suite.apply(WORKFLOW);
  const run = await suite.startRun('slow', { url: `${upstream.url}/cut` });
  await suite.until('the call is under way', () => upstream.count('/cut') === 1);
  await suite.scheduler.kill();
  release();
  await suite.scheduler.start();
  const ended = await suite.runEnds(run.id);
  assert.equal(ended.output, 1, 'the first call counts');
  assert.equal(upstream.count('/cut'), 1, 'and there is no second one');
});
