// Personal data in prompts: masked, hashed or blocked before an upstream sees them, in every protocol and in jobs.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Anthropic, GoogleGenAI, OpenAI } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const PROMPT = 'Ann (ann@example.org) paid with 4111 1111 1111 1111; ask ann@example.org or bob@example.org.';
const MASKED = 'Ann ([EMAIL_1]) paid with [CARD_1]; ask [EMAIL_1] or [EMAIL_2].';
const IMAGE = 'https://images.example.org/x.png?token=abcdef123456';

const upstream = await Upstream.start((request) => {
  const body = JSON.parse(request.body);
  if (body.input) {
    return { body: { object: 'list', data: body.input.map((_, index) => ({ object: 'embedding', index, embedding: [1] })), model: 'e', usage: { prompt_tokens: 1, total_tokens: 1 } } };
  }
  const message = { role: 'assistant', content: 'done' };
  return { body: { id: 'x', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } } };
});
const folder = mkdtempSync(join(tmpdir(), 'tutti-pii-'));
writeFileSync(join(folder, 'pii'), 'a key of more than sixteen bytes', { mode: 0o600 });
after(async () => {
  rmSync(folder, { recursive: true });
  await upstream.stop();
});

const target = { targets: [{ model: 'test/m' }] };
const config = {
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${upstream.url}/v1`, price: 'free' } },
    routes: { writer: target, open: target, closed: target, hashed: target },
    pii: {
      mode: 'mask',
      routes: {
        open: { mode: 'allow' },
        closed: { mode: 'block', kinds: ['card', 'email'] },
        hashed: { mode: 'hash', key: { secret: 'pii' } },
      },
    },
  },
  secrets: { pii: { file: join(folder, 'pii') } },
};

const last = () => JSON.parse(upstream.requests.at(-1).body);
const ASK = `
document: { dsl: '1.0.3', namespace: default, name: ask, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { model: '\${ $workflow.input.model }', prompt: '\${ $workflow.input.prompt }' } }
`;

scenario('what an upstream sees of a prompt is what the rule of its route leaves', { needs: ['scheduler', 'gateway', 'llm-proxy'], config, checkNeeds: false }, async (suite) => {
  const openai = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0 });
  const anthropic = new Anthropic({ baseURL: suite.url, apiKey: suite.key, maxRetries: 0 });
  const gemini = new GoogleGenAI({ apiKey: suite.key, httpOptions: { baseUrl: suite.url } });
  const ask = (model) => openai.chat.completions.create({ model, messages: [{ role: 'user', content: PROMPT }] });

  await ask('writer');
  assert.equal(last().messages[0].content, MASKED);
  await ask('open');
  assert.equal(last().messages[0].content, PROMPT);
  await ask('hashed');
  const hashed = last().messages[0].content;
  assert.match(hashed, /^Ann \(\[EMAIL_[0-9a-f]{12}\]\) paid with \[CARD_[0-9a-f]{12}\]/);
  await ask('hashed');
  assert.equal(last().messages[0].content, hashed, 'the same value, the same hash');

  // Results and arguments of tools, system prompts, parts; addresses of images and schemas stay.
  await openai.chat.completions.create({
    model: 'writer',
    user: 'u-1',
    messages: [
      { role: 'system', content: 'Report to bob@example.org.' },
      { role: 'user', content: [{ type: 'text', text: 'I am ann@example.org' }, { type: 'image_url', image_url: { url: IMAGE } }] },
      { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'pay', arguments: '{"to": "ann@example.org", "card": 4111111111111111}' } }] },
      { role: 'tool', tool_call_id: 'call_1', content: '{"mail":"ann@example.org"}' },
    ],
    tools: [{ type: 'function', function: { name: 'pay', description: 'To an address like x@example.org', parameters: { type: 'object' } } }],
  });
  const asked_of = last();
  assert.equal(asked_of.messages[0].content, 'Report to [EMAIL_1].');
  assert.deepEqual(asked_of.messages[1].content, [{ type: 'text', text: 'I am [EMAIL_2]' }, { type: 'image_url', image_url: { url: IMAGE } }]);
  assert.deepEqual(JSON.parse(asked_of.messages[2].tool_calls[0].function.arguments), { to: '[EMAIL_2]', card: '[CARD_1]' });
  assert.equal(asked_of.messages[3].content, '{"mail":"[EMAIL_2]"}');
  assert.equal(asked_of.tools[0].function.description, 'To an address like x@example.org');
  assert.equal(asked_of.user, 'u-1');

  await anthropic.messages.create({ model: 'writer', max_tokens: 10, system: 'I am ann@example.org', messages: [{ role: 'user', content: PROMPT }] });
  assert.equal(last().messages.at(-1).content, 'Ann ([EMAIL_1]) paid with [CARD_1]; ask [EMAIL_1] or [EMAIL_2].');
  assert.ok(!upstream.requests.at(-1).body.includes('ann@'));
  await gemini.models.generateContent({ model: 'writer', contents: PROMPT });
  assert.ok(upstream.requests.at(-1).body.includes(MASKED));
  await openai.embeddings.create({ model: 'writer', input: ['ann@example.org', 'clean'] });
  assert.deepEqual(last().input, ['[EMAIL_1]', 'clean']);

  // Blocked: in each protocol's shape, with kinds and without values, and the upstream is not asked.
  const asked = upstream.requests.length;
  const isBlocked = (error) => {
    assert.equal(error.status, 422);
    assert.match(error.message, /email, card/);
    assert.ok(!/ann@|4111/.test(error.message));
    return true;
  };
  await assert.rejects(ask('closed'), (error) => isBlocked(error) && error.code === 'pii_blocked');
  await assert.rejects(anthropic.messages.create({ model: 'closed', max_tokens: 10, messages: [{ role: 'user', content: PROMPT }] }), isBlocked);
  await assert.rejects(gemini.models.generateContent({ model: 'closed', contents: PROMPT }), isBlocked);
  assert.equal(upstream.requests.length, asked);
  await openai.chat.completions.create({ model: 'closed', messages: [{ role: 'user', content: 'from 192.0.2.1' }] });
  assert.equal(last().messages[0].content, 'from 192.0.2.1', 'only what the rule names is looked for');

  // Jobs.
  await suite.apply(ASK);
  const run = await suite.runEnds((await suite.startRun('ask', { model: 'writer', prompt: PROMPT })).id);
  assert.equal(run.output.content, 'done');
  assert.equal(last().messages[0].content, MASKED);
  const blocked = await suite.runEnds((await suite.startRun('ask', { model: 'closed', prompt: PROMPT })).id, 'faulted');
  assert.match(blocked.error.detail, /email, card/);
  assert.ok(!JSON.stringify(blocked.error).includes('4111'));
});

// Few calls: of more than ten a second the log only says how many there were.
const logged = { ...config, llm: { ...config.llm, log_content: 'masked' } };
scenario('the log shows what is asked and answered, without personal data', { needs: ['scheduler', 'gateway', 'llm-proxy'], config: logged, checkNeeds: false }, async (suite) => {
  const openai = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0 });
  await openai.chat.completions.create({ model: 'open', messages: [{ role: 'user', content: PROMPT }] }); // whatever the route says
  for await (const chunk of await openai.chat.completions.create({ model: 'open', stream: true, messages: [{ role: 'user', content: 'x'.repeat(10_000) }] })) assert.ok(chunk.id);
  await suite.apply(ASK);
  const run = await suite.runEnds((await suite.startRun('ask', { model: 'writer', prompt: PROMPT })).id);
  const seen = await suite.until('the log has it', async () => {
    const lines = (await suite['llm-proxy'].lines()).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    const all = lines.filter(({ msg }) => msg === 'llm.request' || msg === 'llm.answer');
    return all.length === 6 && all;
  });
  const shown = JSON.stringify(seen);
  assert.ok(!/ann@|bob@|4111 1111/.test(shown), shown);
  const [open, long, job] = seen.filter(({ msg }) => msg === 'llm.request');
  assert.ok(open.content.includes(MASKED) && open.request_id && open.operation === 'chat', shown);
  assert.ok(long.content.length === 2000 && long.content_bytes > 10_000, shown);
  assert.ok(job.run === run.id && job.job && job.content.includes('[EMAIL_1]'), shown);
  assert.deepEqual(seen.filter(({ msg }) => msg === 'llm.answer').map(({ content }) => content), ['done', 'done', 'done']);
});
