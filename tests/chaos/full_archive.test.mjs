// The disk of the archive is full, and later there is room again; also across a kill. Everything goes on meanwhile, the status and
// the metrics say it, and nothing that was committed while it was full is missing from what is restored.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BIN } from '../scenario/support/service.mjs';
import { chaos } from './support/chaos.mjs';
import { mountDisk, resizeDisk, unmountDisk, whyNoMount } from './support/machine.mjs';

const DISK = 64 << 20;
const ROUNDS = 3;
const ENV = { PATH: process.env.PATH, LSAN_OPTIONS: `suppressions=${new URL('../support/lsan.supp', import.meta.url).pathname}:print_suppressions=0` };

// Takes all the room there is: the last byte, too.
function fill(folder) {
  const path = join(folder, 'filler');
  const file = openSync(path, 'w');
  for (let size = 1 << 20; size > 0; size >>= 1) {
    try {
      while (writeSync(file, Buffer.alloc(size, 1)) === size);
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
    }
  }
  closeSync(file);
  return () => unlinkSync(path);
}

let archive;
const prepare = (suite) => {
  mountDisk((archive = join(suite.folder, 'archive')), DISK);
  suite.scheduler.more.push('--set', `scheduler.archive.path=${archive}`);
};
const cleanUp = () => unmountDisk(archive);
const config = { scheduler: { archive: { interval: '200ms', segment_size: '64KiB' } } };

const state = async (suite) => {
  const seen = await suite.api.patient('GET', '/v1/system/status');
  return { ...seen.components.scheduler.archives[0], whole: seen.status };
};

chaos('the disk of the archive is full, and has room again', { skip: whyNoMount(), config, prepare, cleanUp }, async (suite, load) => {
  await load.progress(10);
  await suite.api.ok('POST', '/v1/system/backups', { name: 'base' });
  await suite.until('the backup is over', async () => (await suite.api.ok('GET', '/v1/system/backups/base')).status === 'completed');
  for (let round = 0; round < ROUNDS; round++) {
    const before = (await suite.scheduler.lines()).length;
    const free = fill(archive);
    await suite.until('the archive fails', async () => load.failure || (await suite.scheduler.metric('tutti_archive_failing')) === 1);
    assert.equal((await state(suite)).whole, 'degraded');
    assert.ok((await suite.scheduler.lines()).slice(before).some((line) => line.includes('archive.failed')));
    await load.progress(15); // served all the while
    if (round === 1) {
      await suite.scheduler.kill();
      await suite.scheduler.start();
      await suite.until('it still fails', async () => load.failure || (await suite.scheduler.metric('tutti_archive_failing').catch(() => 0)) === 1);
      await load.progress();
    }
    assert.ok((await suite.scheduler.metric('tutti_archive_waiting_bytes')) > 0, 'what waits is counted');
    const at = new Date().toISOString();
    if (round === 2) resizeDisk(archive, 2 * DISK);
    else free();
    await suite.until('the archive has what was committed meanwhile', async () => load.failure || (await state(suite)).covered_until > at);
    assert.equal(await suite.scheduler.metric('tutti_archive_failing'), 0);
    assert.equal(await suite.scheduler.metric('tutti_archive_given_up'), 0);
    if (round === 2) free();
  }
  await load.progress();

  // What was archived before, while and after it was full fits together.
  const target = join(suite.folder, 'restored');
  const words = ['--json', 'backup', 'restore', join(suite.folder, 'backups', 'base'), '--to', target, '--archive', archive];
  const restored = JSON.parse(execFileSync(join(BIN, 'tutti'), words, { encoding: 'utf8', env: ENV }));
  assert.equal(restored.fault_count, 0);
  assert.ok(restored.replayed_commits > 0);
});
