// A long conversation is kept once: what a run of an agent keeps grows with its turns, and not with their square.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after } from 'node:test';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy', 'tool-adapter'];
const TURNS = process.env.TUTTI_LONG ? [10, 50, 100] : [10, 50];
const PAGE = 4_096; // characters of what a tool answers, above what stays in an entry

const AGENT = `
document: { dsl: '1.0.3', namespace: default, name: agent, version: '1.0.0' }
do:
  - agent:
      call: agent.run
      with: { model: smart, instructions: Find out., input: '\${ $workflow.input.turns | tostring }', tools: [ { function: http, name: fetch, with: { method: get } } ], maxTurns: 100 }
`;

const markOf = (path) => `[page ${path}]`;
const site = await Upstream.start(({ path }) => ({ body: { text: markOf(path).padEnd(PAGE, path) } }));
const model = await Upstream.start((request) => {
  const { messages } = JSON.parse(request.body);
  const turn = messages.filter((message) => message.role === 'assistant').length;
  const turns = Number(messages.find((message) => message.role === 'user').content);
  const call = { id: `c${turn}`, type: 'function', function: { name: 'fetch', arguments: JSON.stringify({ endpoint: `${site.url}/${turns}/${turn}` }) } };
  const message = { role: 'assistant', ...(turn + 1 < turns ? { content: null, tool_calls: [call] } : { content: 'done' }) };
  return { body: { id: 'x', model: 'm', choices: [{ index: 0, message, finish_reason: message.tool_calls ? 'tool_calls' : 'stop' }], usage: { prompt_tokens: 10, completion_tokens: 5 } } };
});
after(() => Promise.all([site.stop(), model.stop()]));

const config = {
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1`, price: 'free' } },
    routes: { smart: { targets: [{ model: 'test/m' }] } },
  },
};

// What the stopped scheduler keeps of its runs, and all of its rows.
function kept(suite) {
  const folder = suite.config.scheduler.store.path;
  const dumped = execFileSync(join(BIN, 'store_rows'), ['dump', join(folder, 'p0')], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const rows = dumped.trim().split('\n').map((line) => Buffer.from(line.split(' ')[2] ?? '', 'base64').toString('latin1'));
  const [, journal, , payloads, snapshots] = execFileSync(join(BIN, 'journal_size'), [folder], { encoding: 'utf8' }).split(' ').map(Number);
  return { bytes: journal + payloads + snapshots, text: rows.join('\n') };
}

async function keep(suite, turns) {
  const run = await suite.startRun('agent', { turns });
  const ended = await suite.runEnds(run.id);
  assert.equal(ended.output.turns, turns);
  await suite.scheduler.stop();
  const { bytes, text } = kept(suite);
  for (let turn = 0; turn + 1 < turns; turn++) {
    assert.equal(text.split(markOf(`/${turns}/${turn}`)).length - 1, 1, `the answer of turn ${turn} is there once`);
  }
  await suite.scheduler.start();
  await suite.until('the gateway reaches it again', () => suite.api.call('GET', '/v1/queues').then((answer) => answer.status === 200));
  return bytes;
}

scenario('a long conversation is kept once', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(AGENT);
  const sums = [0];
  for (const turns of TURNS) sums.push(await keep(suite, turns));
  const perTurn = TURNS.map((turns, i) => Math.round((sums[i + 1] - sums[i]) / turns));
  console.log(`# bytes kept per turn at ${TURNS.join(', ')} turns: ${perTurn.join(', ')}`);
  for (const bytes of perTurn) assert.ok(bytes < 1.5 * PAGE, `${perTurn} bytes per turn`);
});
