// A job of a workflow whose answer was bought is not bought again: not when the llm-proxy dies before the scheduler has heard of it, and not
// when the scheduler dies. The model counts what it is asked. Leases last an hour here: what a dead proxy held goes on when the next one starts,
// not when they are over.
import assert from 'node:assert/strict';
import { after, beforeEach } from 'node:test';
import { PacedModel } from './support/paced_model.mjs';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];

const model = await PacedModel.start();
after(() => model.stop());
beforeEach(() => { model.asked = []; });

const config = model.config({ lease: '1h' });
const ASKS = `
document: { dsl: '1.0.3', namespace: default, name: asks, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { model: paced, prompt: hi } }
  - cost: { set: { said: "\${ .content }" } }
`;
const COST = '0.000075'; // 5 tokens at $1 and 7 at $10 a million

async function answerIsKept(suite) {
  await suite.until('it is kept', async () => (await suite['llm-proxy'].lines()).some((line) => line.includes('llm.answer_kept')));
}

scenario('a job is paid once over the death of its proxy and of the scheduler', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(ASKS);
  const run = await suite.startRun('asks');
  await suite.until('the model is asked', () => model.open === 1);

  // The answer comes while the scheduler is away; the proxy dies with it, and so does the next one before it could say so.
  await suite.scheduler.kill();
  model.end('bought');
  await answerIsKept(suite);
  const asked = model.asked.length;
  for (let deaths = 0; deaths < 2; deaths++) {
    await suite['llm-proxy'].kill();
    await suite['llm-proxy'].start();
  }
  await suite.scheduler.start();
  const ended = await suite.runEnds(run.id);
  assert.deepEqual(ended.output, { said: 'bought' });
  assert.equal(ended.usage.cost_usd, COST);
  assert.equal(model.asked.length, asked, 'nobody asks again');
  assert.ok((await suite['llm-proxy'].lines()).some((line) => line.includes('llm.answer_found')));

  // A call that is under way when its proxy dies is made again; that is no attempt of its own, of which this task has one.
  const other = await suite.startRun('asks');
  await suite.until('the model is asked', () => model.open === 1);
  await suite['llm-proxy'].kill();
  await suite.until('its call is cut', () => model.open === 0);
  await suite['llm-proxy'].start();
  await suite.until('the model is asked again', () => model.open === 1);
  model.end('again');
  const second = await suite.runEnds(other.id);
  assert.deepEqual([second.output, second.usage.cost_usd, model.asked.length], [{ said: 'again' }, COST, asked + 2]);
  const completed = (await suite.history(other.id)).filter((event) => event.type === 'task.completed' && event.task === '/do/0/ask');
  assert.equal(completed.length, 1);
});
