// What a route says beside its targets: defaults, strictness, waiting for a target that rests; and what errors tell the SDKs.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const answers = {
  openai: { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1 } },
  anthropic: { id: 'x', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'text', text: 'hi' }], stop_reason: 'end_turn', usage: { input_tokens: 1, output_tokens: 1 } },
  gemini: { candidates: [{ content: { role: 'model', parts: [{ text: 'hi' }] }, finishReason: 'STOP', index: 0 }], responseId: 'x' },
};
const upstream = await Upstream.start(({ path, body: asks }, count) => {
  if (path.startsWith('/broken')) return { status: 500, body: { error: { message: 'broken' } } };
  if (path.endsWith('/embeddings')) {
    const data = JSON.parse(asks).input.map((_, index) => ({ index, embedding: [1, 2] }));
    return { body: { object: 'list', data, model: 'm', usage: { prompt_tokens: 1, total_tokens: 1 } } };
  }
  const isOdd = count % 2 === 1;
  if (path.startsWith('/busy') && (isOdd || path.startsWith('/busy/always'))) {
    return { status: 429, headers: { 'retry-after-ms': '200' }, body: { error: { message: 'too many', type: 'rate_limit_error' } } };
  }
  if (path === '/v1/chat/completions' && JSON.parse(asks).stream) {
    const chunk = { id: 'x', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta: { content: 'hi' }, finish_reason: 'stop' }] };
    return { headers: { 'content-type': 'text/event-stream' }, text: `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n` };
  }
  return { body: answers[path.includes('messages') ? 'anthropic' : path.includes('generateContent') ? 'gemini' : 'openai'] };
});
after(() => upstream.stop());
const asked = () => JSON.parse(upstream.requests.at(-1).body);

const defaults = { temperature: 0.25, top_p: 0.5, max_tokens: 77 };
const one = (model, more) => ({ targets: [{ model }], retry: { attempts: 1 }, ...more });
// The broken one is asked more often than a breaker bears, and held jobs would wait for it.
const config = {
  limits: { breaker: { failures: 100 } },
  llm: {
    providers: {
      openai: { type: 'openai', base_url: `${upstream.url}/v1` }, compatible: { type: 'openai-compatible', base_url: `${upstream.url}/v1` },
      anthropic: { type: 'anthropic', base_url: upstream.url, version: '2023-06-01' }, gemini: { type: 'gemini', base_url: `${upstream.url}/v1beta` },
      busy: { type: 'openai-compatible', base_url: `${upstream.url}/busy` }, full: { type: 'openai-compatible', base_url: `${upstream.url}/busy/always` },
      broken: { type: 'openai-compatible', base_url: `${upstream.url}/broken` },
    },
    routes: {
      openai: one('openai/m', { defaults }), compatible: one('compatible/m', { defaults }), anthropic: one('anthropic/m', { defaults }), gemini: one('gemini/m', { defaults }),
      strict: one('anthropic/m', { strict: true }), loose: one('anthropic/m'),
      patient: one('busy/m', { wait_for_cooldown: true }), hasty: one('full/m'), passed: one('full/m', { fallbacks: [{ model: 'anthropic/m' }] }),
      broken: one('broken/m'), mended: one('broken/m', { fallbacks: [{ model: 'compatible/m' }] }),
    },
  },
};
const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const messages = [{ role: 'user', content: 'hello' }];

scenario('routes have defaults, are strict, and wait', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const chat = (model, more, options) => suite.api.call('POST', '/v1/chat/completions', { model, messages, ...more }, options);
  const gemini = (model, more) => suite.api.ok('POST', `/v1beta/models/${model}:generateContent`, { contents: [{ parts: [{ text: 'hello' }] }], ...more });

  // In the words of whoever is asked; what the client says counts more.
  const sent = async (ask, pick) => { await ask; return pick(asked()); };
  const known = ({ temperature, top_p, max_tokens, max_completion_tokens }) => ({ temperature, top_p, max: max_tokens ?? null, most: max_completion_tokens ?? null });
  assert.deepEqual(await sent(chat('openai'), known), { temperature: 0.25, top_p: 0.5, max: null, most: 77 });
  assert.deepEqual(await sent(chat('compatible', { temperature: 0 }), known), { temperature: 0, top_p: 0.5, max: 77, most: null });
  assert.deepEqual(await sent(chat('anthropic', { max_completion_tokens: 5 }), known), { temperature: 0.25, top_p: 0.5, max: 5, most: null });
  assert.deepEqual(await sent(chat('gemini'), (body) => body.generationConfig), { temperature: 0.25, topP: 0.5, maxOutputTokens: 77 });
  assert.deepEqual(await sent(gemini('gemini', { generationConfig: { topP: 1, topK: 3 } }), (body) => body.generationConfig), { topP: 1, topK: 3, temperature: 0.25, maxOutputTokens: 77 });
  assert.deepEqual(await sent(gemini('openai'), known), { temperature: 0.25, top_p: 0.5, max: null, most: 77 });

  const count = upstream.requests.length;
  const strict = await chat('strict', { max_tokens: 5, seed: 1 });
  assert.equal(strict.status, 422);
  assert.equal(strict.body.error.code, 'conversion_loss');
  assert.equal(strict.headers.get('x-should-retry'), 'false');
  assert.equal(upstream.requests.length, count, 'nothing was sent');

  assert.equal((await chat('patient')).status, 200);
  assert.equal(upstream.count('/busy/chat/completions'), 2);
  const hasty = await chat('hasty');
  assert.equal(hasty.status, 429);
  assert.equal(hasty.headers.get('x-should-retry'), 'true');
  assert.equal(hasty.headers.get('retry-after'), '1');
  const wait = Number(hasty.headers.get('retry-after-ms'));
  assert.ok(wait > 0 && wait <= 200, `${wait}`);

  const unknown = await chat('nobody');
  assert.deepEqual([unknown.status, unknown.headers.get('x-should-retry')], [404, 'false']);
  const stranger = await chat('openai', {}, { key: 'tutti_none' });
  assert.deepEqual([stranger.status, stranger.headers.get('x-should-retry')], [401, 'false']);

  // No more than the caller wants, of made-up words too.
  const { body: { choices: [choice], usage } } = await chat('simulated', { max_tokens: 6 });
  assert.equal(choice.finish_reason, 'length');
  assert.equal(usage.completion_tokens, 6);

  // What a job has lost stands in its result, and in the log; and whom it has asked.
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: lossy, version: '1.0.0' }
do:
  - ask:
      call: llm.chat
      with: { model: passed, prompt: hello, seed: 1, max_tokens: 5 }
`);
  const { id } = await suite.startRun('lossy');
  const run = await suite.runEnds(id);
  assert.deepEqual(run.output.losses, [{ path: '/seed', action: 'dropped', note: 'Anthropic takes no seed' }]);
  assert.deepEqual(run.output.attempts.map(({ model, outcome, output_tokens }) => [model, outcome, output_tokens]), [['full/m', 'rate_limited', 0], ['anthropic/m', 'ok', 1]]);

  // Clients hear whom they have cost time, in any protocol; what goes well at once says nothing.
  const tries = async (answered) => (await answered).headers.get('tutti-tries')?.replace(/ms=\d+/g, 'ms=N') ?? null;
  const mended = 'broken/m;outcome=server;ms=N, compatible/m;outcome=ok;ms=N;input=1;cost=unknown';
  assert.equal(await tries(chat('mended')), mended.replace('input=1', 'input=1;output=1'));
  assert.equal(await tries(chat('mended', { stream: true })), 'broken/m;outcome=server;ms=N', 'those before the one that is streamed');
  assert.equal(await tries(suite.api.call('POST', '/v1/embeddings', { model: 'mended', input: ['one', 'two'] })), mended);
  assert.equal(await tries(chat('broken')), 'broken/m;outcome=server;ms=N');
  assert.equal(await tries(chat('openai')), null);
  // And so does the error of a job.
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: breaks, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { model: broken, prompt: hello }, metadata: { tutti: { retry: { limit: { attempt: { count: 1 } } } } } }
`);
  const broken = await suite.startRun('breaks');
  const { error } = await suite.runEnds(broken.id, 'faulted');
  assert.deepEqual(error.attempts.map(({ model, outcome }) => [model, outcome]), [['broken/m', 'server']]);
  const logged = async () => (await suite['llm-proxy'].lines()).some((line) => line.includes('llm.tries') && line.includes('\\"model\\":\\"broken/m\\"'));
  await suite.until('the log has them', logged);
  const line = await suite.until('the log says so', async () => (await suite['llm-proxy'].lines()).find((one) => one.includes('llm.response') && one.includes('/seed dropped')));
  const { request_id: request, operation } = JSON.parse(line);
  assert.equal(operation, 'chat');
  assert.ok(request.length > 0, line);
});
