// The scheduler is killed again and again at random moments while runs are under way: every run
// ends right, nothing acknowledged is lost, and no completed job is done again. The upstream is the
// witness: it sees a request of step k+1 only after the completion of step k was committed, so a
// request of step k after that is a completed job that was executed again.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';
import { randomOf } from './support/wait.mjs';
import { Witness } from './support/witness.mjs';

const RUNS = process.env.TUTTI_LONG ? 1000 : 200;
const KILLS = process.env.TUTTI_LONG ? 250 : 50;
const STEPS = 3;
const CALLERS = 6;
const SEED = Number(process.env.TUTTI_SEED ?? Date.now() % 1_000_000);

// No call is tried again by the workflow: what the deaths of the scheduler cost is not its business.
const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: chaos, version: '1.0.0' }
do:
${Array.from({ length: STEPS }, (_, step) => `  - step${step}:
      call: http
      with: { method: post, endpoint: '\${ "\\($workflow.input.url)/\\($workflow.input.key)/${step}" }', body: { step: ${step} } }`).join('\n')}
output: { as: '\${ $workflow.input.key }' }
`;

scenario('the scheduler is killed at random moments', { needs: ['scheduler', 'gateway', 'tool-adapter'], config: { tools: { lease: '3s' } }, timeout: 900_000 }, async (suite) => {
  console.log(`# seed ${SEED} (TUTTI_SEED), ${RUNS} runs, ${KILLS} kills`);
  const random = randomOf(SEED);
  const witness = new Witness();
  const upstream = await Upstream.start(({ path, headers }) => {
    witness.see(path, headers['idempotency-key']);
    return sleep(random() * 30, {});
  });
  try {
    await suite.apply(WORKFLOW);
    let started = 0;
    let kills = 0;
    let isOver = false; // somebody failed: the others stop
    const acknowledged = [];
    const from = Date.now();

    // Callers start runs no faster than the kills go on, so that there is always work in between.
    async function call() {
      while (started < RUNS && !isOver) {
        if (started > (kills + 1) * (RUNS / KILLS)) {
          await suite.until('the next kill', () => started <= (kills + 1) * (RUNS / KILLS) || started >= RUNS || isOver);
          continue;
        }
        const key = `run-${started++}`;
        const body = { workflow: 'chaos', client_id: key, on_conflict: 'return', input: { url: upstream.url, key } };
        const run = await suite.api.patient('POST', '/v1/runs', body);
        acknowledged.push({ id: run.id, key });
      }
    }

    async function kill() {
      while (kills < KILLS && !isOver) {
        await sleep(random() * 500); // the random moment
        await suite.scheduler.kill();
        kills++;
        await suite.scheduler.start();
      }
    }

    const workers = [kill, ...Array(CALLERS).fill(call)].map((work) => work().catch((error) => {
      isOver = true;
      throw error;
    }));
    const results = await Promise.allSettled(workers);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) throw failure.reason;
    assert.equal(acknowledged.length, RUNS);
    for (const { id, key } of acknowledged) {
      const run = await suite.runEnds(id);
      assert.equal(run.output, key);
      assert.equal(run.client_id, key);
      witness.runs.get(key).hasEnded = true;
    }
    for (const { id } of acknowledged) {
      const events = await suite.api.patient('GET', `/v1/runs/${id}/history?page_size=500`);
      assert.deepEqual(events.items.map((event) => event.sequence), events.items.map((_, index) => index + 1), 'numbered without gap');
      assert.equal(events.items.filter((event) => event.type === 'job.completed').length, STEPS);
      assert.equal(events.items.at(-1).type, 'run.completed');
    }
    const ms = Date.now() - from;
    console.log(`# ${kills} kills in ${ms} ms; ${witness.requests} requests for ${RUNS * STEPS} jobs`);
    assert.deepEqual(witness.executedAgain, [], 'completed jobs are not executed again');
    assert.deepEqual(witness.otherKeys, [], 'all attempts of a job carry one key');
  } finally {
    await upstream.stop();
  }
});
