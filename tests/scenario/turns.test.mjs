// Conversations of several turns with models that want their own thoughts back: Gemini 3, which refuses a call without its signature,
// and Claude, which wants its thoughts before its calls. The clients are the SDKs, unmodified, whose protocols have no place for them.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Anthropic, GoogleGenAI, OpenAI } from './support/packages.mjs';
import { Upstream } from './support/upstream.mjs';
import { scenario } from './support/suite.mjs';

const TOOLS = ['crm.find customer', 'news'];
const signed = (turn) => `sig-${turn}-${'x'.repeat(300)}`;
const refuse = (message) => ({ status: 400, body: { error: { code: 400, type: 'invalid_request_error', message, status: 'INVALID_ARGUMENT' }, type: 'error' } });
const sse = (events) => ({ headers: { 'content-type': 'text/event-stream' }, text: events.map((event) => `${event.type ? `event: ${event.type}\n` : ''}data: ${JSON.stringify(event)}\n\n`).join('') });

// --- what they say in each of their three turns, and what they want to see of it in the next ---------

const sentinel = 'skip_thought_signature_validator';

const gemini = {
  // Two calls, of which the first is signed; one; a text.
  parts: (turn, [find, news]) => [
    [{ text: 'I look.', thought: true }, { functionCall: { name: find, args: { id: 7 }, id: 'g1' }, thoughtSignature: signed(0) }, { functionCall: { name: news, args: {}, id: 'g2' } }],
    [{ functionCall: { name: news, args: { more: true }, id: 'g3' }, thoughtSignature: signed(1) }],
    [{ text: 'all done' }],
  ][turn],
  answer({ path, body: text }) {
    const body = JSON.parse(text);
    const names = body.tools[0].functionDeclarations.map(({ name }) => name);
    if (names.some((name) => !/^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$/.test(name))) return refuse(`a function is named ${names}`);
    const said = body.contents.filter(({ role }) => role === 'model').map(({ parts }) => parts.filter((part) => part.functionCall));
    for (const [turn, calls] of said.entries()) {
      const wanted = gemini.parts(turn, names).filter((part) => part.functionCall);
      const given = calls.map(({ functionCall: { name, args, id }, thoughtSignature }) => ({ functionCall: { name, args, id }, ...(thoughtSignature && { thoughtSignature }) }));
      if (calls[0].thoughtSignature === sentinel) continue;
      if (JSON.stringify(given) !== JSON.stringify(wanted)) return refuse(`missing a thought_signature: ${JSON.stringify(given)}`);
    }
    const event = { candidates: [{ content: { role: 'model', parts: gemini.parts(said.length, names) }, finishReason: 'STOP', index: 0 }], usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 }, responseId: `r${said.length}` };
    return path.endsWith('streamGenerateContent') ? sse([event]) : { body: event };
  },
};

const claude = {
  blocks: (turn, [find, news]) => [
    [{ type: 'thinking', thinking: 'I look.', signature: signed(0) }, { type: 'redacted_thinking', data: 'c2VhbGVk' }, { type: 'text', text: 'One moment.' },
      { type: 'tool_use', id: 'toolu_1', name: find, input: { id: 7 } }, { type: 'tool_use', id: 'toolu_2', name: news, input: {} }],
    [{ type: 'thinking', thinking: '', signature: signed(1) }, { type: 'tool_use', id: 'toolu_3', name: news, input: { more: true } }],
    [{ type: 'text', text: 'all done' }],
  ][turn],
  answer({ body: text }) {
    const body = JSON.parse(text);
    const names = body.tools.map(({ name }) => name);
    if (names.some((name) => !/^[A-Za-z0-9_-]{1,128}$/.test(name))) return refuse(`a tool is named ${names}`);
    const said = body.messages.filter(({ role }) => role === 'assistant').map(({ content }) => content);
    for (const [turn, blocks] of said.entries()) {
      if (JSON.stringify(blocks) !== JSON.stringify(claude.blocks(turn, names))) return refuse(`Expected thinking blocks as they were: ${JSON.stringify(blocks)}`);
    }
    const blocks = claude.blocks(said.length, names);
    const message = { id: 'msg', type: 'message', role: 'assistant', model: 'claude', stop_sequence: null, usage: { input_tokens: 3, output_tokens: 2 } };
    const reason = blocks.at(-1).type === 'tool_use' ? 'tool_use' : 'end_turn';
    if (!body.stream) return { body: { ...message, content: blocks, stop_reason: reason } };
    const deltas = {
      thinking: ({ thinking, signature }) => [{ type: 'thinking_delta', thinking: thinking.slice(0, 3) }, { type: 'thinking_delta', thinking: thinking.slice(3) }, { type: 'signature_delta', signature }],
      redacted_thinking: () => [], text: ({ text }) => [{ type: 'text_delta', text }],
      tool_use: ({ input }) => [{ type: 'input_json_delta', partial_json: JSON.stringify(input) }],
    };
    const empty = { thinking: { thinking: '', signature: '' }, text: { text: '' }, tool_use: { input: {} } };
    return sse([
      { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
      ...blocks.flatMap((block, index) => [
        { type: 'content_block_start', index, content_block: { ...block, ...empty[block.type] } },
        ...deltas[block.type](block).map((delta) => ({ type: 'content_block_delta', index, delta })), { type: 'content_block_stop', index }]),
      { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 2 } }, { type: 'message_stop' },
    ]);
  },
};

const upstream = await Upstream.start((request) => (request.path.endsWith('/messages') ? claude : gemini).answer(request));
after(() => upstream.stop());
const asked = () => JSON.parse(upstream.requests.at(-1).body);

const config = {
  llm: {
    providers: { gemini: { type: 'gemini', base_url: `${upstream.url}/v1beta` }, claude: { type: 'anthropic', base_url: upstream.url } },
    routes: { gemini: { targets: [{ model: 'gemini/gemini-3-pro' }], retry: { attempts: 1 } }, claude: { targets: [{ model: 'claude/claude-x' }], retry: { attempts: 1 } } },
  },
};

// --- clients: each keeps its conversation as its SDK does -------------------------------------------

const parameters = { type: 'object', properties: {} };

const clients = {
  openai: (suite, headers, marks = {}) => {
    const client = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0, defaultHeaders: headers });
    const messages = [{ role: 'user', content: 'go' }];
    const body = (model) => ({ model, max_completion_tokens: 99, messages, tools: TOOLS.map((name) => ({ type: 'function', function: { name, parameters } })) });
    return {
      messages,
      async turn(model, stream) {
        let message;
        if (stream) message = (await client.chat.completions.stream(body(model)).finalChatCompletion()).choices[0].message;
        else message = (await client.chat.completions.create(body(model))).choices[0].message;
        const { role, content, tool_calls: calls } = message;
        messages.push({ role, content, ...(calls?.length > 0 && { tool_calls: calls.map(({ id, type, function: { name, arguments: args } }) => ({ id, type, function: { name, arguments: args } })) }) });
        for (const [index, call] of (calls ?? []).entries()) messages.push({ role: 'tool', tool_call_id: call.id, content: 'found', ...(index === 0 && marks) });
        return { text: content, calls: (calls ?? []).map(({ id, function: { name } }) => ({ id, name })) };
      },
    };
  },
  anthropic: (suite) => {
    const client = new Anthropic({ baseURL: suite.url, apiKey: suite.key, maxRetries: 0 });
    const messages = [{ role: 'user', content: 'go' }];
    return {
      async turn(model, stream) {
        const body = { model, max_tokens: 99, messages, tools: TOOLS.map((name) => ({ name, input_schema: parameters })) };
        const { content } = stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
        const calls = content.filter(({ type }) => type === 'tool_use');
        messages.push({ role: 'assistant', content }, { role: 'user', content: calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'found' })) });
        return { text: content.find(({ type }) => type === 'text')?.text, calls };
      },
    };
  },
  gemini: (suite) => {
    const client = new GoogleGenAI({ apiKey: suite.key, httpOptions: { baseUrl: suite.url } });
    const contents = [{ role: 'user', parts: [{ text: 'go' }] }];
    return {
      async turn(model, stream) {
        const body = { model, contents, config: { maxOutputTokens: 99, tools: [{ functionDeclarations: TOOLS.map((name) => ({ name, parametersJsonSchema: parameters })) }] } };
        const events = [];
        if (stream) for await (const event of await client.models.generateContentStream(body)) events.push(event);
        else events.push(await client.models.generateContent(body));
        const parts = events.flatMap((event) => event.candidates?.[0]?.content?.parts ?? []);
        const calls = parts.filter((part) => part.functionCall).map((part) => part.functionCall);
        contents.push({ role: 'model', parts }, { role: 'user', parts: calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { output: 'found' } } })) });
        return { text: parts.filter((part) => part.text && !part.thought).map((part) => part.text).join(''), calls };
      },
    };
  },
};

// --- scenarios ---------------------------------------------------------------------------------------

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const pairs = [['openai', 'gemini'], ['openai', 'claude'], ['anthropic', 'gemini'], ['gemini', 'claude']];

scenario('a model gets its own thoughts back over the turns, and cache markers', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  for (const [client, model] of pairs) {
    for (const stream of [false, true]) {
      const name = `${client} with ${model}${stream ? ', streamed' : ''}`;
      const conversation = clients[client](suite);
      const first = await conversation.turn(model, stream);
      assert.deepEqual(first.calls.map((call) => call.name), TOOLS, name);
      assert.match(first.calls[0].id, /^tc-[0-9a-f]{12}-[0-9a-f]+$/, name);
      assert.doesNotMatch(first.calls[1].id, /^tc-/, `${name}: what is not signed keeps its id`);
      const second = await conversation.turn(model, stream);
      assert.deepEqual(second.calls.map((call) => call.name), [TOOLS[1]], name);
      assert.equal((await conversation.turn(model, stream)).text, 'all done', name);
    }
  }

  const marks = { cache_control: { type: 'ephemeral', ttl: '1h' } };
  const results = () => asked().messages.filter(({ role }) => role === 'user').flatMap(({ content }) => content).filter(({ type }) => type === 'tool_result');
  const { messages, turn } = clients.openai(suite, {}, marks);
  await turn('claude');
  await turn('claude');
  assert.deepEqual(results()[0].cache_control, marks.cache_control);
  for (const message of messages) delete message.cache_control;
  await turn('claude');
  assert.deepEqual(results().map((result) => result.cache_control), [marks.cache_control, undefined, undefined]);
});

scenario('what is gone is said, and refused where nothing may be lost', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const { messages, turn } = clients.openai(suite);
  await turn('gemini');
  const ask = (model, headers = {}) => suite.api.call('POST', '/v1/chat/completions', {
    model, max_completion_tokens: 9, messages, tools: ['find', 'news'].map((name) => ({ type: 'function', function: { name, parameters } })) }, { headers });
  // Renamed in the history, so its first turn is strict about that only: here nothing is.
  messages[1].tool_calls[0].function.name = 'find';
  const strict = { 'tutti-strict': 'true' };

  // Another model does not get what this one has signed, and says so.
  const other = await ask('claude', strict);
  assert.equal(other.status, 422);
  assert.match(other.body.error.message, /tool_calls\/0 .*vault_miss/);
  assert.equal(other.body.error.code, 'conversion_loss');

  // A proxy whose disk is gone knows nothing of before; Gemini takes the word for that.
  await suite['llm-proxy'].kill();
  await rm(join(suite.folder, 'llm'), { recursive: true });
  await suite['llm-proxy'].start();
  const missed = await suite.until('the llm-proxy answers again', async () => {
    const answer = await ask('gemini');
    return answer.status === 200 && answer;
  });
  assert.match(missed.headers.get('tutti-loss'), /\/messages\/1\/tool_calls\/0/);
  assert.equal(asked().contents[1].parts[0].thoughtSignature, sentinel);
  const refused = await ask('gemini', strict);
  assert.equal(refused.status, 422);
  assert.match(refused.body.error.message, /vault_miss/);
});
