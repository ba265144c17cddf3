// The disk fails under the scheduler: at the n-th write, sync or growing of its files, once or for good.
// It stops acknowledging, says why, and ends with 74; a full disk it may survive. Nothing that was
// acknowledged is lost.
import assert from 'node:assert/strict';
import { chaos } from './support/chaos.mjs';
import { failingFromTheStart, injectInto, killWithChildren, whyNoStrace } from './support/machine.mjs';

const CALLS = ['fdatasync', 'pwrite64', 'fdatasync', 'pwrite64', 'pwritev', 'fdatasync', 'pwrite64', 'ftruncate'];
const NTH_MAX = 20;
const LIVES_WITHOUT = 12; // so many runs later the call was never made
const STORE_FAILED_EXIT = 74;
// Under a tracer a process cannot look for leaks.
const prepare = (suite) => (suite.scheduler.env = { ASAN_OPTIONS: 'detect_leaks=0' });

const saidIn = (lines, event) => lines.some((line) => line.includes(`"event":"${event}"`) || line.includes(event));

// One failure; resolves to what it led to.
async function fail(suite, load, { call, error, nth, isLasting }) {
  const before = (await suite.scheduler.lines()).length;
  const from = load.lives;
  const letGo = await injectInto(suite.scheduler.child.pid, call, error, nth, isLasting);
  const said = async () => (await suite.scheduler.lines()).slice(before);
  // A call that the store never makes cannot fail: then the load simply goes on.
  await suite.until(`${call} ${error} ${nth} shows`, async () =>
    !suite.scheduler.isRunning || saidIn(await said(), 'store.full') || load.failure ||
      load.lives > from + LIVES_WITHOUT);
  if (suite.scheduler.isRunning) {
    await letGo();
    // What is full now may be what it needs to go on: it lives when more runs start than were on their way.
    const left = load.lives;
    await suite.until(`after ${call} ${error} ${nth} it goes on or ends`, async () => !suite.scheduler.isRunning || load.failure || load.lives > left + LIVES_WITHOUT);
    if (suite.scheduler.isRunning) return saidIn(await said(), 'store.full') ? 'full' : 'nothing';
  }
  const end = await suite.scheduler.exited;
  assert.equal(end, STORE_FAILED_EXIT, `after ${call} ${error}`);
  assert.ok(saidIn(await said(), 'store.failed'), 'it says why');
  await suite.scheduler.start();
  return 'ended';
}

for (const error of ['EIO', 'ENOSPC']) {
  chaos(`the disk answers ${error}`, { skip: whyNoStrace(), prepare }, async (suite, load, random) => {
    const seen = {};
    for (const call of CALLS) {
      const plan = { call, error, nth: 1 + Math.floor(random() * NTH_MAX), isLasting: random() < 0.5 };
      const outcome = await fail(suite, load, plan);
      (seen[`${plan.call} ${outcome}`] ??= 0, seen[`${plan.call} ${outcome}`]++);
      await load.progress();
    }
    for (const call of ['fdatasync', 'pwrite64', 'ftruncate']) {
      await suite.scheduler.kill();
      suite.scheduler.wrap = failingFromTheStart(call, error);
      const end = await suite.scheduler.start().then(() => 'served', (cause) => cause.message);
      suite.scheduler.wrap = [];
      (seen[`${call} at the start: ${end}`] ??= 0, seen[`${call} at the start: ${end}`]++);
      if (suite.scheduler.isRunning) {
        killWithChildren(suite.scheduler.child.pid);
        await suite.scheduler.exited;
      }
      await suite.scheduler.start();
    }
    console.log(`# ${error}: ${JSON.stringify(seen)}`);
    if (error === 'EIO') assert.ok(seen['fdatasync ended'] > 0, 'a failed sync ends the scheduler');
    assert.ok(Object.keys(seen).some((key) => key.startsWith('pwrite64') && !key.endsWith('nothing')), 'a failed write is noticed');
  });
}
