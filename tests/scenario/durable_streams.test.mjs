// An answer that was bought is not bought again: not under the same Idempotency-Key, not when the llm-proxy dies, and not for a client that
// has lost its connection in the middle of a durable stream. The model counts what it is asked.
import assert from 'node:assert/strict';
import { after, beforeEach } from 'node:test';
import { Anthropic, GoogleGenAI, OpenAI } from './support/packages.mjs';
import { PacedModel } from './support/paced_model.mjs';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];
const LONG = Boolean(process.env.TUTTI_LONG);
const WORDS = ['one', ' two', ' three', ' four', ' five'];

const model = await PacedModel.start();
after(() => model.stop());
beforeEach(() => { model.asked = []; model.status = 200; });

const config = {
  llm: {
    providers: { paced: { type: 'openai-compatible', base_url: `${model.url}/v1`, price: 'free' } },
    routes: { paced: { targets: [{ model: 'paced/paced' }], retry: { attempts: 1 } } },
  },
};

const ask = (more) => ({ model: 'paced', messages: [{ role: 'user', content: 'hi' }], ...more });
const chat = (suite, key, body = ask()) => suite.api.call('POST', '/v1/chat/completions', body, { headers: key ? { 'idempotency-key': key } : {} });

// A reader of a stream, by its bytes.
class Reader {
  static async open(suite, headers = {}, body = ask({ stream: true })) {
    const reader = new Reader();
    reader.abort = new AbortController();
    reader.answer = await fetch(`${suite.url}/v1/chat/completions`, {
      method: 'POST', body: JSON.stringify(body), signal: reader.abort.signal,
      headers: { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json', 'tutti-durable': 'true', ...headers },
    });
    reader.text = '';
    reader.isOver = false;
    reader.over = reader.#read();
    return reader;
  }

  async #read() {
    try {
      for await (const bytes of this.answer.body) this.text += Buffer.from(bytes).toString();
    } catch {
      // its connection was lost
    }
    this.isOver = true;
  }

  get stream() {
    return this.answer.headers.get('tutti-stream');
  }

  // What has come whole.
  get frames() {
    return this.text.split('\n\n').slice(0, -1);
  }

  get lastId() {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1];
  }

  leave() {
    this.abort.abort();
    return this.over;
  }
}

const has = (suite, reader, text) => suite.until(`${JSON.stringify(text)} has come`, () => reader.text.includes(text));

// A stream that has said `count` words.
async function begin(suite, count, headers) {
  const opening = Reader.open(suite, headers);
  await suite.until('the model is asked', () => model.open === 1);
  for (const word of WORDS.slice(0, count)) model.say(word);
  const reader = await opening;
  assert.equal(reader.answer.status, 200);
  if (count > 0) await has(suite, reader, `"${WORDS[count - 1]}"`);
  return reader;
}

const finish = (from) => {
  for (const word of WORDS.slice(from)) model.say(word);
  model.end();
};

scenario('one key, one paid answer, also when the proxy dies', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const first = chat(suite, 'k1');
  await suite.until('the model is asked', () => model.open === 1);
  const running = await chat(suite, 'k1');
  assert.equal(running.status, 409);
  assert.equal(running.body.error.code, 'idempotency_in_progress');
  const other = await chat(suite, 'k1', ask({ temperature: 1 }));
  assert.equal(other.status, 422);
  assert.equal(other.body.error.code, 'idempotency_key_reused');
  model.end('hello');
  const bought = await first;
  assert.equal(bought.status, 200);
  assert.equal(bought.headers.get('idempotent-replayed'), null);

  const check = async () => {
    const again = await suite.until('it is given again', async () => {
      const answer = await chat(suite, 'k1').catch(() => null);
      return answer?.status === 200 && answer;
    });
    assert.equal(again.text, bought.text);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.equal(again.headers.get('tutti-cost-usd'), '0');
    assert.equal((await chat(suite, 'k1', ask({ temperature: 1 }))).status, 422);
    assert.equal(model.asked.length, 1);
  };
  await check();
  await suite['llm-proxy'].kill();
  await suite['llm-proxy'].start();
  await check();

  // What failed was not bought.
  model.status = 500;
  assert.equal((await chat(suite, 'k2')).status, 502);
  model.status = 200;
  const retried = chat(suite, 'k2');
  await suite.until('the model is asked again', () => model.open === 1);
  model.end('late');
  assert.equal((await retried).status, 200);

  // A stream is given again as it was; without a key nothing is kept.
  model.asked = [];
  const one = await begin(suite, 2, { 'idempotency-key': 'k3', 'tutti-durable': 'false' });
  assert.equal(one.stream, null);
  finish(2);
  await one.over;
  const again = await Reader.open(suite, { 'idempotency-key': 'k3', 'tutti-durable': 'false' });
  await again.over;
  assert.equal(again.text, one.text);
  assert.match(again.text, /data: \[DONE\]\n\n$/);
  assert.doesNotMatch(again.text, /^id:/m);
  assert.equal(again.answer.headers.get('idempotent-replayed'), 'true');
  assert.equal(model.asked.length, 1);
  assert.equal((await chat(suite, 'with space')).status, 400);

  // SDKs take durable streams as they take others.
  const durable = { 'tutti-durable': 'true' };
  const said = { openai: '', anthropic: '', gemini: '' };
  const openai = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0, defaultHeaders: durable });
  const { data, response } = await openai.chat.completions.create({ model: 'simulated', messages: ask().messages, stream: true }).withResponse();
  assert.ok(response.headers.get('tutti-stream'));
  for await (const chunk of data) said.openai += chunk.choices[0]?.delta.content ?? '';
  const anthropic = new Anthropic({ baseURL: suite.url, apiKey: suite.key, maxRetries: 0, defaultHeaders: durable });
  said.anthropic = await anthropic.messages.stream({ model: 'simulated', max_tokens: 1000, messages: ask().messages }).finalText();
  const gemini = new GoogleGenAI({ apiKey: suite.key, httpOptions: { baseUrl: suite.url, headers: durable } });
  for await (const chunk of await gemini.models.generateContentStream({ model: 'simulated', contents: 'hi' })) said.gemini += chunk.text ?? '';
  for (const [sdk, text] of Object.entries(said)) assert.match(text, /^\[simulated\] /, sdk);
});

scenario('a durable stream goes on where its client was', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const first = await begin(suite, 2);
  assert.match(first.stream, /^[0-9a-f]{12}-[0-9a-f]{16}$/);
  assert.equal(first.lastId, `${first.stream}:2`);
  await first.leave();

  // Another one reads all of it; the one that lost its connection goes on; a gateway dies between.
  model.say(WORDS[2]);
  const whole = await Reader.open(suite, { 'last-event-id': `${first.stream}:0` });
  await has(suite, whole, WORDS[2]);
  await suite.gateway.kill();
  await whole.over;
  await suite.gateway.start();
  model.say(WORDS[3]);
  const rest = await suite.until('the gateway is there', () => Reader.open(suite, { 'last-event-id': whole.lastId }).then((reader) => (reader.answer.status === 200 ? reader : null), () => null));
  await has(suite, rest, WORDS[3]);
  finish(4);
  await rest.over;
  const resumed = await Reader.open(suite, { 'last-event-id': first.lastId });
  await resumed.over;
  const all = await Reader.open(suite, { 'last-event-id': `${first.stream}:0` });
  await all.over;
  assert.equal(`${whole.text}${rest.text}`, all.text, 'byte for byte');
  assert.equal(`${first.text}${resumed.text}`, all.text);
  assert.match(all.text, /data: \[DONE\]\n\n$/);
  assert.equal(all.stream, first.stream);
  assert.deepEqual(all.frames.map((frame) => /^id: .*:(\d+)$/m.exec(frame)[1]), all.frames.map((_, i) => `${i + 1}`));
  assert.equal(model.asked.length, 1);

  // What is over outlives the proxy, and the gateway.
  await suite['llm-proxy'].kill();
  await suite['llm-proxy'].start();
  const kept = await suite.until('it is found', () => Reader.open(suite, { 'last-event-id': `${first.stream}:3` }).then((reader) => (reader.answer.status === 200 ? reader : null)));
  await kept.over;
  assert.equal(kept.text, all.text.slice(all.text.indexOf(`id: ${first.stream}:4`)));

  // The end, nobody's, another namespace's, and nonsense.
  const ended = await Reader.open(suite, { 'last-event-id': all.lastId });
  await ended.over;
  assert.equal(ended.text, '');
  for (const id of [`${first.stream.slice(0, 13)}0000000000000001:1`, 'aaaaaaaaaaaa-0000000000000001:1', 'x:1']) {
    const gone = await Reader.open(suite, { 'last-event-id': id });
    await gone.over;
    assert.equal(gone.answer.status, 410, id);
    assert.equal(JSON.parse(gone.text).error.code, 'stream_expired');
  }
  for (const id of ['7', 'x:', ':1', 'x:1y', `${'x'.repeat(80)}:1`, 'x:99999999999999999999']) {
    const broken = await Reader.open(suite, { 'last-event-id': id });
    assert.equal(broken.answer.status, 400, id);
    await broken.over;
  }
  const foreign = await suite.api.ok('POST', '/v1/api-keys', { name: 'other', roles: ['operator'], namespace: 'other' });
  const refused = await Reader.open(suite, { 'last-event-id': all.lastId, authorization: `Bearer ${foreign.key}` });
  await refused.over;
  assert.equal(refused.answer.status, 410);
  assert.equal(model.asked.length, 1);

  // A proxy that dies in the middle leaves an end behind all that was seen.
  const reopen = (id) => suite.until('the proxy is back', () => Reader.open(suite, { 'last-event-id': id }).then((reader) => (reader.answer.status === 200 ? reader : null)));
  for (const words of LONG ? [1, 3, 5] : [2]) {
    model.asked = [];
    const cut = await begin(suite, words, { 'idempotency-key': `cut-${words}` });
    await suite['llm-proxy'].kill();
    await cut.over;
    await suite['llm-proxy'].start();
    const resumed = await reopen(cut.lastId);
    await resumed.over;
    const [last] = resumed.frames.slice(-1);
    assert.match(last, new RegExp(`^id: ${cut.stream}:9223372036854775807\n`), 'after all that was seen');
    assert.match(last, /"code":"interrupted"/);
    const end = await reopen(resumed.lastId);
    await end.over;
    assert.equal(end.text, '');
    const all = await reopen(`${cut.stream}:0`);
    await all.over;
    assert.equal(all.frames.at(-1), last);
    assert.ok(cut.text.startsWith(all.frames.slice(0, -1).map((frame) => `${frame}\n\n`).join('')), 'no sequence stands for two contents');
    assert.equal(model.asked.length, 1);
  }

  // As soon as a client has seen the end, the answer is kept.
  for (let round = 0; round < (LONG ? 10 : 1); round++) {
    model.asked = [];
    const headers = { 'idempotency-key': `end-${round}` };
    const reader = await begin(suite, 3, headers);
    finish(3);
    await has(suite, reader, 'data: [DONE]');
    await suite['llm-proxy'].kill();
    await reader.over;
    await suite['llm-proxy'].start();
    const all = await reopen(`${reader.stream}:0`);
    await all.over;
    assert.equal(all.text, reader.text.slice(0, all.text.length));
    assert.match(all.text, /data: \[DONE\]\n\n$/);
    const again = await Reader.open(suite, headers);
    await again.over;
    assert.equal(again.text, all.text);
    assert.equal(model.asked.length, 1);
  }
});
