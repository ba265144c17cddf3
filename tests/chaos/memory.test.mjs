// Memory is limited: to less than is used, so that the kernel kills; what it kills comes back.
import assert from 'node:assert/strict';
import { chaos } from './support/chaos.mjs';
import { newMemoryGroup, whyNoMemoryGroup } from './support/machine.mjs';

const LIMITS = [64, 48, 32, 24, 20, 16, 12, 10, 8].map((mib) => mib << 20);
const ROUNDS = 3;
const PADDING = 'x'.repeat(400_000);

// The lowest limit that can be set: what is in use and cannot be given back is a limit to the limit.
function limitTightly(group) {
  for (const bytes of LIMITS) {
    try {
      group.limit(bytes);
    } catch (error) {
      if (error.code !== 'EBUSY') throw error;
      return;
    }
  }
}

chaos('the scheduler has too little memory', { skip: whyNoMemoryGroup() }, async (suite, load) => {
  const group = newMemoryGroup();
  let deaths = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      group.limit(-1);
      group.add(suite.scheduler.child.pid);
      await load.progress(3);
      limitTightly(group);
      load.padding = PADDING;
      const from = load.lives;
      await suite.until('the limit is in the way', () => !suite.scheduler.isRunning || load.failure || load.lives > from + 12);
      load.padding = '';
      if (!suite.scheduler.isRunning) {
        assert.equal(await suite.scheduler.exited, 'SIGKILL');
        deaths++;
        await suite.scheduler.start();
      }
      group.limit(-1);
      await load.progress();
    }
    assert.ok(group.hits() > 0, 'the limit was in the way');
    console.log(`# the limit was in the way ${group.hits()} times; ${deaths} times the kernel killed`);
  } finally {
    group.limit(-1);
    await suite.scheduler.kill(); // a group is removed when it is empty
    group.remove();
    await suite.scheduler.start();
  }
});
