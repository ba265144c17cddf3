// Every client protocol with every upstream protocol: the official SDKs, unmodified, whole and streamed. What ran is printed as a
// table; a cell that did not run is a failure.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Anthropic, GoogleGenAI, LLMock, OpenAI } from './support/packages.mjs';
import { Relay } from './support/relay.mjs';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const CLIENTS = ['openai', 'anthropic', 'gemini'];
const UPSTREAMS = ['openai', 'anthropic', 'gemini', 'compatible'];
const CASES = ['text', 'tools', 'results', 'thinking', 'image', 'schema', 'usage', 'error'];
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SCHEMA = { type: 'object', properties: { name: { type: ['string', 'null'] } }, required: ['name'], additionalProperties: false };

const mock = new LLMock({ port: 0, chunkSize: 5 });
await mock.start();
after(() => mock.stop());
const relay = await Relay.start(mock.url);
after(() => relay.stop());

const USAGE = { prompt_tokens: 11, completion_tokens: 7, input_tokens: 11, output_tokens: 7, promptTokenCount: 11, candidatesTokenCount: 7, totalTokenCount: 18 };
mock.on({ userMessage: 'say text' }, { content: 'a plain answer, é', usage: USAGE });
mock.on({ userMessage: 'call tools' }, { toolCalls: [{ name: 'weather', arguments: '{"city":"Oslo"}' }, { name: 'news', arguments: '{}' }], usage: USAGE });
mock.on({ userMessage: 'use results', hasToolResult: true }, { content: 'used both', usage: USAGE });
mock.on({ userMessage: 'think first' }, { content: 'the end', reasoning: 'step by step', usage: USAGE });
mock.on({ userMessage: 'see this' }, { content: 'a pixel', usage: USAGE });
mock.on({ userMessage: 'shape it' }, { content: '{"name":"Ada"}', usage: USAGE });
mock.on({ userMessage: 'fail now' }, { error: { message: 'no such thing', type: 'invalid_request_error', code: 'bad' }, status: 400 });

const config = {
  llm: {
    providers: {
      openai: { type: 'openai', base_url: `${relay.url}/v1` },
      anthropic: { type: 'anthropic', base_url: relay.url },
      gemini: { type: 'gemini', base_url: `${relay.url}/v1beta` },
      compatible: { type: 'openai-compatible', base_url: `${relay.url}/v1` },
    },
    prices: Object.fromEntries(UPSTREAMS.map((name) => [`${name}/model`, { input: '1', output: '10' }])),
    routes: Object.fromEntries(UPSTREAMS.map((name) => [name, { targets: [{ model: `${name}/model` }], retry: { attempts: 1 } }])),
  },
};

// --- clients: what is asked in the words of all, and what was heard in the words of all ----------

const finished = { stop: 'stop', tool_calls: 'tools', end_turn: 'stop', tool_use: 'tools', STOP: 'stop' };
const parameters = { type: 'object', properties: { city: { type: 'string' } } };

const clients = {
  openai: {
    of: (suite, headers) => new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0, defaultHeaders: headers }),
    async ask(client, { model, text, image, tools, results, schema, thinking, stream }) {
      const content = image ? [{ type: 'text', text }, { type: 'image_url', image_url: { url: `data:image/png;base64,${image}` } }] : text;
      const body = {
        model, max_completion_tokens: 2000, messages: [
          { role: 'system', content: 'be brief' }, { role: 'user', content },
          ...(results ? [{ role: 'assistant', content: null, tool_calls: results.map(({ name, input, id }) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(input) } })) }] : []),
          ...(results ?? []).map(({ id, output }) => ({ role: 'tool', tool_call_id: id, content: output })),
        ],
        ...(tools && { tools: tools.map((name) => ({ type: 'function', function: { name, parameters } })) }),
        ...(schema && { response_format: { type: 'json_schema', json_schema: { name: 'person', schema } } }), ...(thinking && { reasoning_effort: 'low' }),
      };
      if (!stream) {
        const { choices: [choice], usage } = await client.chat.completions.create(body);
        return {
          text: choice.message.content ?? '', thinking: choice.message.reasoning_content ?? '', finish: finished[choice.finish_reason],
          calls: (choice.message.tool_calls ?? []).map(({ id, function: { name, arguments: args } }) => ({ id, name, input: JSON.parse(args) })),
          usage: [usage.prompt_tokens, usage.completion_tokens],
        };
      }
      const heard = { text: '', thinking: '', calls: [] };
      for await (const chunk of await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } })) {
        if (chunk.usage) heard.usage = [chunk.usage.prompt_tokens, chunk.usage.completion_tokens];
        for (const { delta, finish_reason } of chunk.choices) {
          heard.text += delta.content ?? '';
          heard.thinking += delta.reasoning_content ?? '';
          for (const { index, id, function: { name, arguments: args } } of delta.tool_calls ?? []) {
            heard.calls[index] ??= { id, name, args: '' };
            heard.calls[index].args += args ?? '';
          }
          heard.finish = finished[finish_reason] ?? heard.finish;
        }
      }
      heard.calls = heard.calls.map(({ id, name, args }) => ({ id, name, input: JSON.parse(args || '{}') }));
      return heard;
    },
    failure: (error) => ({ status: error.status, message: error.message, shape: error.error?.code !== undefined }),
  },
  anthropic: {
    of: (suite, headers) => new Anthropic({ baseURL: suite.url, apiKey: suite.key, maxRetries: 0, defaultHeaders: headers }),
    async ask(client, { model, text, image, tools, results, schema, thinking, stream }) {
      const content = image ? [{ type: 'text', text }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: image } }] : text;
      const body = {
        model, max_tokens: 2000, system: 'be brief', messages: [
          { role: 'user', content },
          ...(results ? [{ role: 'assistant', content: results.map(({ name, input, id }) => ({ type: 'tool_use', id, name, input })) }] : []),
          ...(results ? [{ role: 'user', content: results.map(({ id, output }) => ({ type: 'tool_result', tool_use_id: id, content: output })) }] : []),
        ],
        ...(tools && { tools: tools.map((name) => ({ name, input_schema: parameters })) }),
        ...(schema && { output_config: { format: { type: 'json_schema', schema } } }), ...(thinking && { thinking: { type: 'enabled', budget_tokens: 1024 } }),
      };
      const message = stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
      const joined = (type, key) => message.content.filter((block) => block.type === type).map((block) => block[key]).join('');
      return {
        text: joined('text', 'text'), thinking: joined('thinking', 'thinking'), finish: finished[message.stop_reason],
        calls: message.content.filter((block) => block.type === 'tool_use').map(({ id, name, input }) => ({ id, name, input })),
        usage: [message.usage.input_tokens, message.usage.output_tokens],
      };
    },
    failure: (error) => ({ status: error.status, message: error.message, shape: error.error?.type === 'error' && typeof error.error.error.type === 'string' }),
  },
  gemini: {
    of: (suite, headers) => new GoogleGenAI({ apiKey: suite.key, httpOptions: { baseUrl: suite.url, headers } }),
    async ask(client, { model, text, image, tools, results, schema, thinking, stream }) {
      const body = {
        model, contents: [
          { role: 'user', parts: [{ text }, ...(image ? [{ inlineData: { mimeType: 'image/png', data: image } }] : [])] },
          ...(results ? [{ role: 'model', parts: results.map(({ name, input }) => ({ functionCall: { name, args: input } })) }] : []),
          ...(results ? [{ role: 'user', parts: results.map(({ name, output }) => ({ functionResponse: { name, response: { output } } })) }] : []),
        ],
        config: {
          systemInstruction: 'be brief', maxOutputTokens: 2000, ...(thinking && { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } }),
          ...(tools && { tools: [{ functionDeclarations: tools.map((name) => ({ name, parametersJsonSchema: parameters })) }] }),
          ...(schema && { responseMimeType: 'application/json', responseJsonSchema: schema }),
        },
      };
      const events = [];
      if (stream) for await (const event of await client.models.generateContentStream(body)) events.push(event);
      else events.push(await client.models.generateContent(body));
      const parts = events.flatMap((event) => event.candidates?.[0]?.content?.parts ?? []);
      const usage = events.findLast((event) => event.usageMetadata)?.usageMetadata;
      const reason = events.findLast((event) => event.candidates?.[0]?.finishReason)?.candidates[0].finishReason;
      const calls = parts.filter((part) => part.functionCall).map(({ functionCall: { id, name, args } }) => ({ id, name, input: args }));
      return {
        text: parts.filter((part) => part.text && !part.thought).map((part) => part.text).join(''), calls,
        thinking: parts.filter((part) => part.text && part.thought).map((part) => part.text).join(''),
        finish: calls.length > 0 ? 'tools' : finished[reason], usage: [usage?.promptTokenCount, (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0)],
      };
    },
    failure: (error) => ({ status: error.status, message: error.message, shape: typeof JSON.parse(error.message).error.status === 'string' }),
  },
};

// --- cases -----------------------------------------------------------------------------------------

// Where an upstream of that protocol finds the image and the schema.
const found = {
  image: {
    openai: (body) => body.messages.at(-1).content[1].image_url.url.split(',')[1], gemini: (body) => body.contents.at(-1).parts[1].inlineData.data,
    anthropic: (body) => body.messages.at(-1).content[1].source.data,
  },
  schema: {
    openai: (body) => body.response_format.json_schema.schema, gemini: (body) => body.generationConfig.responseJsonSchema,
    anthropic: (body) => body.output_config.format.schema,
  },
};
// Names and outputs, put together by the ids that were sent; Gemini's have names of their own.
found.results = {
  openai: ({ messages }) => messages.filter(({ role }) => role === 'tool').map((result) => [
    messages.flatMap((message) => message.tool_calls ?? []).find((call) => call.id === result.tool_call_id).function.name, result.content]),
  anthropic: ({ messages }) => messages.at(-1).content.map((result) => [
    messages.at(-2).content.find((block) => block.type === 'tool_use' && block.id === result.tool_use_id).name, result.content]),
  gemini: ({ contents }) => contents.at(-1).parts.map(({ functionResponse: { name, response } }) => [name, response.output]),
};
found.results.compatible = found.results.openai;
found.image.compatible = found.image.openai;
found.schema.compatible = found.schema.openai;

const cases = {
  async text(ask) {
    const heard = await ask({ text: 'say text' });
    assert.equal(heard.text, 'a plain answer, é');
    assert.equal(heard.finish, 'stop');
    assert.match(JSON.stringify(relay.asked.at(-1).body), /be brief/);
  },
  async tools(ask, upstream, client) {
    const { calls, finish } = await ask({ text: 'call tools', tools: ['weather', 'news'] });
    assert.deepEqual(calls.map(({ name, input }) => ({ name, input })), [{ name: 'weather', input: { city: 'Oslo' } }, { name: 'news', input: {} }]);
    assert.equal(finish, 'tools');
    // Gemini's calls need no ids among themselves; everybody else has to tell them apart.
    if (upstream !== 'gemini' || client !== 'gemini') assert.equal(new Set(calls.map((call) => call.id)).size, 2);
  },
  async results(ask, upstream) {
    const results = [{ id: 'call_a', name: 'weather', input: { city: 'Oslo' }, output: 'snow' }, { id: 'call_b', name: 'news', input: {}, output: 'none' }];
    assert.equal((await ask({ text: 'use results', tools: ['weather', 'news'], results })).text, 'used both');
    assert.deepEqual(found.results[upstream](relay.asked.at(-1).body), [['weather', 'snow'], ['news', 'none']]);
  },
  async thinking(ask) {
    const heard = await ask({ text: 'think first', thinking: true });
    assert.equal(heard.thinking, 'step by step');
    assert.equal(heard.text, 'the end');
  },
  async image(ask, upstream) {
    assert.equal((await ask({ text: 'see this', image: PIXEL })).text, 'a pixel');
    assert.equal(found.image[upstream](relay.asked.at(-1).body), PIXEL);
  },
  async schema(ask, upstream) {
    assert.deepEqual(JSON.parse((await ask({ text: 'shape it', schema: SCHEMA })).text), { name: 'Ada' });
    assert.deepEqual(found.schema[upstream](relay.asked.at(-1).body), SCHEMA);
  },
  async usage(ask) {
    assert.deepEqual((await ask({ text: 'say text' })).usage, [11, 7]);
  },
  async error(ask, upstream, client) {
    await assert.rejects(ask({ text: 'fail now' }), (error) => {
      const { status, message, shape } = clients[client].failure(error);
      assert.equal(status, 400, message);
      assert.match(message, /no such thing/);
      assert.ok(shape, `in the shape of the client's protocol: ${message}`);
      if (client === 'openai' && upstream === 'openai') assert.equal(error.code, 'bad', "the upstream's own code");
      return true;
    });
  },
};

function table(ran, streamed) {
  const width = Math.max(...CASES.map((name) => name.length)) + 1;
  const lines = [`${streamed ? 'streamed' : 'whole'}: client > upstream`.padEnd(30) + CASES.map((name) => name.padEnd(width)).join('')];
  for (const client of CLIENTS) for (const upstream of UPSTREAMS) {
    lines.push(`${client} > ${upstream}`.padEnd(30) + CASES.map((name) => (ran.get(`${client} ${upstream} ${name}`) ?? '').padEnd(width)).join(''));
  }
  return lines.join('\n');
}

for (const stream of [false, true]) {
  scenario(`every client with every upstream, ${stream ? 'streamed' : 'whole'}`, { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
    const ran = new Map();
    const failures = [];
    for (const name of CLIENTS) {
      const client = clients[name].of(suite);
      for (const upstream of UPSTREAMS) for (const what of CASES) {
        try {
          await cases[what]((question) => clients[name].ask(client, { model: upstream, stream, ...question }), upstream, name);
          ran.set(`${name} ${upstream} ${what}`, 'ok');
        } catch (error) {
          ran.set(`${name} ${upstream} ${what}`, 'FAILED');
          failures.push(`${name} > ${upstream}, ${what}: ${error.message}`);
        }
      }
    }
    console.log(table(ran, stream));
    assert.deepEqual(failures, []);
    assert.equal(ran.size, CLIENTS.length * UPSTREAMS.length * CASES.length, 'no cell is empty');
  });
}

scenario('what a translation cannot carry is named, and refused for those who are strict', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const body = { messages: [{ role: 'user', content: 'say text' }], max_completion_tokens: 9, seed: 4, logit_bias: { 5: 1 } };
  const lossy = clients.openai.of(suite);
  const { response } = await lossy.chat.completions.create({ ...body, model: 'anthropic' }).withResponse();
  assert.equal(response.headers.get('tutti-loss'), '/seed, /logit_bias');
  const streamed = await lossy.chat.completions.create({ ...body, model: 'anthropic', stream: true }).withResponse();
  for await (const chunk of streamed.data) assert.ok(chunk);
  assert.equal(streamed.response.headers.get('tutti-loss'), '/seed, /logit_bias');
  const own = await lossy.chat.completions.create({ ...body, model: 'openai' }).withResponse();
  assert.equal(own.response.headers.get('tutti-loss'), null);
  assert.deepEqual(relay.asked.at(-1).body.logit_bias, { 5: 1 });

  const asked = relay.asked.length;
  const strict = { 'Tutti-Strict': 'true' };
  await assert.rejects(clients.openai.of(suite, strict).chat.completions.create({ ...body, model: 'anthropic' }), (error) => {
    assert.equal(error.status, 422);
    assert.equal(error.code, 'conversion_loss');
    assert.match(error.message, /\/seed dropped/);
    return true;
  });
  const message = { model: 'openai', max_tokens: 9, top_k: 3, messages: [{ role: 'user', content: 'say text' }] };
  await assert.rejects(clients.anthropic.of(suite, strict).messages.create(message), (error) => error.status === 422 && /\/top_k/.test(error.message));
  assert.equal(relay.asked.length, asked, 'nothing was sent');
  assert.equal((await clients.anthropic.of(suite, strict).messages.create({ ...message, model: 'anthropic' })).content[0].text, 'a plain answer, é');
  assert.equal(relay.asked.at(-1).headers['anthropic-version'], '2026-10-21', 'the version of the client');
});

scenario('errors of our own have the shape of the protocol that is spoken', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const nobody = { url: suite.url, key: 'tutti_wrong' };
  const ask = { text: 'say text', model: 'openai' };
  for (const name of CLIENTS) {
    for (const [who, question, status] of [[nobody, ask, 401], [suite, { ...ask, model: 'nothing-like-it' }, 404]]) {
      await assert.rejects(clients[name].ask(clients[name].of(who), question), (error) => {
        const failure = clients[name].failure(error);
        assert.equal(failure.status, status, `${name}: ${failure.message}`);
        assert.ok(failure.shape, `${name} ${status}: ${failure.message}`);
        return true;
      });
    }
  }
  const bare = await fetch(`${suite.url}/v1beta/models/openai:streamGenerateContent`, { method: 'POST', headers: { 'x-goog-api-key': suite.key, 'content-type': 'application/json' }, body: '{}' });
  assert.equal(bare.status, 400);
  assert.match((await bare.json()).error.message, /alt=sse/);
});

// The table of members that a translation knows (chat_loss.c) has every member that the SDKs' types have.
test('every member of a request is either translated or a loss with a reason', () => {
  const source = readFileSync(new URL('../../services/llm-proxy/chat/chat_loss.c', import.meta.url), 'utf8');
  const known = Object.fromEntries(CLIENTS.map((name) => {
    const body = source.match(new RegExp(`${name}_facts\\[\\] = \\{([\\s\\S]*?)\\{\\}\\};`))[1];
    return [name, new Set([...body.matchAll(/\{"\/([^"]+)"/g)].map((match) => match[1].split('/').at(-1)))];
  }));
  const membersOf = (file, declaration) => {
    const text = readFileSync(new URL(`../../build/scenario/node_modules/${file}`, import.meta.url), 'utf8');
    const body = text.slice(text.indexOf(declaration)).match(/\{([\s\S]*?)\n\}/)[1];
    return [...body.matchAll(/^ {4}([a-zA-Z_]+)\??:/gm)].map((match) => match[1]);
  };
  // Not of the request but of the SDK itself.
  const ours = new Set(['httpOptions', 'abortSignal', 'automaticFunctionCalling']);
  const types = {
    openai: membersOf('openai/resources/chat/completions/completions.d.ts', 'export interface ChatCompletionCreateParamsBase'),
    anthropic: membersOf('@anthropic-ai/sdk/resources/messages/messages.d.ts', 'export interface MessageCreateParamsBase'),
    gemini: [...membersOf('@google/genai/dist/genai.d.ts', 'export declare interface GenerateContentConfig '), ...membersOf('@google/genai/dist/genai.d.ts', 'export declare interface GenerationConfig ')],
  };
  for (const name of CLIENTS) {
    assert.ok(types[name].length > 15, `${name}: ${types[name].length} members`);
    assert.deepEqual(types[name].filter((member) => !known[name].has(member) && !ours.has(member)), [], name);
  }
});

// What is printed: members of answers (dialects) and of requests to upstreams, and the words that stand for kinds, ends and events.
test('every member and word that is printed is in the types of the SDKs', () => {
  const source = (file) => readFileSync(new URL(`../../services/llm-proxy/${file}`, import.meta.url), 'utf8');
  const types = (file) => readFileSync(new URL(`../../build/scenario/node_modules/${file}`, import.meta.url), 'utf8');
  const printed = {
    openai: { files: ['dialects/openai.c', 'dialects/openai_stream.c', 'chat/chat_print.c'], types: ['chat/completions/completions', 'completions', 'embeddings', 'shared', 'models'].map((name) => `openai/resources/${name}.d.ts`) },
    anthropic: { files: ['dialects/anthropic.c', 'dialects/anthropic_stream.c', 'providers/anthropic_print.c'], types: ['messages/messages', 'shared', 'models'].map((name) => `@anthropic-ai/sdk/resources/${name}.d.ts`) },
    gemini: { files: ['dialects/gemini.c', 'dialects/gemini_stream.c', 'providers/gemini_print.c'], types: ['@google/genai/dist/genai.d.ts'] },
  };
  // Not in the types: errors, which the SDKs read by hand; what stands for what is no JSON; names of our own; and what those have who imitate OpenAI.
  const known = {
    openai: ['error', 'code', 'type', 'reasoning_content', 'budget_exceeded', 'rate_limit_error', 'insufficient_quota', 'server_error', 'invalid_request_error', 'top_k', 'document.pdf'], anthropic: ['msg_unnamed', 'top_p', 'top_k'], // the last two of 2023-06-01 only
    gemini: ['requests', 'skip_thought_signature_validator', '@type', 'reason', 'domain', 'INVALID_ARGUMENT', 'UNAUTHENTICATED', 'FAILED_PRECONDITION', 'PERMISSION_DENIED', 'NOT_FOUND', 'ABORTED', 'RESOURCE_EXHAUSTED', 'UNIMPLEMENTED', 'UNAVAILABLE', 'DEADLINE_EXCEEDED', 'INTERNAL'],
  };
  for (const [name, of] of Object.entries(printed)) {
    const text = of.types.map(types).join('\n');
    const members = new Set([...text.matchAll(/^\s+(?:readonly )?['"]?([A-Za-z_]+)['"]?\??:/gm)].map((match) => match[1]));
    const words = new Set([...text.matchAll(/['"]([A-Za-z_.]+)['"]/g)].map((match) => match[1]));
    const code = of.files.map(source).join('\n');
    const keys = [...code.matchAll(/json_(?:put_\w+|member)\([^,;]+,\s*"([^"]+)"/g)].map((match) => match[1]);
    const values = [...code.matchAll(/"([a-z]+(?:[_.][a-z]+)+|[A-Z]+(?:_[A-Z]+)*)"/g)].map((match) => match[1]);
    assert.ok(keys.length > 40 && values.length > 20, `${name}: ${keys.length} members, ${values.length} words`);
    const own = new Set(['_invalid', ...known[name]]);
    assert.deepEqual([...new Set(keys)].filter((key) => !members.has(key) && !own.has(key)), [], `${name}: members`);
    assert.deepEqual([...new Set(values)].filter((value) => !words.has(value) && !members.has(value) && !own.has(value)), [], `${name}: words`);
  }
});
