// GET /v1/usage says what the histories of runs say, to the last digit, also when the scheduler dies between reports.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const RUNS = 24;
const MODELS = ['test/dear', 'test/cheap', 'test/nobody-knows', 'simulated'];

// What is used is different in every answer, and costs fractions of a nano-dollar.
let asked = 0;
const model = await Upstream.start(() => {
  asked += 1;
  return { body: { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }], usage: { prompt_tokens: 1000 + asked * 7, completion_tokens: asked, prompt_tokens_details: { cached_tokens: asked * 3 } } } };
});
after(() => model.stop());

const config = {
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1` } },
    prices: { 'test/dear': { input: '2.500001', output: '15.123457', cache_read: '0.250003' }, 'test/cheap': { input: '0.0333', output: '0.1' } },
  },
};
const TALK = `
document: { dsl: '1.0.3', namespace: default, name: talk, version: '1.0.0' }
do:
  - first: { call: llm.chat, with: { model: '\${ $workflow.input.model }', prompt: a } }
  - second: { call: llm.chat, with: { model: '\${ $workflow.input.model }', prompt: b } }
`;

const nanos = (text) => {
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
};

// What the journal says: usage of each event that has some.
async function journal(suite, runs) {
  const sums = new Map();
  const add = (value, usage) => {
    const sum = sums.get(value) ?? { input: 0, output: 0, cost: 0n };
    sum.input += usage.input_tokens;
    sum.output += usage.output_tokens;
    sum.cost += usage.cost_usd === null ? 0n : nanos(usage.cost_usd);
    sums.set(value, sum);
  };
  for (const { id, labels } of runs) {
    for (const event of await suite.history(id)) {
      if (!event.data?.usage) continue;
      add('total', event.data.usage);
      add(labels.team, event.data.usage);
    }
  }
  return sums;
}

const shown = (item) => ({ input: item.input_tokens, output: item.output_tokens, cost: nanos(item.cost_usd) });

scenario('usage is what the histories say, over the death of the scheduler', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(TALK);
  const runs = [];
  for (let i = 0; i < RUNS; i++) {
    const labels = { team: i % 3 ? 'blue' : 'red', n: `${i}` };
    const headers = { 'idempotency-key': `run-${i}` };
    runs.push({ id: (await suite.api.patient('POST', '/v1/runs', { workflow: 'talk', input: { model: MODELS[i % MODELS.length] }, labels }, { headers })).id, labels });
    if (i === RUNS / 2) {
      await suite.scheduler.kill();
      await suite.scheduler.start();
    }
  }
  for (const { id } of runs) await suite.runEnds(id);
  const said = await journal(suite, runs);
  const ask = (by) => suite.api.ok('GET', `/v1/usage?group_by=${by}`);
  const byModel = await ask('model');
  assert.ok(said.get('total').cost > 0n);
  assert.deepEqual(shown(byModel.total), said.get('total'));
  assert.equal(byModel.total.calls, 2 * RUNS);
  assert.equal(byModel.total.unpriced_calls, RUNS / 2);
  assert.equal(byModel.total.simulated_calls, RUNS / 2);
  assert.deepEqual(byModel.items.map((item) => item.value), ['demo/simulated', 'test/cheap', 'test/dear', 'test/nobody-knows']);
  for (const by of ['day', 'key', 'workflow', 'provider']) assert.deepEqual((await ask(by)).total, byModel.total, by);
  assert.deepEqual((await ask('key')).items.map((item) => item.value), [suite.key.split('_')[1]]);
  assert.deepEqual((await ask('workflow')).items.map((item) => item.value), ['default/talk']);
  const teams = await ask('label:team');
  assert.deepEqual(teams.items.map((item) => [item.value, shown(item)]), ['blue', 'red'].map((team) => [team, said.get(team)]));
  assert.deepEqual((await ask('label:tea')).items, []);

  // It outlives the runs, is nobody else's, and knows what it was asked.
  await suite.api.ok('DELETE', `/v1/runs/${runs[0].id}`);
  assert.deepEqual((await ask('model')).total, byModel.total);
  assert.equal((await suite.api.ok('GET', '/v1/usage', undefined, { headers: { 'tutti-namespace': 'other' } })).total.calls, 0);
  assert.equal((await suite.api.ok('GET', '/v1/usage?from=2026-01-01&to=2026-01-02')).total.calls, 0);
  for (const query of ['group_by=moon', 'group_by=label:', 'from=soon', 'from=2026-02-01&to=2026-01-01', 'from=2020-01-01']) {
    await suite.api.refused('GET', `/v1/usage?${query}`, undefined, 400, 'invalid_request');
  }
});
