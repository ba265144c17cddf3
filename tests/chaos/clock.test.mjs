// The wall clock of the scheduler jumps forth and back, also while it is stopped and while it is away.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { chaos } from './support/chaos.mjs';

const MINUTE = 60_000_000;
const JUMPS = [5, -10, 60, -180, 600, -1, 0]; // minutes from the true time; less than a day, which answers are kept
const folder = mkdtempSync(join(tmpdir(), 'tutti-clock-'));
after(() => rmSync(folder, { recursive: true }));
const [shim, clock] = [join(folder, 'shim.so'), join(folder, 'clock')];
execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, new URL('support/clock_shim.c', import.meta.url).pathname]);

function setClock(minutes) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(minutes * MINUTE));
  writeFileSync(clock, bytes, { flag: 'r+' }); // in place: it is mapped
}

function prepare(suite) {
  writeFileSync(clock, Buffer.alloc(8));
  suite.scheduler.env = { LD_PRELOAD: shim, TUTTI_CLOCK: clock, ASAN_OPTIONS: 'verify_asan_link_order=0' };
}

chaos('the wall clock jumps', { prepare }, async (suite, load, random) => {
  load.record.clockWasSet = true;
  for (const minutes of JUMPS) {
    const how = Math.floor(random() * 3);
    if (how === 1) suite.scheduler.child.kill('SIGSTOP');
    if (how === 2) await suite.scheduler.kill();
    setClock(minutes);
    if (how === 1) suite.scheduler.child.kill('SIGCONT');
    if (how === 2) await suite.scheduler.start();
    await load.progress();
  }
});
