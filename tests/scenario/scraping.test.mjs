// Pages of strangers: what selectors find, manners, limits, and where nobody may go.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { gzipSync } from 'node:zlib';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const html = (text, headers = {}) => ({ text, headers: { 'content-type': 'text/html; charset=utf-8', ...headers } });
const shop = html(`<html><head><title>Shop</title><meta name=description content="All things"></head><body><h1>Things</h1>
  <div class=item data-id=1><h2>One</h2><a href="/one">more</a></div><div class=item data-id=2><h2>Two</h2></div>
  <script>track()</script><a href="mailto:a@b.test">mail</a></body></html>`);

let open = 0;
let most = 0;
const robots = { status: 200, text: 'User-agent: *\nDisallow: /private\n', headers: { 'content-type': 'text/plain' } };
const pages = {
  '/': () => shop,
  '/robots.txt': () => robots,
  '/russian': () => ({ text: Buffer.from([0x3c, 0x70, 0x3e, 0xcd, 0xc5]), headers: { 'content-type': 'text/html; charset=windows-1251' } }),
  '/moved': () => ({ status: 302, headers: { location: '/' }, text: '' }),
  '/loop': () => ({ status: 302, headers: { location: '/loop' }, text: '' }),
  '/to-private': () => ({ status: 302, headers: { location: '/private/x' }, text: '' }),
  '/to-metadata': () => ({ status: 302, headers: { location: 'http://169.254.169.254/latest/meta-data/' }, text: '' }),
  '/to-file': () => ({ status: 302, headers: { location: 'file:///etc/passwd' }, text: '' }),
  '/bomb': () => ({ text: gzipSync(Buffer.alloc(20 << 20, 'a')), headers: { 'content-type': 'text/html', 'content-encoding': 'gzip' } }),
  '/deep': () => html('<div>'.repeat(5000)),
  '/pdf': () => ({ text: '%PDF-', headers: { 'content-type': 'application/pdf' } }),
  '/busy': () => ({ status: 503, text: '' }),
};
const site = await Upstream.start(async ({ path }) => {
  open++;
  most = Math.max(most, open);
  await new Promise((resolve) => setImmediate(resolve));
  open--;
  return pages[path]?.() ?? (path.startsWith('/page/') ? html(`<title>${path.slice(6)}</title>`) : { status: 404, text: '' });
});
after(() => site.stop());

const needs = ['scheduler', 'gateway', 'tool-adapter'];
const config = {
  tools: {
    egress: { private_networks: ['127.0.0.0/8'], http_hosts: ['127.0.0.1', 'localhost', '169.254.169.254'] },
    connections: { web: { adapter: 'web', config: { contact: 'https://example.org/robot' }, allow_private: true }, strangers: { adapter: 'web' } },
  },
};

// One call with what the run is given; `without` leaves parameters to their defaults.
const workflow = (name, parameters, without = '') => `
document: { dsl: '1.0.3', namespace: default, name: ${name.replaceAll('_', '-')}${without}, version: '1.0.0' }
do:
  - page:
      try: [ { ask: { call: web.${name}, with: { ${parameters.map((one) => `${one}: '\${ .${one} }'`).join(', ')} }, metadata: { tutti: { retry: none } } } } ]
      catch: { as: error, do: [ { tell: { set: { error: '\${ $error }' } } } ] }
`;
const knows = (suite) => suite.until('web is registered', async () => (await suite.api.call('GET', '/v1/tools/web.fetch')).status === 200);

async function ask(suite, name, input) {
  const run = await suite.startRun(name.replaceAll('_', '-'), input);
  return (await suite.runEnds(run.id)).output;
}

scenario('pages are read, and what may not be read is not', { needs, config, checkNeeds: false }, async (suite) => {
  await knows(suite);
  await suite.apply(workflow('scrape_page', ['connection', 'url', 'selectors']));
  await suite.apply(workflow('scrape_page', ['url'], '-plainly'));
  await suite.apply(workflow('fetch', ['url', 'form']));
  await suite.apply(workflow('extract_links', ['url']));
  await suite.apply(workflow('robots_check', ['url']));
  await suite.apply(workflow('scrape_batch', ['urls', 'max_concurrent', 'selectors']));
  const scrape = (path, selectors, connection = 'web') => ask(suite, 'scrape_page', { connection, url: path.startsWith('/') ? site.url + path : path, selectors });

  assert.deepEqual(await scrape('/moved#top', { title: { first: 'title' }, items: { all: '.item', fields: { id: '@data-id', name: { first: 'h2' }, more: { first: 'a@href' } } } }), {
    url: `${site.url}/`,
    data: { title: 'Shop', items: [{ id: '1', name: 'One', more: `${site.url}/one` }, { id: '2', name: 'Two', more: null }] },
  });
  assert.deepEqual((await ask(suite, 'scrape-page-plainly', { url: `${site.url}/` })).data, { title: 'Shop', description: 'All things', text: 'Things One more Two mail' });
  assert.deepEqual((await scrape('/russian', { p: 'p' })).data, { p: ['\u041d\u0415'] });
  assert.deepEqual(await ask(suite, 'extract_links', { url: `${site.url}/` }), { url: `${site.url}/`, links: [{ url: `${site.url}/one`, text: 'more' }] });
  assert.equal((await ask(suite, 'fetch', { url: `${site.url}/`, form: 'source' })).text, shop.text);
  assert.match(site.requests.find((one) => one.path === '/').headers['user-agent'], /^Mozilla\/5.0 \(compatible; tutti\/[\d.]+; \+https:\/\/example.org\/robot\)$/);

  // What the other side forbids, and what is too much.
  assert.equal((await ask(suite, 'robots_check', { url: `${site.url}/private/x` })).allowed, false);
  assert.equal((await ask(suite, 'robots_check', { url: `${site.url}/x` })).allowed, true);
  for (const [path, detail] of [
    ['/private', /robots.txt/], ['/to-private', /robots.txt/], ['/loop', /redirects/], ['/to-file', /URL/], ['/pdf', /application\/pdf/], ['/deep', /within each other/],
    ['/bomb', /./], ['/busy', /503/], ['/nothing', /404/], ['/to-metadata', /metadata/],
  ]) {
    const { error } = await scrape(path, { p: 'p' });
    assert.match(`${error.title} ${error.detail} ${error.status}`, detail, path);
  }
  assert.equal(site.count('/robots.txt'), 1);
  assert.equal(site.count('/private') + site.count('/private/x'), 0);
  const { error: selector } = await scrape('/', { p: 'p >' });
  assert.match(selector.detail, /selectors, p: selector, column 4/);

  // A connection that may not call private addresses does not, whatever the name is.
  const before = site.requests.length;
  for (const url of [`${site.url}/`, `http://localhost:${new URL(site.url).port}/`, 'http://127.0.0.1:1/']) {
    const { error } = await scrape(url, { p: 'p' }, 'strangers');
    assert.match(`${error.title} ${error.detail}`, /loopback/);
  }
  assert.equal(site.requests.length, before);
});

scenario('many pages are one call, two at a time for each host', { needs, config, checkNeeds: false }, async (suite) => {
  await knows(suite);
  await suite.apply(workflow('scrape_batch', ['urls', 'max_concurrent', 'selectors']));
  const urls = Array.from({ length: 60 }, (_, i) => `${site.url}/page/${i}`);
  urls.splice(30, 0, `${site.url}/nothing`, `${site.url}/private`, 'nonsense', `${site.url}/bomb`);
  most = 0;
  const { results } = await ask(suite, 'scrape_batch', { urls, max_concurrent: 20, selectors: { title: { first: 'title' } } });
  assert.deepEqual(results.map((one) => one.url), urls);
  assert.deepEqual(results.filter((one) => one.ok).map((one) => one.data.title), Array.from({ length: 60 }, (_, i) => `${i}`));
  assert.deepEqual(results.filter((one) => !one.ok).map((one) => [one.error.type, one.error.status ?? null]), [['status', 404], ['robots', null], ['url', null], ['too_large', 200]]);
  assert.ok(most <= 2, `${most} at a time`);

  // A host whose robots.txt cannot be had is left alone.
  await suite.apply(workflow('robots_check', ['url']));
  const broken = await Upstream.start(() => ({ status: 500, text: '' }));
  assert.equal((await ask(suite, 'robots_check', { url: `${broken.url}/x` })).allowed, false);
  assert.deepEqual(broken.requests.map((one) => one.path), ['/robots.txt']);
  await broken.stop();
});

// The second attempt has what the first one had read, and a page of it that was too large to be kept is read again.
const BATCH = `
document: { dsl: '1.0.3', namespace: default, name: batch, version: '1.0.0' }
do:
  - pages:
      call: web.scrape_batch
      with: { urls: '\${ .urls }', selectors: { title: { first: title }, text: { first: body } } }
      metadata: { tutti: { retry: { delay: { milliseconds: 20 }, backoff: { constant: {} }, limit: { attempt: { count: 4 } } } } }
output: { as: '\${ $steps.pages }' }
`;
const COUNT = 30;
const HELD = 26; // from this one on pages come when they are let go

scenario('a batch that is cut off goes on behind what it has read', { needs, config: { ...config, log: { level: 'debug' }, tools: { ...config.tools, lease: '2s' } }, checkNeeds: false }, async (suite) => {
  let letGo;
  const held = new Promise((resolve) => { letGo = resolve; });
  const large = 'x'.repeat(300_000);
  const slow = await Upstream.start(async ({ path }) => {
    if (path === '/robots.txt') return robots;
    const number = Number(path.slice(1));
    if (number >= HELD) await held;
    return { text: `<title>${number}</title>${number === 3 ? large : ''}`, headers: { 'content-type': 'text/html' } };
  });
  try {
    await knows(suite);
    await suite.apply(BATCH);
    const urls = Array.from({ length: COUNT }, (_, i) => `${slow.url}/${i}`);
    const run = await suite.startRun('batch', { urls });
    const adapter = suite['tool-adapter'];
    await suite.until('the others are held', () => slow.count(`/${HELD}`) > 0);
    await suite.until('how far it has come is kept', async () => (await adapter.lines()).some((line) => line.includes('"tool.progress"') && line.includes('"kept":"yes"')));
    await adapter.kill();
    letGo();
    await adapter.start();
    const { status, output } = await suite.runEnds(run.id);
    assert.equal(status, 'completed');
    assert.deepEqual(output.results.map(({ url, ok, data }) => [url, ok, data?.title]), urls.map((url, i) => [url, true, `${i}`]));
    assert.equal(output.results[3].data.text.length, large.length);
    const again = urls.map((_, i) => slow.count(`/${i}`) - 1).slice(0, HELD);
    assert.equal(again[3], 1, 'there was no room for it');
    assert.ok(again.filter((count) => count === 0).length >= 19 && again.every((count) => count <= 1), String(again));
  } finally {
    letGo();
    await slow.stop();
  }
});
