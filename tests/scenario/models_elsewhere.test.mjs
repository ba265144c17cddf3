// Several llm-proxies: what one of them has bought is not bought by another one, also when the buyer is away for a moment; and what a model
// wants back of a conversation is there, whoever has heard it. Each has a gateway of its own here, so that it is known who is asked.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { Api } from './support/api.mjs';
import { PacedModel } from './support/paced_model.mjs';
import { Service } from './support/service.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const model = await PacedModel.start();

// Gemini signs its call, and wants that back.
const SIGNATURE = 'c2lnbmVk';
const signed = { functionCall: { name: 'news', args: {}, id: 'g1' }, thoughtSignature: SIGNATURE };
const gemini = await Upstream.start(({ body: text }) => {
  const said = JSON.parse(text).contents.filter(({ role }) => role === 'model');
  const parts = said.length === 0 ? [signed] : [{ text: said[0].parts[0].thoughtSignature === SIGNATURE ? 'signed' : 'unsigned' }];
  return { body: { candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }], usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 } } };
});
const whole = await Upstream.start(() => ({ body: { id: 'x', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'whole' }, finish_reason: 'stop' }] } }));
// Takes as much as it may: 400 tokens of 1,000 in a day.
const OF_A_DAY = 1_000;
const OF_A_CALL = 400;
const greedy = await Upstream.start(() => ({
  body: {
    id: 'x', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'much' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: OF_A_CALL - 1, total_tokens: OF_A_CALL },
  },
}));
after(() => Promise.all([model.stop(), gemini.stop(), whole.stop(), greedy.stop()]));

const base = model.config({ lease: '2s', peer_wait: '60s' }).llm;
const config = {
  limits: { targets: { 'llm:greedy/m': { tokens: { count: OF_A_DAY, per: '24h' } }, 'llm:greedy/known': { rate: { count: 1, per: '24h' } } } },
  llm: {
    ...base,
    providers: {
      ...base.providers,
      gemini: { type: 'gemini', base_url: `${gemini.url}/v1beta`, price: 'free' },
      narrow: { type: 'openai-compatible', base_url: `${model.url}/v1`, price: 'free', keys: [{ secret: 'vendor', parallel: 1 }] },
      greedy: { type: 'openai-compatible', base_url: `${greedy.url}/v1`, price: 'free' },
      metered: { type: 'openai-compatible', base_url: `${whole.url}/v1`, price: 'free', keys: [{ secret: 'vendor', requests_per_minute: 2 }] },
    },
    routes: { ...base.routes, gemini: { targets: [{ model: 'gemini/gemini-3-pro' }], retry: { attempts: 1 } } },
  },
};
const ASKS = `
document: { dsl: '1.0.3', namespace: default, name: asks, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { model: paced, prompt: hi }, output: { as: .content } }
`;
const COST = '0.000075'; // 5 tokens at $1 and 7 at $10 a million

// Starts two llm-proxies with a gateway each: the suite's, and `other` ones.
async function startTwo(suite) {
  const file = join(suite.folder, 'tutti.yaml');
  const at = (name) => `ipc://${suite.folder}/${name}`;
  const peers = ['--set', `llm.peers=${at('l')},${at('l2')}`];
  suite['llm-proxy'].more = peers;
  const proxy = new Service('tutti-llm-proxy-2', suite.folder, file, 'tutti-llm-proxy',
    [...peers, '--set', `llm.listen=${at('l2')}`, '--set', 'llm.name=llm-2', '--set', `llm.store.path=${join(suite.folder, 'llm-2')}`]);
  const gateway = new Service('tutti-gateway-2', suite.folder, file, 'tutti-gateway', ['--set', `gateway.llm=${at('l2')}`]);
  const services = [proxy, gateway, suite['llm-proxy'], suite.gateway];
  await Promise.all(services.map((service) => service.start()));
  await Promise.all(services.map((service) => service.ready()));
  const api = new Api({ key: suite.key, patience: suite.patience, get url() { return `http://${gateway.host}:${gateway.port}`; } });
  const stop = async () => {
    await gateway.stop();
    await proxy.stop();
    await Promise.all([proxy, gateway].map((service) => service.checkLog(suite.planted)));
  };
  return { proxy, gateway, api, stop, kill: () => Promise.all([proxy.kill(), gateway.kill()]) };
}

const ask = (api, key, content = 'hi', headers = {}, more = {}) =>
  api.call('POST', '/v1/chat/completions', { model: 'paced', messages: [{ role: 'user', content }], ...more }, { headers: { 'idempotency-key': key, ...headers } });
const hasLogged = (service, word) => async () => (await service.lines()).some((line) => line.includes(word));

async function answersOfClients(suite, other) {
  const first = ask(suite.api, 'one');
  await suite.until('the model is asked', () => model.open === 1);
  const early = await ask(other.api, 'one');
  assert.deepEqual([early.status, early.body.error.code, early.headers.get('x-should-retry')], [409, 'idempotency_in_progress', 'true']);
  model.end('bought');
  const bought = await first;
  assert.equal(bought.status, 200);

  const found = await ask(other.api, 'one');
  assert.deepEqual([found.status, found.text, found.headers.get('idempotent-replayed'), found.headers.get('tutti-cost-usd')], [200, bought.text, 'true', '0']);
  const reused = await ask(other.api, 'one', 'another question');
  assert.deepEqual([reused.status, reused.body.error.code, reused.headers.get('x-should-retry')], [422, 'idempotency_key_reused', 'false']);

  // A durable stream keeps the name that its buyer has given it.
  const streamed = ask(suite.api, 'two', 'hi', { 'tutti-durable': 'true' }, { stream: true });
  await suite.until('the model is asked', () => model.open === 1);
  model.say('word');
  model.end();
  const stream = await streamed;
  const again = await ask(other.api, 'two', 'hi', { 'tutti-durable': 'true' }, { stream: true });
  assert.deepEqual([again.text, again.headers.get('tutti-stream')], [stream.text, stream.headers.get('tutti-stream')]);
  assert.equal(model.asked.length, 2);
}

async function answerOfTheDead(suite, other) {
  await suite['llm-proxy'].kill();
  const patient = ask(other.api, 'one');
  await suite.until('it waits for the one that is away', hasLogged(other.proxy, 'llm.peer_awaited'));
  await suite['llm-proxy'].start();
  const found = await patient;
  assert.deepEqual([found.status, found.headers.get('idempotent-replayed')], [200, 'true']);
  assert.equal(model.asked.length, 2);
}

async function conversation(suite, other) {
  const messages = [{ role: 'user', content: 'go' }];
  const tools = [{ type: 'function', function: { name: 'news', parameters: { type: 'object', properties: {} } } }];
  const first = await suite.until('the gateway reaches its llm-proxy again', async () => {
    const answer = await suite.api.call('POST', '/v1/chat/completions', { model: 'gemini', messages, tools });
    return answer.status === 200 && answer.body;
  });
  const [called] = first.choices[0].message.tool_calls;
  assert.match(called.id, /^tc-/);
  messages.push(first.choices[0].message, { role: 'tool', tool_call_id: called.id, content: 'found' });
  for (const round of ['from the other one', 'from its own vault']) {
    const second = await other.api.call('POST', '/v1/chat/completions', { model: 'gemini', messages, tools });
    assert.deepEqual([second.body.choices?.[0].message.content, second.headers.get('tutti-loss')], ['signed', null], round);
  }

  // And it is on the disk of who has heard it first.
  await other.proxy.stop();
  await suite['llm-proxy'].kill();
  await suite['llm-proxy'].start();
  const kept = await suite.until('it is back', async () => {
    const answer = await suite.api.call('POST', '/v1/chat/completions', { model: 'gemini', messages, tools });
    return answer.status === 200 && answer;
  });
  assert.deepEqual([kept.body.choices[0].message.content, kept.headers.get('tutti-loss')], ['signed', null]);
}

// Limits of the providers' keys hold over both.
async function limitsOfKeys(suite, other) {
  const chat = (api, name) => api.call('POST', '/v1/chat/completions', { model: `${name}/m`, messages: [{ role: 'user', content: 'hi' }] });
  const first = chat(suite.api, 'narrow');
  await suite.until('the model is asked', () => model.open === 1);
  assert.equal((await chat(other.api, 'narrow')).status, 429);
  model.end('one at a time');
  assert.equal((await first).status, 200);
  const second = suite.until('the other one has its turn', async () => (await chat(other.api, 'narrow')).status === 200);
  await suite.until('the model is asked', () => model.open === 1);
  model.end('one at a time');
  await second;

  const began = Date.now();
  const statuses = [];
  for (const api of [suite.api, other.api, suite.api, other.api]) statuses.push((await chat(api, 'metered')).status);
  const granted = statuses.filter((status) => status === 200).length;
  const most = 2 + Math.floor((Date.now() - began) / 30_000);
  assert.ok(statuses.every((status) => [200, 429].includes(status)), String(statuses));
  assert.ok(granted >= 2 && granted <= most && whole.requests.length === granted, `${statuses} of ${most}`);
}

// So do those of models, in tokens, and over the death of the scheduler: two calls of a day, whoever asks.
async function limitsOfModels(suite, other) {
  const chat = (api, name = 'm') => api.call('POST', '/v1/chat/completions', { model: `greedy/${name}`, max_tokens: OF_A_CALL - 1, messages: [{ role: 'user', content: 'hi' }] });
  const refuses = (api, name) => async () => {
    const got = await chat(api, name);
    return got.status === 429 && Number(got.headers.get('retry-after')) > 3_600;
  };
  for (const api of [suite.api, other.api]) await suite.until('it knows the limits', refuses(api, 'known'));
  const asked = () => greedy.requests.filter(({ body }) => JSON.parse(body).model === 'm').length;
  const all = await Promise.all([suite.api, other.api, suite.api, other.api, suite.api, other.api].map((api) => chat(api)));
  assert.ok(all.every(({ status }) => [200, 429].includes(status)), all.map(({ status }) => status).join());
  for (const api of [suite.api, other.api]) await suite.until('it is spent', refuses(api));
  assert.equal(asked(), 2);
  const used = async () => (await suite.api.ok('GET', '/v1/limits/llm:greedy%2Fm')).tokens_used;
  await suite.until('what was not used is back', async () => Math.abs((await used()) - 2 * OF_A_CALL) <= 2);
  await suite.killScheduler();
  for (const api of [suite.api, other.api]) await suite.until('it is spent still', refuses(api));
  assert.equal(asked(), 2);
  assert.ok(Math.abs((await used()) - 2 * OF_A_CALL) <= 2);
}

// The answer comes while the scheduler is away; the proxy dies with it, and the other one, which is back, gets the job.
async function jobOfTheDead(suite, other) {
  await suite.apply(ASKS);
  const before = model.asked.length;
  const run = await suite.startRun('asks');
  await suite.until('the model is asked', () => model.open === 1);
  await suite.scheduler.kill();
  model.end('bought');
  await suite.until('it is kept', hasLogged(suite['llm-proxy'], 'llm.answer_kept'));
  await suite['llm-proxy'].kill();
  await Promise.all([suite.scheduler.start(), other.proxy.start()]);
  const waits = async () => (await other.proxy.lines()).filter((line) => line.includes('llm.peer_awaited')).length;
  await suite.until('the other one waits for it', async () => (await waits()) === 2);
  await suite['llm-proxy'].start();
  const ended = await suite.runEnds(run.id);
  assert.equal(ended.output, 'bought');
  assert.equal(ended.usage.cost_usd, COST);
  assert.equal(model.asked.length, before + 1, 'nobody asks again');
  assert.ok(await hasLogged(other.proxy, 'llm.answer_found')());
}

scenario('what one llm-proxy has bought another one does not buy', { needs: ['scheduler'], config, checkNeeds: false }, async (suite) => {
  await writeFile(join(suite.folder, 'vendor'), ['sk', 'of-the-vendor'].join('-'), { mode: 0o600 });
  const other = await startTwo(suite);
  try {
    await limitsOfKeys(suite, other);
    await limitsOfModels(suite, other);
    model.asked = [];
    await answersOfClients(suite, other);
    await answerOfTheDead(suite, other);
    await conversation(suite, other);
    await jobOfTheDead(suite, other);
    await other.stop();
  } finally {
    await other.kill();
  }
});
