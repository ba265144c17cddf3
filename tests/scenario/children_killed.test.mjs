// The scheduler is killed again and again while parents start children and children end: every
// parent gets the outputs of all of its children, and there is exactly one run per child.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario } from './support/suite.mjs';
import { randomOf } from './support/wait.mjs';

const PARENTS = process.env.TUTTI_LONG ? 200 : 24;
const KILLS = process.env.TUTTI_LONG ? 100 : 12;
const CHILDREN = 5;
const SEED = Number(process.env.TUTTI_SEED ?? Date.now() % 1_000_000);

const CHILD = `
document: { dsl: '1.0.3', namespace: default, name: leaf, version: '1.0.0' }
do:
  - pause: { wait: { milliseconds: 40 } }
  - square: { set: '\${ .n * .n }' }
`;

// Sleeps while its children work, and leaves one behind that it does not wait for.
const PARENT = `
document: { dsl: '1.0.3', namespace: default, name: trunk, version: '1.0.0' }
do:
  - squares:
      for: { each: n, in: '[range(${CHILDREN})]' }
      metadata: { tutti: { parallel: ${CHILDREN} } }
      do:
        - leaf: { run: { workflow: { namespace: default, name: leaf, version: latest, input: { n: '\${ $n }' } } } }
  - alone: { run: { workflow: { namespace: default, name: leaf, version: latest, input: { n: 7 } }, await: false } }
  - sum: { set: { sum: '\${ add }' } }
`;

scenario('parents and children over kills of the scheduler', { needs: ['scheduler', 'gateway'], config: { scheduler: { partitions: 3 } }, timeout: 300_000 }, async (suite) => {
  console.log(`# seed ${SEED} (TUTTI_SEED), ${PARENTS} parents, ${KILLS} kills`);
  const random = randomOf(SEED);
  await suite.apply(CHILD);
  await suite.apply(PARENT);
  const parents = [];
  for (let kill = 0; kill < KILLS; kill++) {
    for (let i = 0; i < PARENTS / KILLS; i++) {
      const body = { workflow: 'trunk', client_id: `trunk-${parents.length}`, on_conflict: 'return' };
      parents.push(await suite.api.patient('POST', '/v1/runs', body));
    }
    await sleep(random() * 120); // the random moment
    await suite.scheduler.kill();
    await suite.scheduler.start();
  }
  const sum = Array.from({ length: CHILDREN }, (_, n) => n * n).reduce((a, b) => a + b, 0);
  for (const { id } of parents) {
    const run = await suite.runEnds(id);
    assert.equal(run.status, 'completed', JSON.stringify(run.error));
    assert.deepEqual(run.output, { sum });
  }
  for (const { id } of parents) {
    const list = await suite.api.ok('GET', `/v1/runs?parent=${id}&page_size=500`);
    const page = list.items;
    let token = list.next_page_token;
    while (token) {
      const more = await suite.api.ok('GET', `/v1/runs?parent=${id}&page_size=500&page_token=${encodeURIComponent(token)}`);
      page.push(...more.items);
      token = more.next_page_token;
    }
    assert.equal(page.filter((child) => child.parent.task === '/do/0/squares/do/0/leaf').length, CHILDREN);
    assert.equal(page.filter((child) => child.parent.task === '/do/1/alone').length, 1);
    for (const child of page) {
      const ended = await suite.runEnds(child.id);
      assert.equal(ended.status, 'completed');
    }
  }
});
