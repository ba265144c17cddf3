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
  const seen = last();
  assert.equal(seen.messages[0].content, 'Report to [EMAIL_1].');
  assert.deepEqual(seen.messages[1].content, [{ type: 'text', text: 'I am [EMAIL_2]' }, { type: 'image_url', image_url: { url: IMAGE } }]);
  assert.deepEqual(JSON.parse(seen.messages[2].tool_calls[0].function.arguments), { to: '[EMAIL_2]', card: '[CARD_1]' });
  assert.equal(seen.messages[3].content, '{"mail":"[EMAIL_2]"}');
  assert.equal(seen.tools[0].function.description, 'To an address like x@example.org');
  assert.equal(seen.user, 'u-1');

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
