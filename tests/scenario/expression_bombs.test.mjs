// Expressions that would never end, or would eat the memory, are errors of their own runs; all others
// go on meanwhile.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const BOMBS = ['def f: f; f', '[range(infinite)]', '\\"x\\" * 1e9', 'null | .[400000000] = 1', 'last(range(1e12))', '[limit(1e9; repeat(1))]'];
const BOMB = `
document: { dsl: '1.0.3', namespace: default, name: bombs, version: '1.0.0' }
do:
  - route: { switch: [ ${BOMBS.map((_, i) => `{ c${i}: { when: .n == ${i}, then: b${i} } }`).join(', ')} ] }
${BOMBS.map((bomb, i) => `  - b${i}: { set: { x: "\${ ${bomb} }" }, then: end }`).join('\n')}
`;
const QUICK = `
document: { dsl: '1.0.3', namespace: default, name: quick, version: '1.0.0' }
do:
  - count: { for: { in: '[range(20)]' }, do: [ { add: { set: { n: '\${ (.n // 0) + $item }' } } } ] }
`;

scenario('bombs end, everything else goes on', { needs: ['scheduler', 'gateway'], checkNeeds: false }, async (suite) => {
  await suite.apply(BOMB);
  await suite.apply(QUICK);
  const runs = [];
  for (let round = 0; round < 4; round++) {
    const started = BOMBS.flatMap((_, n) => [suite.startRun('bombs', { n }), suite.startRun('quick')]);
    runs.push(...(await Promise.all(started)));
  }
  for (const run of runs) {
    if (run.workflow.name === 'quick') {
      assert.equal((await suite.runEnds(run.id)).output.n, 190);
    } else {
      const { error } = await suite.runEnds(run.id, 'faulted');
      assert.match(error.type, /\/expression$/);
      assert.equal(error.status, 400);
    }
  }
  assert.ok(await suite.scheduler.health('ready'));
});
