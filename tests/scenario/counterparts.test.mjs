// Services of the outside world themselves, where they can be run here: what the adapters say is understood by them, and not only by
// stand-ins that were written from the same description.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Proof } from './support/proof.mjs';
import { Missing } from './support/real/debian.mjs';
import { Prometheus } from './support/real/prometheus.mjs';
import { WordPress } from './support/real/wordpress.mjs';
import { BIN } from './support/service.mjs';
import { scenario } from './support/suite.mjs';

const needs = ['scheduler', 'gateway', 'tool-adapter'];
const actions = JSON.parse(execFileSync(join(BIN, 'tutti'), ['adapter', 'list', '--json'])).items.map((one) => ({ ...one, name: one.function.split(':')[0] }));

const configOf = (world) => ({ limits: { breaker: { failures: 100 } }, secrets: world.secrets?.() ?? {}, tools: { connections: { [world.adapter]: world.connection() }, egress: { private_networks: ['127.0.0.0/8'], http_hosts: ['127.0.0.1'] } } });

// All actions of an adapter at the real service.
async function proves(suite, adapter, world) {
  const mine = actions.filter(({ name }) => name.startsWith(`${adapter}.`));
  const cases = world.cases();
  assert.deepEqual(Object.keys(cases).sort(), mine.map(({ name }) => name).sort(), 'a case for each action');
  await suite.until('they are registered', async () => (await suite.api.call('GET', `/v1/tools/${mine.at(-1).name}`)).status === 200);
  for (const action of mine) await new Proof(suite, action, cases[action.name], world).all();
}

// What it refuses is said in its words, and not tried again.
async function isRefused(suite, call, args, words) {
  const refusal = await suite.api.call('POST', `/v1/tools/${call}/invoke`, { arguments: args });
  assert.ok(refusal.status >= 400, `${call} was taken: ${JSON.stringify(refusal.body)}`);
  assert.match(JSON.stringify(refusal.body), words);
}

// The scenario `name` with the world that `start` gives, or why there is none here.
async function withReal(name, start, body) {
  const world = await start().catch((error) => error);
  if (world instanceof Missing) {
    test(name, { skip: world.message });
    return;
  }
  if (world instanceof Error) throw world;
  after(() => world.stop());
  scenario(name, { needs, config: configOf(world), checkNeeds: false }, (suite) => body(suite, world));
}

await withReal('Prometheus and its push gateway', () => Prometheus.start(), async (suite, world) => {
  await proves(suite, 'prometheus', world);
  await isRefused(suite, 'prometheus.query', { query: 'up{' }, /parse error: unexpected end of input/);
  await isRefused(suite, 'prometheus.push', { job: 'x', metrics: 'no metric at all' }, /text format parsing error|unexpected/);
});

if (process.env.TUTTI_LONG) {
  await withReal('WordPress', () => WordPress.start(), async (suite, world) => {
    await proves(suite, 'wordpress', world);
    await isRefused(suite, 'wordpress.get_post', { id: 99 }, /Invalid post ID/);
    await isRefused(suite, 'wordpress.upload_media', { body: { base64: 'PD9waHA=' }, name: 'a.php', mime: 'text/plain' }, /not allowed to upload this file type/);
  });
}
