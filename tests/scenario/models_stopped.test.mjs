// A stream that goes on longer than its budget pays for is stopped, to the token, and ends as an answer that has become too long: in each
// protocol, handed on and translated. A stream of known length draws as it goes. What a job's call has said until it is cancelled is paid. A job
// whose answer has no end fails where its budget has one: that of its run, or one over many runs.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after } from 'node:test';
import { Anthropic, GoogleGenAI, OpenAI } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const PIECE = 'x'.repeat(40); // ten tokens
const event = (data, name) => `${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n`;
const openai = (delta, reason = null) => event({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: reason }] });
const anthropic = (data) => event(data, data.type);

const speakers = {
  openai: { begin: '', piece: openai({ content: PIECE }), end: `${openai({}, 'stop')}data: [DONE]\n\n` },
  anthropic: {
    begin: anthropic({ type: 'message_start', message: { id: 'x', type: 'message', role: 'assistant', model: 'm', content: [], usage: { input_tokens: 5, output_tokens: 1 } } }) + anthropic({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    piece: anthropic({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: PIECE } }),
  },
  gemini: { begin: '', piece: event({ candidates: [{ content: { role: 'model', parts: [{ text: PIECE }] }, index: 0 }], modelVersion: 'm' }) },
};
let open = 0;
const upstream = createServer((request, answer) => {
  const protocol = request.url.endsWith('/messages') ? 'anthropic' : request.url.includes('GenerateContent') ? 'gemini' : 'openai';
  let body = '';
  request.on('data', (bytes) => { body += bytes; });
  request.on('end', () => {
    const { begin, piece, end } = speakers[protocol];
    let left = body.includes('finite') ? 1000 : Infinity; // events; 10,000 tokens
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write(begin);
    open += 1;
    const timer = setInterval(() => {
      for (let i = 0; i < 20 && left > 0; i++, left--) answer.write(piece);
      if (left === 0) answer.end(end);
    }, 1);
    answer.on('close', () => { clearInterval(timer); open -= 1; });
  });
});
await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
after(() => { upstream.closeAllConnections(); upstream.close(); });
const url = `http://127.0.0.1:${upstream.address().port}`;

const config = {
  llm: {
    lease: '3s',
    job_output: true,
    providers: { openai: { type: 'openai-compatible', base_url: `${url}/v1` }, anthropic: { type: 'anthropic', base_url: url }, gemini: { type: 'gemini', base_url: `${url}/v1beta` } },
    prices: Object.fromEntries(['openai/m', 'anthropic/m', 'gemini/m'].map((model) => [model, { input: '1', output: '10' }])),
  },
};
const ENDLESS = `
document: { dsl: '1.0.3', namespace: default, name: endless, version: '1.0.0' }
do:
  - a: { call: llm.chat, with: { model: openai/m, prompt: hi } }
`;
const MANY = `
document: { dsl: '1.0.3', namespace: default, name: many, version: '1.0.0' }
do:
  - all:
      for: { each: i, in: '\${ [range(0; 4)] }' }
      metadata: { tutti: { parallel: 4 } }
      do:
        - a: { try: [ { b: { call: llm.chat, with: { model: openai/m, prompt: hi } } } ], catch: { errors: { with: { status: 402 } }, do: [ { spent: { set: { spent: true } } } ] } }
`;
const OPEN = `
document: { dsl: '1.0.3', namespace: default, name: open, version: '1.0.0' }
do: [ { a: { listen: { to: { one: { with: { type: go } } } } } } ]
`;
const TOKEN = 10 / 1e6; // dollars
const LIMIT = 6000 * TOKEN; // more than is set aside at first

// What each SDK has heard: the text's length and the word for the end.
const speak = {
  openai: async (suite, model) => {
    const client = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0 });
    const heard = { size: 0, chunks: [] };
    for await (const chunk of await client.chat.completions.create({ model, stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'hi' }] })) {
      heard.size += chunk.choices[0]?.delta.content?.length ?? 0;
      heard.finish = chunk.choices[0]?.finish_reason ?? heard.finish;
      heard.tutti = chunk.tutti ?? heard.tutti;
      heard.output = chunk.usage?.completion_tokens ?? heard.output;
    }
    return heard;
  },
  anthropic: async (suite, model) => {
    const client = new Anthropic({ baseURL: suite.url, apiKey: suite.key, maxRetries: 0 });
    const heard = { size: 0 };
    const stream = client.messages.stream({ model, max_tokens: 4000, messages: [{ role: 'user', content: 'hi' }] });
    for await (const item of stream) if (item.type === 'message_stop') heard.tutti = item.tutti;
    const message = await stream.finalMessage();
    return { ...heard, size: message.content[0].text.length, finish: message.stop_reason, output: message.usage.output_tokens };
  },
  gemini: async (suite, model) => {
    const client = new GoogleGenAI({ apiKey: suite.key, httpOptions: { baseUrl: suite.url } });
    const heard = { size: 0 };
    for await (const chunk of await client.models.generateContentStream({ model, contents: 'hi' })) {
      heard.size += chunk.text?.length ?? 0;
      heard.finish = chunk.candidates?.[0]?.finishReason ?? heard.finish;
      heard.output = chunk.usageMetadata?.candidatesTokenCount ?? heard.output;
    }
    return { ...heard, tutti: { stopped_by: 'budget' } }; // the SDK does not show it
  },
};
const FINISH = { openai: 'length', anthropic: 'max_tokens', gemini: 'MAX_TOKENS' };

const CALLED = { llm: { ...config.llm, job_output: false } }; // jobs stream where a budget may stop them, and not else

scenario('a stream ends where its budget does, in each protocol', { needs: NEEDS, config: CALLED, checkNeeds: false }, async (suite) => {
  const budget = async () => suite.api.ok('GET', '/v1/budgets/all').catch(() => null);
  const set = async () => {
    await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', usd: LIMIT.toFixed(9) });
    // The proxy hears within a second that there are budgets: a call that fails costs nothing.
    await suite.until('the proxy asks', async () => {
      const refused = await suite.api.call('POST', '/v1/chat/completions', { model: 'openai/m', max_tokens: 10_000_000, messages: [{ role: 'user', content: 'finite' }], stream: true });
      return refused.status === 402;
    });
  };
  for (const [client, model] of [['openai', 'openai/m'], ['openai', 'anthropic/m'], ['anthropic', 'anthropic/m'], ['anthropic', 'gemini/m'], ['gemini', 'gemini/m'], ['gemini', 'openai/m']]) {
    if (await budget()) await suite.api.ok('DELETE', '/v1/budgets/all');
    await set();
    const what = `${client} of ${model}`;
    const unspent = Number((await budget()).spent.usd ?? 0);
    const heard = await speak[client](suite, model.replace('/', client === 'gemini' ? '%2F' : '/'));
    assert.equal(heard.finish, FINISH[client], what);
    assert.deepEqual(heard.tutti, { stopped_by: 'budget' }, what);
    const { spent } = await suite.until(`${what} is settled`, async () => {
      const seen = await budget();
      return Number(seen.spent.usd) > unspent && Number(seen.reserved.usd ?? 0) === 0 && seen;
    });
    const tokens = Math.round((Number(spent.usd) - unspent) / TOKEN);
    assert.ok(tokens > 5900 && Number(spent.usd) < LIMIT + 1000 * TOKEN, `${what}: ${spent.usd}`);
    assert.ok(Math.abs(heard.size / 4 - tokens) <= 10, `${what}: ${heard.size / 4} ${tokens}`);
    assert.ok(Math.abs(heard.output - tokens) <= 10, `${what}: ${heard.output} ${tokens}`);
    await suite.until('the upstream is left', () => open === 0);
  }
});

scenario('the answer of a job ends where its budgets do', { needs: NEEDS, config: { ...CALLED, scheduler: { partitions: 2 } }, checkNeeds: false }, async (suite) => {
  await suite.apply(ENDLESS);
  const end = async (what, tokens, start) => {
    const run = await suite.runEnds((await suite.startRun('endless', {}, start)).id, 'faulted');
    assert.deepEqual([run.status, run.error?.status, run.error?.title], ['faulted', 402, 'Budget exceeded'], `${what}: ${JSON.stringify(run)}`);
    assert.match(run.error.detail, /was stopped/, what);
    const used = run.usage.input_tokens + run.usage.output_tokens;
    assert.ok(used >= tokens && used < tokens + 1500, `${what}: ${used}`);
    assert.equal(Number(run.usage.cost_usd).toFixed(9), (run.usage.input_tokens / 1e6 + run.usage.output_tokens * TOKEN).toFixed(9), what);
    await suite.until('the upstream is left', () => open === 0);
    return run;
  };
  await end('tokens of the run', 6000, { budget: { tokens: 6000 } }); // more than is set aside at first
  await end('money of the run', 5900, { budget: { usd: LIMIT.toFixed(9) } });
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', usd: LIMIT.toFixed(9) });
  const run = await end('the namespace', 5900, {});
  const { spent } = await suite.until('it is settled', async () => {
    const seen = await suite.api.ok('GET', '/v1/budgets/all');
    return Number(seen.reserved.usd ?? 0) === 0 && Number(seen.spent.usd ?? 0) > 0 && seen;
  });
  assert.equal(Number(spent.usd).toFixed(9), Number(run.usage.cost_usd).toFixed(9));

  // A client's stream draws of the run that it names, and ends where its budget does.
  await suite.api.ok('DELETE', '/v1/budgets/all');
  await suite.apply(OPEN);
  for (const [what, budget] of [['tokens', { tokens: 6000 }], ['money', { usd: LIMIT.toFixed(9) }]]) {
    const { id } = await suite.startRun('open', {}, { budget });
    const client = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0 });
    let size = 0;
    let finish;
    for await (const chunk of await client.chat.completions.create({ model: 'openai/m', stream: true, messages: [{ role: 'user', content: 'hi' }] }, { headers: { 'tutti-run': id } })) {
      size += chunk.choices[0]?.delta.content?.length ?? 0;
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    assert.equal(finish, 'length', what);
    const { usage } = await suite.until(`the run is charged (${what})`, async () => {
      const seen = await suite.api.ok('GET', `/v1/runs/${id}`);
      return seen.usage?.output_tokens > 0 && seen;
    });
    assert.ok(usage.output_tokens > 5900 && usage.output_tokens < 6500, `${what}: ${usage.output_tokens}`);
    assert.ok(Math.abs(size / 4 - usage.output_tokens) <= 10, `${what}: ${size / 4} ${usage.output_tokens}`);
    assert.equal(Number(usage.cost_usd).toFixed(9), (usage.input_tokens / 1e6 + usage.output_tokens * TOKEN).toFixed(9), what);
    const refused = await suite.api.call('POST', '/v1/chat/completions', { model: 'openai/m', messages: [{ role: 'user', content: 'hi' }] }, { headers: { 'tutti-run': id } });
    assert.deepEqual([refused.status, refused.body.error.code], [402, 'budget_exceeded'], JSON.stringify(refused.body));
    await suite.until('the upstream is left', () => open === 0);
  }

  // Together they draw what there is, of the run's own budget and of one over many runs, and no more; in whichever partition.
  await suite.apply(MANY);
  const all = 20_000;
  const together = async (count, start) => {
    const runs = await Promise.all(Array.from({ length: count }, () => suite.startRun('many', {}, start)));
    let used = 0;
    for (const { id } of runs) {
      const { usage } = await suite.runEnds(id, 'completed');
      used += usage.input_tokens + usage.output_tokens;
    }
    await suite.until('the upstream is left', () => open === 0);
    assert.ok(used >= all - 100 && used <= all + count * 4 * 20, `${used}`); // each stops at its event
    return used;
  };
  await together(1, { budget: { tokens: all } });
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', tokens: all });
  const used = await together(3, {});
  await suite.until('it is settled', async () => {
    const seen = await suite.api.ok('GET', '/v1/budgets/all');
    return seen.reserved.tokens === 0 && seen.spent.tokens === used;
  });
});

scenario('a stream draws from its budget as it goes on', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.api.ok('PUT', '/v1/budgets/all', { scope: 'namespace', usd: '1' });
  const ask = (more = {}) => suite.api.call('POST', '/v1/chat/completions', { model: 'openai/m', stream: true, messages: [{ role: 'user', content: 'finite' }], ...more });
  await suite.until('the proxy asks', async () => (await ask({ max_tokens: 10_000_000 })).status === 402);
  const before = (await suite.api.ok('GET', '/v1/budgets/all')).spent.usd ?? '0';
  const answer = await ask();
  assert.equal(answer.status, 200);
  assert.match(answer.text, /"finish_reason":"stop"/);
  assert.equal(answer.text.split(PIECE).length - 1, 1000);
  await suite.until('it is settled', async () => {
    const { spent, reserved } = await suite.api.ok('GET', '/v1/budgets/all');
    return Number(reserved.usd ?? 0) === 0 && Math.abs(Number(spent.usd) - Number(before) - 10_000 * TOKEN) < 100 * TOKEN;
  });

  await suite.apply(ENDLESS);
  const { id } = await suite.startRun('endless');
  await suite.until('it speaks', () => open === 1);
  const spent = async () => Number((await suite.api.ok('GET', '/v1/budgets/all')).spent.usd ?? 0);
  const unspent = await spent();
  await suite.api.ok('POST', `/v1/runs/${id}/cancel`, {});
  await suite.until('the upstream is left', () => open === 0);
  const { usage } = await suite.until('what it has said is charged', async () => {
    const run = await suite.api.ok('GET', `/v1/runs/${id}`);
    return run.status === 'cancelled' && Number(run.usage?.cost_usd ?? 0) > 0 && run;
  });
  await suite.until('its budget has paid', async () => Math.abs(await spent() - unspent - Number(usage.cost_usd)) < 1e-9);
});
