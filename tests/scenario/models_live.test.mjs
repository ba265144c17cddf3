// What a model says in a job of a workflow shows in the events of the run while it is said: to who follows from the beginning, and to who
// comes in the middle; the result has all of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after } from 'node:test';
import { PacedModel } from './support/paced_model.mjs';
import { BIN } from './support/service.mjs';
import { EventStream } from './support/sse.mjs';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];

const model = await PacedModel.start();
after(() => model.stop());

const config = model.config({ job_output: true });
const ASKS = `
document: { dsl: '1.0.3', namespace: default, name: asks, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { model: paced, prompt: hi } }
  - said: { set: { said: "\${ .content }" } }
`;
const said = (stream) => stream.events.filter(({ event }) => event === 'job.output');
const text = (stream) => said(stream).reduce((whole, { data }) => whole.slice(0, data.offset) + data.text, '');

// `tutti logs RUN --follow`, in the words of it.
function follow(suite, run, ...flags) {
  const child = spawn(join(BIN, 'tutti'), ['logs', run.id, '--follow', ...flags], { env: { PATH: process.env.PATH, HOME: suite.folder, TUTTI_URL: suite.url, TUTTI_KEY: suite.key } });
  const said = { text: '' };
  child.stdout.on('data', (chunk) => (said.text += chunk));
  said.over = new Promise((resolve) => child.once('close', resolve));
  return said;
}

scenario('tokens of a job are events of its run', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(ASKS);
  const run = await suite.startRun('asks');
  const first = new EventStream(suite, `/v1/runs/${run.id}/events`);
  const filtered = new EventStream(suite, `/v1/runs/${run.id}/events?types=task`);
  const over = [first.connect(), filtered.connect()];
  await suite.until('the model is asked', () => model.open === 1);
  assert.equal(model.asked[0].stream, true);
  model.say('one');
  await suite.until('it is heard', () => text(first) === 'one');
  model.say(' "two"\n');
  await suite.until('the next one, too', () => text(first) === 'one "two"\n');
  const late = new EventStream(suite, `/v1/runs/${run.id}/events?types=output`);
  over.push(late.connect());
  await suite.until('who comes later hears it from the beginning', () => text(late) === 'one "two"\n');
  const [people, programs] = [follow(suite, run), follow(suite, run, '--json')];
  await suite.until('the command line follows', () => people.text.includes('job.scheduled') && programs.text.includes('"offset"'));
  model.say(' thrée');
  await suite.until('and goes on', () => text(late) === 'one "two"\n thrée' && text(first) === text(late));
  model.end();
  const ended = await suite.runEnds(run.id);
  assert.deepEqual(ended.output, { said: 'one "two"\n thrée' });
  assert.equal(ended.usage.cost_usd, '0.000075');
  assert.deepEqual(await Promise.all(over), ['end', 'end', 'end']);
  assert.deepEqual(await Promise.all([people.over, programs.over]), [0, 0]);
  assert.match(programs.text, /thrée/);
  for (const line of people.text.trim().split('\n')) assert.match(line, /^ *[1-9]\d*  \d\d:\d\d:/, people.text); // events of the history alone
  assert.equal(said(filtered).length, 0);
  assert.ok(late.events.every(({ event }) => ['job.output', 'end'].includes(event)));
  const [event] = said(first);
  assert.match(event.id, /^\d+~[^:]+:3$/);
  assert.deepEqual([event.data.task, event.data.attempt, event.data.offset, event.data.text], ['/do/0/ask', 1, 0, 'one']);
  assert.equal(first.events.filter(({ event: type }) => type === 'gap').length, 0);

  // The id of a piece is a place among the events: who comes back with it misses none.
  const again = new EventStream(suite, `/v1/runs/${run.id}/events`);
  again.lastId = said(first).at(-1).id;
  assert.equal(await again.connect(), 'end');
  const later = (stream) => stream.events.filter(({ id }) => id && !id.includes('~')).map(({ id }) => id);
  assert.deepEqual(later(again), later(first).filter((id) => Number(id) > Number(again.events[0].id) - 1));
  assert.equal(model.asked.length, 1);
});

scenario('who follows hears an attempt that begins anew from its beginning', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(ASKS);
  const asked = model.asked.length;
  const run = await suite.startRun('asks');
  const stream = new EventStream(suite, `/v1/runs/${run.id}/events`);
  const over = stream.connect();
  await suite.until('the model is asked', () => model.asked.length === asked + 1 && model.open === 1);
  model.say('half of it');
  await suite.until('it is heard', () => text(stream) === 'half of it');
  // A client's stream at the same time, and a call that has no answer yet: both end, though the llm-proxy is back at once.
  const call = (more) => fetch(`${suite.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'paced', messages: [{ role: 'user', content: 'hi' }], ...more }) });
  const half = call({ stream: true });
  await suite.until('a client asks', () => model.open === 2);
  model.say('half');
  const heard = await half;
  const mute = call({});
  await suite.until('another one does', () => model.open === 3);
  await suite['llm-proxy'].kill();
  await suite.until('its call is gone', () => model.open === 0);
  await suite['llm-proxy'].start();
  assert.match(await heard.text(), /half[^]*"error"/);
  assert.equal((await mute).status, 503);
  await suite.until('the model is asked again', () => model.asked.length === asked + 4 && model.open === 1);
  model.say('all');
  await suite.until('the second answer takes the place of the first', () => text(stream) === 'all');
  model.say(' of it');
  model.end();
  const { output } = await suite.runEnds(run.id);
  assert.deepEqual(output, { said: 'all of it' });
  assert.equal(await over, 'end');
  assert.equal(text(stream), 'all of it');
  const pieces = said(stream).map(({ data }) => [data.offset, data.text]);
  assert.deepEqual(pieces.filter(([offset]) => offset === 0).map(([, first]) => first), ['half of it', 'all'], 'it says where an attempt begins');
});
