// A client follows a run's events while the gateway dies: it comes back with Last-Event-ID and
// sees every event once.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { EventStream } from './support/sse.mjs';
import { Upstream } from './support/upstream.mjs';
import { steps } from './support/workflows.mjs';

const STEPS = 12;
let gate = () => {};
const upstream = await Upstream.start(() => gate());
after(() => upstream.stop());

function checkStream(stream, history) {
  const seen = stream.events.filter((event) => /^(run|task|job)\./.test(event.event));
  assert.deepEqual(seen.map((event) => Number(event.id)), history.map((event) => event.sequence), 'no gap, no repeat');
  assert.deepEqual(seen.map((event) => event.event), history.map((event) => event.type));
  assert.equal(stream.events.at(-1).event, 'end');
}

scenario('a follower sees every event once, over deaths of the gateway', { needs: ['scheduler', 'gateway', 'tool-adapter'] }, async (suite) => {
  const waiting = [];
  gate = () => new Promise((resolve) => waiting.push(() => resolve({})));
  await suite.apply(steps(STEPS));
  const run = await suite.startRun('steps', { url: upstream.url, key: 'k' });
  const stream = new EventStream(suite, `/v1/runs/${run.id}/events`);
  const end = follow(suite, stream);
  end.catch(() => {}); // it is looked at below, if the test gets there
  let deaths = 0;
  for (let step = 0; step < STEPS; step++) {
    await suite.until(`step ${step} is under way`, () => waiting.length === 1);
    const isDeath = step % 4 === 1;
    if (isDeath) {
      await suite.until('the stream is open', () => stream.connections === deaths + 1);
      await suite.gateway.kill();
      deaths++;
    }
    waiting.shift()(); // so something happens while nobody can look
    if (isDeath) await suite.gateway.start();
  }
  await suite.runEnds(run.id);
  assert.equal(await end, 'end');
  assert.equal(stream.connections, deaths + 1);
  checkStream(stream, await suite.history(run.id));

  const again = new EventStream(suite, `/v1/runs/${run.id}/events`);
  again.lastId = stream.lastId;
  assert.equal(await again.connect(), 'end', 'nothing is left to send');
  assert.equal(again.events.length, 0);
});

// Connects until the end: a lost connection is made again, with the last id.
async function follow(suite, stream) {
  return suite.until('the stream ends', async () => (await stream.connect()) === 'end' && 'end');
}

scenario('a follower of a run that has ended gets all of it', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false }, async (suite) => {
  gate = () => ({});
  await suite.apply(steps(3));
  const run = await suite.startRun('steps', { url: upstream.url, key: 'e' });
  await suite.runEnds(run.id);
  const stream = new EventStream(suite, `/v1/runs/${run.id}/events`);
  assert.equal(await stream.connect(), 'end');
  checkStream(stream, await suite.history(run.id));
});
