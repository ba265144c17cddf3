// An answer of the wrong shape is asked for again, with what is wrong about it: all asks are paid, in their budgets, and outlive the processes.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const USAGE = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 };
const PRICE = 0.002; // of an answer, in dollars

let onAsk = async () => {};
const says = [];
const asked = [];
const model = await Upstream.start(async (request) => {
  asked.push(JSON.parse(request.body).messages);
  const content = says.shift();
  await onAsk();
  return { body: { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }], usage: USAGE } };
});
after(() => model.stop());

const config = {
  llm: {
    lease: '3s',
    providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1` } },
    prices: { 'test/m': { input: '1', output: '10' } },
  },
};
const SHAPED = `
document: { dsl: '1.0.3', namespace: default, name: shaped, version: '1.0.0' }
do:
  - a:
      call: llm.chat
      with: { model: test/m, prompt: count, max_tokens: 100, schema: { type: object, required: [ n ], properties: { n: { type: integer } } } }
`;

scenario('an answer of the wrong shape is asked for again', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(SHAPED);
  const ask = async (answers, status = 'completed', start = {}) => {
    says.push(...answers);
    asked.length = 0;
    return suite.runEnds((await suite.startRun('shaped', {}, start)).id, status);
  };
  const run = await ask(['no JSON', '{ "n": "many" }', '```json\n{ "n": 7 }\n```']);
  assert.deepEqual([run.status, run.output?.content, run.output?.repairs], ['completed', { n: 7 }, 2], JSON.stringify(run));
  assert.deepEqual([run.usage.input_tokens, run.usage.cost_usd, run.output.usage.input_tokens, run.output.usage.cost_usd], [3000, `${3 * PRICE}`, 3000, `${3 * PRICE}`]);
  assert.deepEqual(asked.map((messages) => messages.map(({ role }) => role)), [['user'], ['user', 'assistant', 'user'], ['user', 'assistant', 'user', 'assistant', 'user']]);
  assert.deepEqual([asked[2][1].content, asked[2][3].content], ['no JSON', '{ "n": "many" }']);
  assert.match(asked[2][4].content, /\/n: must be/);

  const failed = await ask(['1', '2', '3', '{ "n": 1 }'], 'faulted');
  assert.deepEqual([failed.status, failed.error?.type, failed.usage.cost_usd, asked.length], ['faulted', 'https://serverlessworkflow.io/spec/1.0.0/errors/validation', `${3 * PRICE}`, 3], JSON.stringify(failed));
  says.length = 0;

  // The second ask waits for its budget as any call does, and is not made if there is too little.
  const poor = await ask(['1', '2'], 'faulted', { budget: { tokens: 1150 } });
  assert.deepEqual([poor.status, poor.error?.status, poor.usage.cost_usd, asked.length], ['faulted', 402, `${PRICE}`, 1], JSON.stringify(poor));
  says.length = 0;

  // Both processes die in the middle of the second ask: it goes on there, and nothing is paid twice.
  let letGo;
  onAsk = () => (asked.length === 2 ? new Promise((resolve) => { letGo = resolve; }) : undefined);
  asked.length = 0;
  says.push('first', 'never heard', '{ "n": 3 }');
  const { id } = await suite.startRun('shaped');
  await suite.until('the second ask is under way', () => asked.length === 2);
  await suite['llm-proxy'].kill();
  await suite.scheduler.kill();
  letGo();
  await suite.scheduler.start();
  await suite['llm-proxy'].start();
  const survived = await suite.runEnds(id);
  assert.deepEqual([survived.status, survived.output?.content, survived.output?.repairs, survived.usage.cost_usd], ['completed', { n: 3 }, 1, `${2 * PRICE}`], JSON.stringify(survived));
  assert.deepEqual([asked.length, asked[2][1].content], [3, 'first']);
});
