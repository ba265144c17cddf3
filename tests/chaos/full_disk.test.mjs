// The disk of the data is full, and later there is room again. The scheduler refuses what is new, keeps
// what it has, and goes on by itself.
import assert from 'node:assert/strict';
import { closeSync, openSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { chaos } from './support/chaos.mjs';
import { mountDisk, resizeDisk, unmountDisk, whyNoMount } from './support/machine.mjs';

const DISK = 64 << 20;
const LEFT = 64 << 10;
const ROUNDS = 3;

const room = (folder) => {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
};

// Takes the room of a disk, but for LEFT bytes.
function fill(folder) {
  const path = join(folder, 'filler');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(16 << 10, 1);
  while (room(folder) > LEFT) writeSync(file, block);
  closeSync(file);
  return () => unlinkSync(path);
}

let folder;
const prepare = (suite) => mountDisk((folder = suite.config.scheduler.store.path), DISK);

const cleanUp = () => unmountDisk(folder);

chaos('the disk is full, and has room again', { skip: whyNoMount(), prepare, cleanUp }, async (suite, load) => {
  await load.progress(20);
  for (let round = 0; round < ROUNDS; round++) {
    const before = (await suite.scheduler.lines()).length;
    const free = fill(folder);
    await suite.until('the store is full', async () => load.failure || (await suite.scheduler.lines()).slice(before).some((line) => line.includes('store.full')));
    assert.ok(suite.scheduler.isRunning, 'it lives on');
    await suite.api.ok('GET', '/v1/runs?page_size=10'); // reading needs no room
    if (round % 2) {
      await suite.scheduler.kill(); // also without room it opens what it has
      await suite.scheduler.start();
    }
    free();
    await load.progress();
  }
  resizeDisk(folder, 2 * DISK);
  await load.progress();
});
