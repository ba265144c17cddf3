// Calls of models that are no jobs: they ask circuit breakers and limits, and say what they have met, over the death of the
// scheduler; a route passes over who may not be called.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const OPEN_MS = 4_000;

const answer = (text) => ({
  id: 'x', object: 'chat.completion', created: 1, model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});
let isDown = false;
let underWay = 0;
let mostAtOnce = 0;
const flaky = await Upstream.start(async () => {
  mostAtOnce = Math.max(mostAtOnce, ++underWay);
  await sleep(isDown ? 0 : 30);
  underWay--;
  return isDown ? { status: 500, body: {} } : { body: answer('flaky') };
});
const steady = await Upstream.start(() => ({ body: answer('steady') }));
// Nobody gets an answer before a hundred have asked.
const CROWD = 100;
let letGo;
const all = new Promise((resolve) => { letGo = resolve; });
const patient = await Upstream.start(async () => {
  if (patient.requests.length === CROWD) letGo();
  await all;
  return { body: answer('patient') };
});
after(() => Promise.all([flaky.stop(), steady.stop(), patient.stop()]));

const config = {
  limits: { breaker: { open: `${OPEN_MS / 1000}s`, successes: 1 } },
  llm: {
    providers: {
      flaky: { type: 'openai-compatible', base_url: `${flaky.url}/v1`, price: 'free' },
      steady: { type: 'openai-compatible', base_url: `${steady.url}/v1`, price: 'free' },
      patient: { type: 'openai-compatible', base_url: `${patient.url}/v1`, price: 'free' },
    },
    routes: {
      one: { targets: [{ model: 'flaky/m' }], retry: { attempts: 1 } },
      two: { targets: [{ model: 'flaky/m' }], fallbacks: [{ model: 'steady/m' }], retry: { attempts: 1 } },
    },
  },
};
const ASKS = `
document: { dsl: '1.0.3', namespace: default, name: asks, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { model: one, prompt: hi }, output: { as: .content } }
`;
const chat = (suite, model) => suite.api.call('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'hi' }] });
const breaker = (suite) => suite.api.call('GET', '/v1/circuit-breakers/llm:flaky').then((found) => found.body ?? {});

scenario('an open breaker answers at once, a route passes it over, a probe closes it', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(ASKS);
  assert.equal((await chat(suite, 'one')).status, 200);
  isDown = true;
  await suite.until('it is open', async () => {
    await chat(suite, 'one');
    return (await breaker(suite)).state === 'open';
  });
  const before = flaky.requests.length;
  const refused = await suite.until('the proxy knows', async () => {
    const got = await chat(suite, 'one');
    return got.status === 503 && got.body.error.code === 'breaker_open' && got;
  });
  const retryAfter = Number(refused.headers.get('retry-after'));
  assert.ok(retryAfter >= 1 && retryAfter <= OPEN_MS / 1000, refused.headers.get('retry-after'));
  assert.ok(flaky.requests.length - before <= 1);
  const passed = await chat(suite, 'two');
  assert.equal(passed.body.choices[0].message.content, 'steady');
  assert.equal(passed.headers.get('tutti-attempts'), '1', 'the other one was not tried');

  const asked = flaky.requests.length;
  const waits = await suite.startRun('asks'); // of a route: only the proxy knows whom it would call
  await suite.until('it was handed back', async () => (await suite.api.ok('GET', '/v1/queues/llm')).delayed === 1);
  assert.equal(flaky.requests.length, asked);

  isDown = false;
  await suite.killScheduler();
  await suite.until('a probe has closed it', async () => {
    const got = await chat(suite, 'one');
    return got.status === 200;
  });
  await suite.until('it is closed', async () => (await breaker(suite)).state === 'closed');
  assert.deepEqual((await suite.runEnds(waits.id)).output, 'flaky');
  const types = (await suite.history(waits.id)).map((event) => event.type);
  assert.ok(!types.includes('job.retried'), 'no attempt was burnt');
});

scenario('so many calls are under way, and start in a time', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const waits = (provider) => suite['llm-proxy'].metric('tutti_llm_lease_wait_seconds_count', `provider="${provider}"`);
  isDown = false;
  assert.equal(await waits('flaky'), 0, 'to be a probe is no limit');
  await suite.api.ok('PUT', '/v1/limits/llm:flaky', { concurrency: 2 });
  const limited = () => suite.until('the proxy knows', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => chat(suite, 'one')));
    return all.some((got) => got.status === 429) && all;
  });
  await limited();
  assert.equal(await suite.scheduler.metric('tutti_limit_max', 'limit="llm:flaky"'), 2);
  await suite.until('all are over', () => underWay === 0);
  await suite.until('and given back', async () => (await suite.scheduler.metric('tutti_limit_in_use', 'limit="llm:flaky"')) === 0);
  mostAtOnce = 0;
  const all = await limited();
  assert.ok(mostAtOnce <= 2, `${mostAtOnce} at once`);
  assert.ok(all.some((got) => got.status === 200));
  const refused = all.find((got) => got.status === 429);
  assert.ok((await waits('flaky')) > 0);
  assert.equal(await waits('steady'), 0);
  assert.equal(refused.body.error.code, 'rate_limited');
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.equal((await chat(suite, 'two')).status, 200);

  await suite.api.ok('PUT', '/v1/limits/llm:flaky', { rate: { count: 2, per: '1h' } });
  await suite.killScheduler();
  const isSpent = async () => { // what is refused while the scheduler is away says less
    const got = await chat(suite, 'one');
    return got.status === 429 && Number(got.headers.get('retry-after')) > 60;
  };
  await suite.until('it is spent', isSpent);
  const spent = flaky.requests.length;
  assert.ok(await isSpent());
  assert.equal(flaky.requests.length, spent);
});

scenario('a model has limits of its own, for jobs, too', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(ASKS.replace('name: asks', 'name: steadily').replace('model: one', 'model: steady/m'));
  const limit = (body) => suite.api.ok('PUT', '/v1/limits/llm:steady%2Fm', body);
  assert.equal((await suite.api.call('PUT', '/v1/limits/tool:a.test', { tokens: { count: 1, per: '1h' } })).status, 422);
  const set = await limit({ rate: { count: 1, per: '1h' }, tokens: { count: 90000, per: '1m' } });
  assert.deepEqual([set.name, set.rate, set.tokens, set.source], ['llm:steady/m', { count: 1, per: '1h' }, { count: 90000, per: '1m' }, 'api']);
  const refused = await suite.until('the proxy knows', async () => {
    const got = await chat(suite, 'steady/m');
    return got.status === 429 && Number(got.headers.get('retry-after')) > 60 && got;
  });
  assert.equal(refused.body.error.code, 'rate_limited');
  assert.match(refused.body.error.message, /llm:steady\/m/);
  assert.equal((await chat(suite, 'steady/n')).status, 200, 'another one of its models');
  const asked = steady.requests.length;
  const run = await suite.startRun('steadily');
  await suite.until('it was handed back', async () => (await suite.api.ok('GET', '/v1/queues/llm')).delayed === 1);
  assert.equal(steady.requests.length, asked);
  await suite.api.ok('DELETE', '/v1/limits/llm:steady%2Fm');
  await suite.until('it may be called', async () => (await chat(suite, 'steady/m')).status === 200);
  await suite.api.ok('POST', `/v1/runs/${run.id}:cancel`, {}).catch(() => {});
});

scenario('a hundred calls are at one provider at a time', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const answers = await Promise.all(Array.from({ length: CROWD }, () => chat(suite, 'patient/m')));
  assert.deepEqual(answers.map((one) => one.status), answers.map(() => 200));
});
