// Runs of every kind go on while each of the four services is killed at random moments: parallel
// branches, waits, signals, approvals, LLM calls. Every run ends right, and every signal and
// decision that was acknowledged counts.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALL, scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';
import { randomOf } from './support/wait.mjs';

const ROUNDS = process.env.TUTTI_LONG ? 150 : 25; // each: one run, one kill
const SEED = Number(process.env.TUTTI_SEED ?? Date.now() % 1_000_000);

const head = (name) => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
use:
  retries:
    lease: { delay: { milliseconds: 10 }, limit: { attempt: { count: 50 } } }
do:`;
const get = (path) => `{ call: http, with: { method: get, endpoint: '\${ "\\($workflow.input.url)/${path}" }' }, metadata: { tutti: { retry: lease } } }`;

const MIXED = `${head('mixed')}
  - pages:
      for: { each: page, in: '\${ [range(6)] }' }
      metadata: { tutti: { parallel: 3 } }
      do: [ { page: ${get('page/\\($page)')} } ]
  - both:
      fork:
        branches:
          - web: ${get('web')}
          - nap: { wait: { milliseconds: 300 } }
  - text:
      call: llm.chat:1@default
      with: { model: simulated, prompt: 'Write a line.' }
      metadata: { tutti: { retry: lease } }
      output: { as: '{ simulated }' }
  - hear: { listen: { to: { one: { with: { type: go } } } }, output: { as: '.[0]' } }
  - ask:
      listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '\${ $workflow.id }' } } } } }
      output: { as: '.[0]' }
      metadata: { tutti: { approval: { title: Go on? } } }
output: { as: '{ pages: $steps.pages, text: $steps.text, heard: $steps.hear, comment: $steps.ask.comment }' }
`;

scenario('every service is killed at random moments', {
  needs: ALL, checkNeeds: false, timeout: 900_000,
  config: { tools: { lease: '1s' }, llm: { lease: '1s', providers: { demo: { type: 'simulated', first_event: '50ms', jitter: '100ms' } } } },
}, async (suite) => {
  console.log(`# seed ${SEED} (TUTTI_SEED), ${ROUNDS} rounds`);
  const random = randomOf(SEED);
  const upstream = await Upstream.start(({ path }) => sleep(random() * 30, { body: { path } }));
  const { api } = suite;
  // What changes something carries a key, so that asking again is the same request.
  const post = (path, body, key) => api.patient('POST', path, body, { headers: { 'idempotency-key': key } });

  async function live(index) {
    const run = await post('/v1/runs', { workflow: 'mixed', input: { url: upstream.url } }, `start-${index}`);
    await post(`/v1/runs/${run.id}/signals/go`, { number: index }, `signal-${index}`); // often long before it listens
    const approval = await suite.until('it asks', async () => (await api.patient('GET', `/v1/approvals?status=pending&run=${run.id}`)).items[0]);
    await post(`/v1/approvals/${approval.id}/approve`, { comment: `for ${index}` }, `approve-${index}`);
    const ended = await suite.runEnds(run.id);
    assert.deepEqual(ended.output, {
      pages: Array.from({ length: 6 }, (_, page) => ({ path: `/page/${page}` })),
      text: { simulated: true },
      heard: { number: index },
      comment: `for ${index}`,
    });
    const { items } = await api.patient('GET', `/v1/runs/${run.id}/history?page_size=500`);
    assert.deepEqual(items.map((event) => event.sequence), items.map((_, position) => position + 1), 'numbered without gap');
    assert.equal(items.filter((event) => event.type === 'job.completed').length, 8);
    return run.id;
  }

  try {
    await suite.apply(MIXED);
    const lives = [];
    let failure = null;
    for (let round = 0; round < ROUNDS && !failure; round++) {
      lives.push(live(round).catch((error) => (failure ??= error)));
      await sleep(random() * 400); // the random moment
      const service = suite[ALL[Math.floor(random() * ALL.length)]];
      await service.kill();
      await sleep(random() * 200);
      await service.start();
    }
    const ids = await Promise.all(lives);
    if (failure) throw failure;
    assert.equal(new Set(ids).size, ROUNDS, 'a start that was repeated is the same run');
  } finally {
    await upstream.stop();
  }
});
