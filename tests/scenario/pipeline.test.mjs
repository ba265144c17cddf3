// The demo's pipeline: three assistants write in parallel, against a mock provider from npm and
// against the simulated one.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { LLMock } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';

const WORKFLOW = new URL('../../compose/examples/seo-article.yaml', import.meta.url).pathname;
const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const ASSISTANTS = ['plain', 'bold', 'expert'];

const inputOf = (model) => ({
  topic: 'Heat pumps in old houses',
  keywords: ['heat pump', 'insulation'],
  assistants: ASSISTANTS.map((name) => ({ name, model, prompt: `You are the ${name} assistant.` })),
});

const articleOf = (name) => ({
  title: `Heat pumps, the ${name} way`,
  description: `What the ${name} assistant thinks of heat pumps.`,
  body: `The ${name} assistant says: `.padEnd(300, 'heat pumps work in old houses too. '),
});

const mock = new LLMock({ port: 0 });
for (const name of ASSISTANTS) {
  mock.on({ systemMessage: `the ${name} assistant` }, { content: JSON.stringify(articleOf(name)), usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 } });
}
// The address has to stand in the configuration before the suite starts.
await mock.start();
after(() => mock.stop());

const mocked = {
  llm: {
    providers: { mock: { type: 'openai-compatible', base_url: `${mock.url}/v1` } },
    routes: { smart: { targets: [{ model: 'mock/gpt-5-mini' }] } },
    prices: { 'mock/gpt-5-mini': { input: '0.25', output: '2' } },
  },
};

scenario('three articles through a mock provider', { needs: NEEDS, config: mocked }, async (suite) => {
  mock.clearRequests();
  await suite.apply(WORKFLOW);
  const run = await suite.startRun('content/seo-article', inputOf('smart'));
  const ended = await suite.runEnds(run.id);
  assert.deepEqual(ended.output.articles.map((article) => article.title).sort(), ASSISTANTS.map((name) => articleOf(name).title).sort());
  assert.deepEqual(ended.output.failures, []);

  const asked = mock.getRequests();
  assert.equal(asked.length, 3, 'the provider was asked once for each article');
  assert.ok(asked.every((entry) => entry.body.model === 'gpt-5-mini'));
  assert.equal(ended.usage.input_tokens, 300);
  assert.equal(ended.usage.output_tokens, 150);
  assert.equal(Number(ended.usage.cost_usd), (300 * 0.25 + 150 * 2) / 1e6);
  assert.ok(!ended.usage.simulated);
});

scenario('three articles by the simulated provider, labelled as such', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(WORKFLOW);
  const run = await suite.startRun('content/seo-article', inputOf('simulated'));
  const ended = await suite.runEnds(run.id);
  assert.equal(ended.output.articles.length, 3);
  for (const article of ended.output.articles) {
    assert.ok(article.body.length >= 200 && article.title.length <= 70, 'the schema is honoured');
  }
  assert.equal(ended.usage.simulated, true);
  assert.equal(Number(ended.usage.cost_usd), 0);
  assert.equal(await suite['llm-proxy'].metric('tutti_llm_simulated_total'), 3);
});
