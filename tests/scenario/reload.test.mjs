// The configuration of the llm-proxy is read anew on SIGHUP, or when its file changes: routes, providers, keys, prices. Calls under way keep the one before.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const answer = { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }], usage: { prompt_tokens: 1000, completion_tokens: 0 } };
let release;
const held = new Promise((resolve) => { release = resolve; });
const upstream = await Upstream.start(async ({ body }) => {
  if (body.includes('hold on')) await held;
  return { body: answer };
});
after(() => upstream.stop());

const provider = { type: 'openai-compatible', base_url: `${upstream.url}/v1`, keys: [{ secret: 'UP' }] };
const one = (model) => ({ targets: [{ model }], retry: { attempts: 1 } });
const config = { llm: { providers: { up: provider }, routes: { before: one('up/m') }, prices: { 'up/m': { input: '1', output: '1' } } } };

scenario('the llm-proxy reads its configuration anew', { needs: ['scheduler', 'gateway'], config, checkNeeds: false }, async (suite) => {
  const proxy = suite['llm-proxy'];
  const file = join(suite.folder, 'tutti.yaml');
  const chat = (model, content = 'hello') => suite.api.call('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content }] });
  const write = async (change, signal = 'SIGHUP') => {
    const now = JSON.parse(await readFile(file, 'utf8'));
    change(now.llm);
    await writeFile(file, JSON.stringify(now, null, 1));
    if (signal) proxy.child.kill(signal);
  };
  await writeFile(join(suite.folder, 'UP'), 'key-one', { mode: 0o600 });
  await proxy.start();
  await proxy.ready();

  const first = await suite.until('a model answers', async () => {
    const seen = await chat('before');
    return seen.status === 200 && seen;
  });
  assert.equal(first.headers.get('tutti-cost-usd'), '0.001');
  assert.equal(upstream.requests.at(-1).headers.authorization, 'Bearer key-one');
  const waiting = chat('before', 'hold on');
  await suite.until('it is asked', () => upstream.requests.at(-1).body.includes('hold on'));

  // Another route, another key, another price, another provider.
  await writeFile(join(suite.folder, 'UP'), 'key-two', { mode: 0o600 });
  await write((llm) => {
    llm.providers = { other: { ...provider, keys: [] }, up: provider, demo: { type: 'simulated' } };
    llm.routes = { after: one('up/m'), second: one('other/m') };
    llm.prices = { 'up/m': { input: '3', output: '1' }, 'other/m': { input: '5', output: '1' } };
  });
  const second = await suite.until('the new route is there', async () => {
    const seen = await chat('after');
    return seen.status === 200 && seen;
  });
  assert.equal(second.headers.get('tutti-cost-usd'), '0.003');
  assert.equal(upstream.requests.at(-1).headers.authorization, 'Bearer key-two');
  assert.equal((await chat('second')).headers.get('tutti-cost-usd'), '0.005');
  assert.equal((await chat('before')).status, 404);
  const { data } = await suite.api.ok('GET', '/v1/models');
  assert.ok(data.some(({ id }) => id === 'second') && !data.some(({ id }) => id === 'before'));

  // What was under way ends as it began.
  release();
  const late = await waiting;
  assert.equal(late.status, 200);
  assert.equal(late.headers.get('tutti-cost-usd'), '0.001');

  // A mistake changes nothing, and is told until it is mended.
  const note = async () => (await (await fetch(`http://${proxy.host}:${proxy.adminPort}/health/ready`)).json()).note;
  assert.equal(await note(), undefined);
  await write((llm) => { llm.routes.broken = one('nobody/m'); delete llm.routes.after; });
  await suite.until('health says so', async () => /mistakes/.test(await note()));
  assert.equal((await chat('after')).status, 200);
  assert.ok((await proxy.lines()).some((line) => line.includes('the one before holds')));
  await write((llm) => { llm.routes.broken = one('up/m'); }, null); // the file alone says so
  await suite.until('it is well again', async () => (await note()) === undefined);
  assert.equal((await chat('broken')).status, 200);
  assert.equal((await chat('after')).status, 404);
});
