// Data that an earlier release has written (tests/upgrade/format-1*.rows) is opened by this one, and its runs go on; data of a newer
// format is refused.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const ROWS = new URL('../upgrade/format-1.rows', import.meta.url).pathname;
const AGENT_ROWS = new URL('../upgrade/format-1-agent.rows', import.meta.url).pathname;
const NEEDS = ['scheduler', 'gateway'];

// The model of the agent that talks: it is asked once more, and is satisfied.
const asked = [];
const model = await Upstream.start((request) => {
  asked.push(JSON.parse(request.body).messages);
  const message = { role: 'assistant', content: 'done' };
  return { body: { id: 'x', model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }], usage: { prompt_tokens: 10, completion_tokens: 5 } } };
});
after(() => model.stop());
const config = { llm: { providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1`, price: 'free' } }, routes: { smart: { targets: [{ model: 'test/m' }] } } } };

const rows = (...words) => execFileSync(join(BIN, 'store_rows'), words, { encoding: 'utf8', maxBuffer: 1 << 24 });

// Puts the earlier data in the place of the suite's; the suite's first key is added at the start.
async function loadEarlier(suite, file = ROWS) {
  const data = suite.config.scheduler.store.path;
  await suite.scheduler.stop();
  await rm(data, { recursive: true, force: true });
  await mkdir(data);
  rows('load', file, join(data, 'p0'));
  return data;
}

// What an earlier release, which knows of no log, reads first in what is on the disk.
async function formatWithoutLog(data) {
  const copy = join(dirname(data), 'without-log');
  await mkdir(copy);
  await copyFile(join(data, 'p0', 'data.mdb'), join(copy, 'data.mdb'));
  const [, value] = rows('dump', copy).match(/^meta 666f726d6174 (\S+)$/m);
  await rm(copy, { recursive: true });
  return Buffer.from(value, 'base64').readUInt32BE();
}

async function runsByClientId(suite) {
  const { items } = await suite.api.patient('GET', '/v1/runs?page_size=100');
  return Object.fromEntries(items.map((run) => [run.client_id, run]));
}

scenario('data of format 1 is opened, and its runs go on', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const data = await loadEarlier(suite);
  await suite.scheduler.start();
  const runs = await runsByClientId(suite);
  assert.deepEqual(Object.keys(runs).sort(), ['asks', 'done', 'job', 'waits']);

  // What had ended is shown as it was.
  const done = await suite.api.ok('GET', `/v1/runs/${runs.done.id}`);
  assert.equal(done.status, 'completed');
  assert.equal(done.output.sum, 6);
  assert.equal(done.output.text, 'long '.repeat(400));
  assert.deepEqual(done.labels, { made: 'before' });
  const history = await suite.history(runs.done.id);
  assert.equal(history[0].type, 'run.started');
  assert.equal(history.at(-1).type, 'run.completed');
  assert.deepEqual(history.map((event) => event.sequence), history.map((_, i) => i + 1));

  // What was under way goes on: an event, a job in a queue with settings, an approval.
  await suite.api.ok('POST', `/v1/runs/${runs.waits.id}/signals/go`, { n: 7 });
  assert.deepEqual((await suite.runEnds(runs.waits.id)).output, { heard: 7 });
  assert.equal((await suite.api.ok('GET', '/v1/queues/old')).concurrency, 3);
  const { jobs } = await suite.api.ok('POST', '/v1/queues/old/poll', { worker: 'w', wait: '10s' });
  assert.deepEqual(jobs[0].input, { n: 21 });
  await suite.api.ok('POST', `/v1/jobs/${jobs[0].id}/complete`, { lease_token: jobs[0].lease_token, output: { n: 42 } });
  assert.deepEqual((await suite.runEnds(runs.job.id)).output, { n: 42 });
  const approvals = await suite.api.ok('GET', '/v1/approvals?status=pending');
  assert.equal(approvals.items[0].title, 'Shall it?');
  await suite.api.ok('POST', `/v1/approvals/${approvals.items[0].id}/approve`, {});
  assert.equal((await suite.runEnds(runs.asks.id)).output[0].approved, true);

  // Its definitions and client ids are known.
  assert.equal((await suite.startRun('done', {}, { client_id: 'done', on_conflict: 'return' })).id, runs.done.id);
  await suite.runEnds((await suite.startRun('done', {})).id);

  // While there is a log, an earlier release, which does not know it, sees a format that it refuses.
  await suite.scheduler.kill();
  assert.equal(await formatWithoutLog(data), 2);
  await suite.scheduler.start();
  assert.equal((await suite.api.patient('GET', `/v1/runs/${runs.asks.id}`)).status, 'completed');

  // Stopped in order it sees its own, and all of it fits together.
  await suite.scheduler.stop();
  assert.equal(await formatWithoutLog(data), 1);
  const verified = JSON.parse(execFileSync(join(BIN, 'tutti-scheduler'), ['verify', data, '--json'], { encoding: 'utf8' }));
  assert.equal(verified.fault_count, 0, JSON.stringify(verified.faults));
  assert.equal(verified.runs, 5);
});

// An agent in its ninth turn, whose history and snapshot hold the messages themselves: what it goes on with is the same conversation.
scenario('an agent of an earlier release goes on', { needs: [...NEEDS, 'llm-proxy'], config, checkNeeds: false }, async (suite) => {
  await loadEarlier(suite, AGENT_ROWS);
  await suite.scheduler.start();
  const [run] = Object.values(await runsByClientId(suite));
  const before = await suite.history(run.id);
  const [approval] = (await suite.api.ok('GET', '/v1/approvals?status=pending')).items;
  await suite.api.ok('POST', `/v1/approvals/${approval.id}/approve`, {});
  const { jobs } = await suite.api.ok('POST', '/v1/queues/default/poll', { worker: 'w', wait: '10s' });
  assert.deepEqual(jobs[0].input, { q: 8 });
  await suite.api.ok('POST', `/v1/jobs/${jobs[0].id}/complete`, { lease_token: jobs[0].lease_token, output: { asked: 8 } });
  const { output } = await suite.runEnds(run.id);
  assert.equal(output.content, 'done');
  assert.deepEqual(output.tool_calls.map((call) => [call.name, call.arguments.q]), [...Array(9).keys()].map((turn) => [turn < 8 ? 'find' : 'ask', turn]));

  assert.equal(asked.length, 1);
  const told = asked[0].filter((message) => message.role === 'tool').map((message) => [message.tool_call_id, JSON.parse(message.content)]);
  const found = (turn) => (turn === 2 ? { page: 'long '.repeat(400) } : { [turn < 8 ? 'found' : 'asked']: turn });
  assert.deepEqual(told, [...Array(9).keys()].map((turn) => [`c${turn}`, found(turn)]));
  const said = asked[0].filter((message) => message.role === 'assistant').map((message) => message.content);
  assert.deepEqual(said, [...Array(9).keys()].map((turn) => `I ${turn < 8 ? 'find' : 'ask'} ${turn}`));

  // What had happened is shown as it was, and what happens now looks the same.
  const history = await suite.history(run.id);
  assert.deepEqual(history.slice(0, before.length), before);
  const turns = history.filter((event) => event.type === 'agent.turn').slice(1);
  assert.deepEqual(turns.map((event) => event.data.results.messages[0].tool_call_id), [...Array(9).keys()].map((turn) => `c${turn}`));
  assert.deepEqual(turns.at(-1).data.results, { messages: [{ role: 'tool', tool_call_id: 'c8', content: '{"asked":8}' }], log: [{ name: 'ask', arguments: { q: 8 } }] });
});

scenario('data of a newer format is refused', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const data = await loadEarlier(suite);
  rows('format', join(data, 'p0'), '3');
  const before = rows('dump', join(data, 'p0'));
  const refused = spawnSync(join(BIN, 'tutti-scheduler'), ['--config', suite.scheduler.config, '--set', 'scheduler.admin.port=0'], { encoding: 'utf8', timeout: 60_000 });
  assert.ok(refused.status > 0, `it ended with ${refused.status}`);
  assert.match(refused.stderr + refused.stdout, /the data has format 3, this release reads 2: use the release that wrote it/);
  assert.equal(rows('dump', join(data, 'p0')), before, 'nothing was changed');
});
