// Events start runs while the scheduler is killed again and again: each event is in one run.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario } from './support/suite.mjs';
import { randomOf } from './support/wait.mjs';

const ORDERS = 60;
const KILLS = 8;
const SEED = Number(process.env.TUTTI_SEED ?? Date.now() % 1_000_000);

const EACH = `
document: { dsl: '1.0.3', namespace: default, name: each, version: '1.0.0' }
schedule: { on: { one: { with: { type: com.example.paid } } } }
do: [ { got: { set: '\${ $workflow.input | map(.order) }' } } ]
`;
const PAIR = `
document: { dsl: '1.0.3', namespace: default, name: pair, version: '1.0.0' }
schedule:
  on:
    all:
      - { with: { type: com.example.paid }, correlate: { order: { from: .data.order } } }
      - { with: { type: com.example.packed }, correlate: { order: { from: .data.order } } }
do: [ { got: { set: '\${ $workflow.input | map(.order) }' } } ]
`;

const event = (type, order) => ({ specversion: '1.0', id: `${type}-${order}`, source: '/shop', type: `com.example.${type}`, data: { order } });
const headers = { 'tutti-namespace': 'default', 'content-type': 'application/cloudevents+json' };

async function runsOf(suite, workflow) {
  const page = await suite.api.patient('GET', `/v1/runs?workflow=${workflow}&page_size=500`);
  return page.items;
}

async function outputs(suite, workflow) {
  await suite.until(`${ORDERS} runs of ${workflow}`, async () => (await runsOf(suite, workflow)).length >= ORDERS);
  const found = [];
  for (const { id } of await runsOf(suite, workflow)) found.push((await suite.runEnds(id)).output);
  return found.sort((a, b) => a[0] - b[0]);
}

scenario('each event is in one run, whatever is killed', { needs: ['scheduler', 'gateway'], timeout: 300_000 }, async (suite) => {
  console.log(`# seed ${SEED} (TUTTI_SEED)`);
  const random = randomOf(SEED);
  await suite.apply(EACH);
  await suite.apply(PAIR);
  let isOver = false;

  // A sender that is not answered sends again; that is a duplicate if it had arrived.
  async function send(type) {
    for (let order = 0; order < ORDERS; order++) {
      await suite.api.patient('POST', '/v1/events', event(type, order), { headers });
      await sleep(random() * 40);
    }
  }
  async function kill() {
    for (let kills = 0; kills < KILLS && !isOver; kills++) {
      await sleep(random() * 400); // the random moment
      await suite.scheduler.kill();
      await suite.scheduler.start();
    }
  }
  try {
    await Promise.all([send('paid'), send('packed'), kill()]);
  } finally {
    isOver = true;
  }
  const orders = Array.from({ length: ORDERS }, (_, order) => order);
  assert.deepEqual(await outputs(suite, 'each'), orders.map((order) => [order]));
  assert.deepEqual(await outputs(suite, 'pair'), orders.map((order) => [order, order]));
  for (const name of ['each', 'pair']) {
    const { schedule } = await suite.api.patient('GET', `/v1/workflows/${name}`, undefined, { headers: { 'tutti-namespace': 'default' } });
    assert.equal(schedule.kind, 'on');
    assert.equal(schedule.events_held, 0);
    assert.equal(schedule.next_at, undefined);
    assert.ok(schedule.last_at);
  }
});
