// Pages in a real browser, over a server of strangers: what JavaScript made, pictures, PDF, what a page may not reach, and a browser that
// hangs or dies. The tool-adapter and its browser are under the seccomp profile of containers.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { confined, giveAway, unprivileged } from './support/nobody.mjs';
import { BUSY, sworn, ways } from './support/hostile_pages.mjs';
import { HttpProxy } from './support/http_proxy.mjs';
import { readPng } from './support/png.mjs';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';
import { until } from './support/wait.mjs';

const BROWSER = '/usr/bin/chromium';
const user = unprivileged();
const profile = confined();

const html = (text, headers = {}) => ({ text: `<!DOCTYPE html>${text}`, headers: { 'content-type': 'text/html; charset=utf-8', ...headers } });
const folder = await mkdtemp(join(tmpdir(), 'tutti-pages-'));
giveAway(user, folder);
const elsewhere = await Upstream.start(() => ({ text: 'secret', headers: { 'access-control-allow-origin': '*' } }), '127.0.0.2');
let isPatient = true; // what asks for /silent waits
let connections = 0; // with it, also such that ask for nothing
elsewhere.server.on('connection', () => connections++);
const upgrades = [];
const packets = [];
const udp = createSocket('udp4', (message) => packets.push(message));
await new Promise((resolve) => udp.bind(0, '127.0.0.1', resolve));

// Tries every way out that it knows, and tells on itself how far it came.
const hostile = (site) => `<body><script>
  const seen = {};
  const get = (name, url, more) => fetch(url, more).then((answer) => answer.text()).then((text) => { seen[name] = 'got ' + text; }, () => { seen[name] = 'nothing'; });
  const socket = (name, url) => new Promise((resolve) => {
    const one = new WebSocket(url);
    one.onopen = () => { seen[name] = 'open'; resolve(); };
    one.onerror = () => { seen[name] = 'nothing'; resolve(); };
  });
  const frame = (name, url) => new Promise((resolve) => {
    const one = document.createElement('iframe');
    one.onload = () => { seen[name] ??= 'loaded'; resolve(); };
    addEventListener('message', ({ data }) => { seen[name] = data; });
    one.src = url;
    document.body.append(one);
  });
  const picture = (name, url) => new Promise((resolve) => {
    const one = new Image();
    one.onload = () => { seen[name] = 'got'; resolve(); };
    one.onerror = () => { seen[name] = 'nothing'; resolve(); };
    one.src = url;
  });
  const call = async () => {
    const one = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:${udp.address().port}' }] });
    one.createDataChannel('x');
    const ended = new Promise((resolve) => { one.onicecandidate = ({ candidate }) => candidate || resolve(); });
    await one.setLocalDescription(await one.createOffer());
    await ended;
    one.close();
  };
  const worker = () => new Promise((resolve) => {
    const code = "fetch('${elsewhere.url}/worker').then(() => postMessage('got'), () => postMessage('nothing'))";
    const one = new Worker(URL.createObjectURL(new Blob([code])));
    one.onmessage = ({ data }) => { seen.worker = data; resolve(); };
  });
  alert('stay');
  open('${elsewhere.url}/window');
  navigator.sendBeacon('${elsewhere.url}/beacon', 'x');
  Promise.all([
    get('own', '/api/items'), get('posted', '/api/posted', { method: 'POST', body: 'hello' }), get('hidden', '/private/x'),
    get('elsewhere', '${elsewhere.url}/'), get('moved', '/to-elsewhere'), get('metadata', 'http://169.254.169.254/latest/meta-data/'),
    get('file', 'file:///etc/passwd'), get('blob', URL.createObjectURL(new Blob(['blob']))), get('data', 'data:text/plain,data'), get('large', '/large'),
    socket('socket', '${site.replace('http', 'ws')}/socket'), socket('far', '${elsewhere.url.replace('http', 'ws')}/socket'),
    frame('frame', '${elsewhere.url}/frame'), picture('picture', 'file:///usr/share/pixmaps/chromium.png'), call(), worker(),
  ]).finally(() => { document.body.innerHTML = '<pre id=done></pre>'; document.querySelector('pre').textContent = JSON.stringify(seen); });
</script>`;

const pages = {
  '/robots.txt': () => ({ text: 'User-agent: *\nDisallow: /private\n', headers: { 'content-type': 'text/plain' } }),
  '/': () => html(`<title>List</title><ul></ul><script>fetch('/moved').then((answer) => answer.json()).then((all) => {
    for (const one of all) document.querySelector('ul').innerHTML += '<li><a href="' + one.toLowerCase() + '">' + one + document.cookie + '</a>'; history.pushState(null, '', '/list/');
  });</script>`, { 'set-cookie': 'n=1; Path=/' }),
  '/awaited': () => html(`<ul></ul><script>setTimeout(() => { document.querySelector('ul').innerHTML = '<li>One<li>Two' }, 1500)</script>`), // long after it is loaded
  '/made': () => html(`<ul></ul><script>document.querySelector('ul').innerHTML = '<li>One<li>Two'</script>`), // whole when it is loaded
  '/moved': () => ({ status: 302, headers: { location: '/api/items' }, text: '' }),
  '/api/items': () => ({ body: ['One', 'Two'] }),
  '/api/posted': ({ method, body }) => ({ text: `${method} ${body}` }),
  '/to-elsewhere': () => ({ status: 302, headers: { location: `${elsewhere.url}/moved` }, text: '' }),
  '/large': () => ({ text: Buffer.alloc(11 << 20, 'a') }),
  '/colours': () => html('<style>*{margin:0}div{height:100px}</style><div style="background:#ff0000"></div><div style="background:#00ff00"></div><div style="background:#0000ff;height:1000px"></div>'),
  '/print': () => html('<p>One<p style="break-before:page">Two<p style="break-before:page">Three'),
  '/hostile': () => html(hostile(site.url)),
  '/ways': () => html(ways(elsewhere.url), { 'content-security-policy-report-only': `default-src 'none'; report-uri ${elsewhere.url}/report`, link: `<${elsewhere.url}/hinted>; rel=preload; as=style` }),
  '/ways/worker.js': () => ({ text: sworn(elsewhere.url), headers: { 'content-type': 'text/javascript' } }),
  ...Object.fromEntries(Object.entries(BUSY).map(([path, text]) => [path, () => html(text)])),
  '/leaves': () => html('<script>location = "http://169.254.169.254/latest/meta-data/"</script>'),
  '/enters': () => html('<script>location = "/private/x"</script>'),
  '/endless': () => html('<script>for (;;);</script>'),
  '/never': () => html('<p>Never<script>const one = new Image(); one.src = "/silent"; document.body.append(one)</script>'),
  '/silent': () => ({ silent: isPatient }),
  '/file': () => ({ text: 'x', headers: { 'content-type': 'application/octet-stream' } }),
  '/busy': () => ({ status: 503, headers: { 'retry-after': '1' }, text: '' }),
  '/loop': () => ({ status: 302, headers: { location: '/loop' }, text: '' }),
};
const site = await Upstream.start((request) => pages[request.path]?.(request) ?? { status: 404, text: '' });
site.server.on('upgrade', ({ url }, socket) => {
  upgrades.push(url);
  socket.destroy();
});
after(async () => {
  await Promise.all([site.stop(), elsewhere.stop(), new Promise((resolve) => udp.close(resolve))]);
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

const proxy = await HttpProxy.start();
after(() => proxy.stop());

const config = {
  tools: {
    browser: { path: BROWSER, sandbox: !user.why, folder, pages: 2 },
    egress: { private_networks: ['127.0.0.0/8'], http_hosts: ['127.0.0.1', '127.0.0.2', '169.254.169.254'] },
    connections: {
      browser: { adapter: 'browser', config: { contact: 'https://example.org/robot' }, allow_private: true },
      banners: { adapter: 'browser', config: { template_hosts: ['127.0.0.1'] }, allow_private: true },
      web: { adapter: 'web', allow_private: true },
      strangers: { adapter: 'browser' },
      proxied: { adapter: 'browser', allow_private: true, proxy: `http://${proxy.address}` },
    },
  },
};

// The browsers that run in our folder: processes that are no parts of another.
async function browsers() {
  const all = await readdir('/proc');
  const lines = await Promise.all(all.filter((pid) => /^\d+$/.test(pid)).map(async (pid) => [Number(pid), await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')]));
  return lines.filter(([, line]) => line.includes(`--user-data-dir=${folder}`) && !line.includes('--type=')).map(([pid]) => pid);
}

// Strangers' code runs in processes that see no others, and may ask the kernel for little.
async function checkSandbox() {
  const all = await Promise.all((await readdir('/proc')).filter((pid) => /^\d+$/.test(pid)).map((pid) => Promise.all([pid, readFile(`/proc/${pid}/cmdline`, 'utf8'), readFile(`/proc/${pid}/status`, 'utf8')]).catch(() => ['', '', ''])));
  const ours = new Set(await browsers());
  if (!profile.why) for (const [pid, , status] of all) if (ours.has(Number(pid))) assert.match(status, /^Seccomp:\s*2$/m, 'what the container may not, no part of it may');
  const parents = new Map(all.map(([pid, , status]) => [Number(pid), Number(/^PPid:\s*(\d+)/m.exec(status)?.[1])]));
  const isOurs = (pid) => pid > 1 && (ours.has(pid) || isOurs(parents.get(pid)));
  const shown = all.filter(([pid, line]) => line.includes('--type=renderer') && isOurs(Number(pid)));
  assert.ok(shown.length > 0);
  for (const [, line, status] of shown) {
    assert.equal(line.includes('--no-sandbox'), false);
    assert.match(status, /^Seccomp:\s*2$/m);
    assert.match(status, /^NSpid:\s*\d+\s+\d+/m);
    assert.match(status, /^Uid:\s*[1-9]/m);
  }
}

async function checkPages(ask) {
  const page = await ask('browser.render_page', { url: `${site.url}/`, wait_for: 'li:nth-child(2)', selectors: { title: { first: 'title' }, items: { all: 'li', fields: { text: '::text', to: { first: 'a@href' } } } } });
  const to = (name) => `${site.url}/list/${name}`;
  assert.deepEqual(page, { url: to(''), data: { title: 'List', items: [{ text: 'Onen=1', to: to('one') }, { text: 'Twon=1', to: to('two') }] } });
  const [first] = site.requests.filter(({ path }) => path === '/');
  assert.match(first.headers['user-agent'], /^Mozilla\/5.0 \(compatible; tutti\/[\d.]+; \+https:\/\/example.org\/robot\)$/);
}

async function checkScraping(ask, refused) {
  const awaited = { render: true, wait_for: 'li:nth-child(2)', selectors: { items: 'li' } };
  const [page, { results }, late, { results: [lateOfMany] }] = await Promise.all([
    ask('web.scrape_page', { url: `${site.url}/made`, render: true, selectors: { items: 'li' } }),
    ask('web.scrape_batch', { urls: [`${site.url}/made`, `${site.url}/busy`], render: true, selectors: { items: 'li' } }),
    ask('web.scrape_page', { url: `${site.url}/awaited`, ...awaited }),
    ask('web.scrape_batch', { urls: [`${site.url}/awaited`], ...awaited }),
  ]);
  for (const one of [late, lateOfMany]) assert.deepEqual(one.data, { items: ['One', 'Two'] }, 'what was waited for');
  assert.deepEqual(page.data, { items: ['One', 'Two'] });
  assert.match(await refused('web.scrape_page', { url: `${site.url}/made`, wait_for: 'li' }), /`wait_for` needs `render: true`/);
  assert.deepEqual(results.map(({ data, error }) => data ?? error.status), [{ items: ['One', 'Two'] }, 503]);
}

const bytesOf = ({ base64 }) => Buffer.from(base64, 'base64');

async function checkPictures(ask) {
  const shot = async (more) => (await ask('browser.screenshot', { url: `${site.url}/colours`, width: 320, height: 240, ...more })).image;
  const [image, half, jpeg, { pdf }] = await Promise.all([shot({}), shot({ scale: 0.5, whole: true }), shot({ format: 'jpeg' }), ask('browser.pdf', { url: `${site.url}/print` })]);
  assert.deepEqual([image.mime, image.size], ['image/png', bytesOf(image).length]);
  const view = readPng(bytesOf(image));
  assert.deepEqual([view.width, view.height, view.colour(5, 5), view.colour(300, 150), view.colour(160, 235)], [320, 240, 'ff0000', '00ff00', '0000ff']);
  const whole = readPng(bytesOf(half));
  assert.deepEqual([whole.width, whole.height, whole.colour(80, 75), whole.colour(80, 599)], [160, 600, '00ff00', '0000ff']);
  assert.deepEqual([jpeg.mime, jpeg.base64.slice(0, 4)], ['image/jpeg', '/9j/']);
  const text = bytesOf(pdf).toString('latin1');
  assert.deepEqual([pdf.mime, pdf.size, text.slice(0, 5), text.match(/\/Type\s*\/Page\b/g).length], ['application/pdf', text.length, '%PDF-', 3]);
}

// What is given is escaped, and loads nothing but what its connection names.
async function checkTemplates(ask, refused) {
  const before = site.requests.length;
  const given = { html: `<style>*{margin:0}</style><div id=a>{{ text }}</div><img src="${site.url}/picture"><script>if (document.querySelector('b') || document.querySelector('#a').textContent !== '<b>7') throw 0; document.body.style.background = '{{colour}}'; fetch('${site.url}/from-template')</script>`, data: { text: '<b>7', colour: '#00ff00' }, width: 64, height: 32 };
  const picture = readPng(bytesOf((await ask('browser.render_template', given)).image));
  assert.deepEqual([picture.width, picture.height, picture.colour(60, 30)], [64, 32, '00ff00']);
  assert.equal(site.requests.length, before);
  await ask('browser.render_template', given, 'banners');
  assert.equal(site.count('/picture'), 1);
  assert.match(await refused('browser.render_template', { html: '{{name}}' }), /`data` lacks `name`/);
}

async function checkLimits(ask, refused) {
  const seen = JSON.parse((await ask('browser.render_page', { url: `${site.url}/hostile`, wait_for: '#done', selectors: { seen: { first: '#done' } } })).data.seen);
  assert.deepEqual(seen, {
    own: 'got ["One","Two"]', posted: 'got POST hello', hidden: 'nothing', elsewhere: 'nothing', moved: 'nothing', metadata: 'nothing', file: 'nothing', blob: 'got blob', data: 'got data',
    large: 'nothing', socket: 'nothing', far: 'nothing', frame: 'loaded', picture: 'nothing', worker: 'nothing',
  });
  assert.deepEqual([elsewhere.requests, upgrades, packets, site.count('/private/x')], [[], [], [], 0]);
  const failing = [['/leaves', /metadata/], ['/enters', /robots.txt/], ['/private/x', /robots.txt/], ['/file', /octet-stream/], ['/nothing', /404/], ['/loop', /redirects/]];
  await Promise.all(failing.map(async ([path, what]) => assert.match(await refused('browser.render_page', { url: site.url + path }), what, path)));
  assert.match(await refused('browser.screenshot', { url: `${site.url}/colours`, width: 10000, height: 10000 }), /pixels/);
  assert.match(await refused('browser.screenshot', { url: `${site.url}/colours` }, 'strangers'), /loopback/);
  assert.match(await refused('browser.render_page', { url: `${site.url}/`, wait_for: 'p >' }), /no CSS selector/);
}

// What a page loads leaves by the proxy of its connection, too.
async function checkProxy(suite) {
  const page = await suite.api.call('POST', '/v1/tools/browser.screenshot/invoke', { arguments: { url: `${site.url}/colours` }, connection: 'proxied' });
  assert.equal(page.status, 200, page.text);
  assert.deepEqual(proxy.seen.slice(0, 2), [`GET ${site.url}/robots.txt`, `GET ${site.url}/colours`]);
}

// What browsers fetch of their own accord, or by other ways than a page's requests.
async function checkWays(ask) {
  const { data } = await ask('browser.render_page', { url: `${site.url}/ways`, wait_for: '#done', selectors: { seen: { first: '#done' } } });
  assert.deepEqual(JSON.parse(data.seen), { service: 'nothing', shared: 'nothing', events: 'nothing', module: 'nothing', transport: 'nothing', kept: 'nothing', css: 'nothing' });
}

// Pages that would keep a browser busy for ever: their time ends them, and nobody else notices.
async function checkBusy(ask, refused) {
  const other = ask('browser.render_page', { url: `${site.url}/colours`, timeout: 50, selectors: { all: 'div@style' } });
  const left = ['/endless', ...Object.keys(BUSY)];
  const chain = async () => {
    for (let path = left.pop(); path; path = left.pop()) assert.match(await refused('browser.render_page', { url: site.url + path, timeout: 1 }), /took (too long|all the time)/, path);
  };
  await Promise.all([chain(), chain()]);
  assert.equal((await other).data.all.length, 3);
}

const shown = async (suite) => {
  await knows(suite, 'browser.render_page', 'web.scrape_page');
  const call = (name, args, connection) => suite.api.call('POST', `/v1/tools/${name}/invoke`, { arguments: args, ...(connection && { connection }) });
  const ask = async (...args) => {
    const { status, body } = await call(...args);
    assert.equal(status, 200, JSON.stringify(body));
    return body.output;
  };
  const refused = async (...args) => {
    const { status, body } = await call(...args);
    assert.notEqual(status, 200, JSON.stringify(body).slice(0, 500));
    return JSON.stringify(body);
  };
  assert.deepEqual(await browsers(), [], 'nobody has needed it');
  await checkPages(ask);
  await checkScraping(ask, refused);
  await checkPictures(ask);
  await checkTemplates(ask, refused);
  await checkLimits(ask, refused);
  await checkProxy(suite);
  await checkWays(ask);
  await checkBusy(ask, refused);

  // All of them by the same browser, also those that wait for what does not come.
  assert.match(await refused('browser.render_page', { url: `${site.url}/never`, timeout: 1 }), /took too long/);
  const [pid, ...others] = await browsers();
  assert.deepEqual(others, [], 'one for all of them');

  assert.doesNotMatch((await suite['tool-adapter'].lines()).join('\n'), /"browser.ended"/);
  assert.deepEqual([elsewhere.requests, connections, upgrades, packets], [[], 0, [], []]);

  // It is killed with a page open: that is tried again, and there is a new one.
  const silent = site.count('/silent');
  const lost = ask('browser.render_page', { url: `${site.url}/never`, timeout: 40 });
  await until('the page is open', () => site.count('/silent') > silent, 60_000);
  if (!user.why) await checkSandbox();
  isPatient = false;
  process.kill(pid, 'SIGKILL');
  assert.equal((await lost).data.text, 'Never');
  assert.match((await suite['tool-adapter'].lines()).join('\n'), /"browser.ended"/);
  assert.notEqual((await browsers())[0], pid);

  // What runs ends with us, and leaves nothing.
  await suite['tool-adapter'].stop();
  await until('it is gone', async () => (await browsers()).length === 0, 30_000);
  assert.deepEqual(await readdir(folder), []);
};

const name = 'pages are shown, and reach nothing but what they may';
if (existsSync(BROWSER)) {
  scenario(name, { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false, user, wraps: { 'tool-adapter': profile.wrap } }, shown);
  if (profile.why) test('pages are shown in a container', { skip: profile.why }, () => {});
  if (user.why) test('strangers are kept in a sandbox', { skip: user.why }, () => {});
} else {
  test(name, { skip: `there is no ${BROWSER}` }, () => {});
}
