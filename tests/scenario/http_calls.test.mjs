// Parallel HTTP calls with retries, against a server that fails each of them twice.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: collect, version: '1.0.0' }
use:
  retries:
    quick: { delay: { milliseconds: 20 }, backoff: { constant: {} }, limit: { attempt: { count: 3 } } }
do:
  - pages:
      for: { each: page, in: '\${ $workflow.input.pages }' }
      metadata: { tutti: { parallel: 3 } }
      do:
        - fetch:
            try:
              - get:
                  call: http
                  with: { method: get, endpoint: '\${ "\\($workflow.input.url)/pages/\\($page)" }' }
                  metadata: { tutti: { retry: none } }
            catch:
              as: error
              retry: quick
  - notes:
      for: { each: page, in: '\${ $workflow.input.pages }' }
      metadata: { tutti: { parallel: 8 } }
      do:
        - send:
            call: http
            with: { method: post, endpoint: '\${ "\\($workflow.input.url)/notes/\\($page)" }', body: { page: '\${ $page }' } }
            metadata: { tutti: { retry: quick } }
output: { as: '\${ { pages: ($steps.pages | map(.number)), notes: ($steps.notes | map(.number)) } }' }
`;

const upstream = await Upstream.start(({ path }, count) =>
  count <= 2 ? { status: 503, body: { error: 'try again' } } : { body: { number: Number(path.split('/').at(-1)) } });
after(() => upstream.stop());

scenario('parallel calls are tried again until they succeed', { needs: ['scheduler', 'gateway', 'tool-adapter'], config: { limits: { breaker: { failures: 100 } } } }, async (suite) => {
  const pages = [1, 2, 3, 4, 5, 6, 7, 8];
  upstream.counts.clear();
  upstream.requests.length = 0;
  await suite.apply(WORKFLOW);
  const run = await suite.startRun('collect', { url: upstream.url, pages });
  const ended = await suite.runEnds(run.id);
  assert.deepEqual(ended.output, { pages, notes: pages }, 'in the order of the list');
  for (const page of pages) {
    assert.equal(upstream.count(`/pages/${page}`), 3, 'two failures and a success');
    assert.equal(upstream.count(`/notes/${page}`), 3);
    const keys = upstream.requests.filter(({ path }) => path === `/notes/${page}`).map(({ headers }) => headers['idempotency-key']);
    assert.ok(keys[0] && keys.every((key) => key === keys[0]), 'all attempts of a call carry one key');
  }
});
