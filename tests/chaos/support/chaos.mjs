// A scenario in which things go wrong under load, and what must be true afterwards.
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { withSuite } from '../../scenario/support/suite.mjs';
import { Upstream } from '../../scenario/support/upstream.mjs';
import { randomOf } from '../../scenario/support/wait.mjs';
import { emptyOf, faultsOf, tableOf } from './invariants.mjs';
import { Load } from './load.mjs';
import { observe } from './observe.mjs';

export const SEED = Number(process.env.TUTTI_SEED ?? Date.now() % 1_000_000);
const RECORDS = new URL('../../../build/chaos/', import.meta.url).pathname;
const PATIENCE = 120_000;

// With short leases, so that what was lost with a worker is soon done by another.
const CONFIG = {
  scheduler: { partitions: 2 },
  defaults: { job: { heartbeat_timeout: '2s' } },
  tools: { lease: '2s' },
};

function merged(a, b) {
  const both = { ...a };
  for (const [key, value] of Object.entries(b)) both[key] = value && typeof value === 'object' && !Array.isArray(value) ? merged(a[key] ?? {}, value) : value;
  return both;
}

// `torment(suite, load, random)` makes things go wrong and mends them; meanwhile `load` goes on.
// `prepare(suite)` may change how the services are run; `cleanUp()` comes when nothing of them is needed any more. `skip`: why it cannot be played on this machine.
export function chaos(name, { config = {}, skip = false, needs, host, prepare = () => {}, cleanUp = () => {} }, torment) {
  test(name, { timeout: 600_000, skip }, async () => {
    console.log(`# ${name}: seed ${SEED} (TUTTI_SEED)`);
    const random = randomOf(SEED);
    const upstream = await Upstream.start(() => {}, host);
    try {
      await withSuite(merged(CONFIG, config), PATIENCE, async (suite) => {
        try {
          await play(suite, upstream, random, { name, needs, prepare }, torment);
        } finally {
          cleanUp();
        }
      });
    } finally {
      await upstream.stop();
    }
  });
}

async function play(suite, upstream, random, { name, needs = ['scheduler', 'gateway', 'tool-adapter'], prepare }, torment) {
  await prepare(suite);
  await suite.start(needs);
  await suite.ready(needs);
  const load = new Load(suite, upstream, random);
  await load.begin();
  try {
    await torment(suite, load, random);
    await drain(suite, load);
  } finally {
    await load.end();
  }
  await observe(suite, load.record);
  report(name, load.record);
}

// The scheduler ends as an operator ends it, in the middle of the load, and comes back.
async function drain(suite, load) {
  await load.progress();
  const asked = Date.now();
  await suite.scheduler.stop();
  load.record.drains.push({ asked, ended: Date.now() });
  await suite.scheduler.start();
  await load.progress();
}

function report(name, record) {
  mkdirSync(RECORDS, { recursive: true });
  const path = `${RECORDS}${name.replaceAll(/[^a-z0-9]+/gi, '_')}.json`;
  writeFileSync(path, JSON.stringify(record));
  for (const line of tableOf(record)) console.log(`# ${line}`);
  const faults = [...faultsOf(record), ...emptyOf(record).map((empty) => `${empty}: nothing was there to be checked`)];
  if (faults.length > 0) throw new Error(`${faults.length} faults; the history is in ${path}:\n${faults.slice(0, 20).join('\n')}`);
}
