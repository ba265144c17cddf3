// Steps on pages in a real browser, against a shop that keeps state: logged in, ordered, and what is said when a step cannot be done.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { giveAway, unprivileged } from './support/nobody.mjs';
import { readPng } from './support/png.mjs';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

const BROWSER = '/usr/bin/chromium';
const user = unprivileged();
const USER = 'ada';
const PASSWORD = 'correct horse <"battery"> staple';
const holds = (text) => [PASSWORD, JSON.stringify(PASSWORD).slice(1, -1), encodeURIComponent(PASSWORD)].some((form) => text.includes(form));

const folder = await mkdtemp(join(tmpdir(), 'tutti-steps-'));
await writeFile(join(folder, 'user'), USER, { mode: 0o600 });
await writeFile(join(folder, 'password'), PASSWORD, { mode: 0o600 });
giveAway(user, folder);

// --- the shop: sessions by a cookie that scripts do not see, orders by forms -----------------------------------------------------------------

const shop = { sessions: new Set(), orders: [] };
const html = (text, headers = {}) => ({ text: `<!DOCTYPE html><style>* { margin: 0 }</style>${text}`, headers: { 'content-type': 'text/html; charset=utf-8', ...headers } });
const formOf = ({ body }) => Object.fromEntries(new URLSearchParams(body.toString()));
const sessionOf = ({ headers }) => /(?:^|; )session=(\w+)/.exec(headers.cookie ?? '')?.[1];

const login = '<title>Log in</title><form method=post action=/session><input id=user name=user><input id=password name=password type=password><button>Log in</button></form>';

// The list is made by a script; the button waits for it, lies under a banner for a while, and moves.
const orders = `<title>Orders</title><ul id=orders></ul>
  <form id=new onsubmit="send(event)"><input name=item value=old><select name=size><option value=s>Small</option><option value=l>Large</option></select><textarea name=note></textarea>
  <input type=date name=due><button id=buy disabled>Buy</button></form><div id=banner style="position: fixed; inset: 0; background: #eee"></div><a id=leave href="/goodbye">Leave</a>
  <script>
    const list = async () => { document.querySelector('#orders').innerHTML = (await (await fetch('/api/orders')).json()).map(({ item, size }) => '<li>' + item + ' ' + size).join(''); };
    list().then(() => { const buy = document.querySelector('#buy'); buy.disabled = false; setTimeout(() => document.querySelector('#banner').remove(), 50); });
    async function send(event) {
      event.preventDefault();
      if (!confirm('Sure?')) return;
      const answer = await fetch('/api/orders', { method: 'POST', body: new URLSearchParams(new FormData(event.target)) });
      if (answer.ok) { await list(); document.body.insertAdjacentHTML('beforeend', '<p class=done>Thank you</p>'); }
    }
  </script>`;

const pages = {
  '/robots.txt': () => ({ text: '', headers: { 'content-type': 'text/plain' } }),
  '/login': () => html(login),
  '/session': (request) => {
    const { user, password } = formOf(request);
    if (user !== USER || password !== PASSWORD) return { ...html(`${login}<p class=error>Wrong: ${password}</p>`), status: 422 };
    const id = `s${shop.sessions.size + 1}`;
    shop.sessions.add(id);
    return { status: 303, headers: { location: '/orders', 'set-cookie': `session=${id}; HttpOnly; SameSite=Lax; Path=/` }, text: '' };
  },
  '/orders': (request) => (shop.sessions.has(sessionOf(request)) ? html(orders) : { status: 302, headers: { location: '/login' }, text: '' }),
  '/api/orders': (request) => {
    if (!shop.sessions.has(sessionOf(request))) return { status: 401, text: '' };
    if (request.method === 'POST') shop.orders.push(formOf(request));
    return { body: shop.orders.map(({ item, size }) => ({ item, size })) };
  },
  '/goodbye': () => html('<title>Goodbye</title><p>Bye'),
  '/keys': () => html('<input id=field value=ab><input id=other><div id=log></div><div id=editable contenteditable>old</div><script>addEventListener("keydown", ({ key, ctrlKey }) => { log.textContent += (ctrlKey ? "^" : "") + key + " "; })</script>'),
  '/two': () => html('<button>One</button><button>Two</button><button hidden>Three</button>'),
  '/told': () => html(`<button id=below>x</button><div id='${'a'.repeat(40)}${PASSWORD}' style="position: fixed; inset: 0"></div>`),
  '/covered': () => html('<button id=below>x</button><div id=veil class="dark full" style="position: fixed; inset: 0"></div>'),
  '/long': () => html('<div style="height: 5000px; background: #f00"></div><div style="height: 300px; background: #00f" id=end></div>'),
  '/hostile': () => html(`<form name=querySelectorAll><input id=password><input name=elementFromPoint></form><script>
    Document.prototype.querySelectorAll = () => [document.querySelector('#password')];
    HTMLInputElement.prototype.addEventListener.call(document.querySelector('#password'), 'input', ({ target }) => fetch('/stolen?' + target.value));</script>`),
  '/stay': () => html('<input id=x><script>onbeforeunload = (event) => { event.preventDefault(); return "stay"; }</script>'),
  '/cut': () => html('<form method=post action=/order><button>Send</button></form>'),
  '/order': () => ({ cut: true }),
  '/file': () => ({ text: 'x', headers: { 'content-type': 'application/octet-stream' } }),
  '/nothing-new': () => ({ status: 204, text: '' }),
  '/stays': () => html('<a id=a href=/nothing-new>a</a><p>here'),
};
const site = await Upstream.start((request) => pages[request.path]?.(request) ?? { status: 404, text: '' });
after(async () => {
  await site.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

const secrets = { user: { secret: 'USER' }, password: { secret: 'PASSWORD' } };
const config = {
  scheduler: { secrets: { default: { entry: { file: join(folder, 'password') } } } },
  secrets: { USER: { file: join(folder, 'user') }, PASSWORD: { file: join(folder, 'password') } },
  tools: {
    browser: { path: BROWSER, sandbox: !user.why, folder, pages: 4 },
    egress: { private_networks: ['127.0.0.0/8'], http_hosts: ['127.0.0.1'] },
    connections: {
      browser: { adapter: 'browser', config: { secret_hosts: ['127.0.0.1'] }, secrets, allow_private: true },
      careless: { adapter: 'browser', config: { secret_hosts: ['shop.example'] }, secrets, allow_private: true },
    },
  },
};

const at = (path) => ({ goto: site.url + path });
const logIn = [at('/login'), { fill: { selector: '#user', secret: 'user' } }, { fill: { selector: '#password', secret: 'password' } }, { click: 'form button' }];

// --- what is done ------------------------------------------------------------------------------------------------------------------------------

async function checkOrder(run) {
  const steps = [
    ...logIn,
    { wait_for: { selector: '#orders', state: 'attached' } },
    { fill: { selector: 'input[name=item]', text: 'Wheel & "tyre"' } },
    { select: { selector: 'select', value: 'Large' } },
    { type: { selector: 'textarea', text: 'soön\nplease' } },
    { fill: { selector: 'input[type=date]', text: '2026-12-24' } },
    { click: '#buy' },
    { wait_for: { selector: '.done' } },
    { extract: { title: { first: 'title' }, orders: '#orders li' } },
    { extract: { thanks: { first: '.done' } } },
    { screenshot: { as: 'page', format: 'jpeg', quality: 50 } },
    { click: '#leave' },
    { extract: { last: { first: 'p' } } },
  ];
  const { url, data, images } = await run(steps, { dialogs: 'accept' });
  assert.deepEqual([url, data], [`${site.url}/goodbye`, { title: 'Orders', orders: ['Wheel & "tyre" l'], thanks: 'Thank you', last: 'Bye' }]);
  assert.deepEqual(shop.orders, [{ item: 'Wheel & "tyre"', size: 'l', note: 'soön\nplease', due: '2026-12-24' }]);
  assert.deepEqual([Object.keys(images), images.page.mime], [['page'], 'image/jpeg']);
  assert.equal(shop.sessions.size, 1);

  // Cookies went with the page: who comes next has to log in.
  const next = await run([at('/orders'), { extract: { title: { first: 'title' } } }]);
  assert.deepEqual([next.url, next.data.title], [`${site.url}/login`, 'Log in']);
}

// One page after the other, in one call.
async function checkKeys(run) {
  const steps = [
    at('/keys'), { type: { selector: '#field', text: 'cd' } }, { press: 'Backspace' }, { press: 'Shift+x' }, { press: { key: 'Control+a', selector: '#other' } }, { press: 'Tab' },
    { fill: { selector: '#editable', text: 'new' } }, { fill: { selector: '#other', text: 'y' } }, { fill: { selector: '#other', text: '' } }, { extract: { log: { first: '#log' }, editable: { first: '#editable' } } },
    at('/long'), { screenshot: 'top' }, { scroll: 'bottom' }, { screenshot: 'bottom' }, { scroll: { by: -4000 } }, { scroll: 'top' }, { scroll: { selector: '#end' } }, { screenshot: { as: 'all', whole: true } },
    at('/stays'), { click: '#a' }, { extract: { here: { first: 'p' } } },
    at('/stay'), { fill: { selector: '#x', text: 'typed' } }, at('/goodbye'), at('/goodbye#end'),
  ];
  const { url, data, images } = await run(steps, { width: 200, height: 100 });
  assert.deepEqual([url, data], [`${site.url}/goodbye`, { log: 'c d Backspace X ^a Tab Delete', editable: 'new', here: 'here' }]);
  const pictures = Object.values(images).map(({ base64 }) => readPng(Buffer.from(base64, 'base64')));
  assert.deepEqual(pictures.map(({ height, colour }) => [height, colour(5, 50)]), [[100, 'ff0000'], [100, '0000ff'], [5300, 'ff0000']]);
}

// --- what is said ------------------------------------------------------------------------------------------------------------------------------

async function checkFaults(refused) {
  const fails = [
    [[at('/two'), { click: 'button' }], /\/steps\/1\/click: `button`: 2 visible elements match: name one of them/],
    [[at('/two'), { click: '#none', timeout: 4 }], /\/steps\/1\/click: `#none`: after 4 s: nothing matches/],
    [[at('/covered'), { click: '#below', timeout: 4 }], /after 4 s: <div#veil.dark.full> covers it/],
    [[at('/told'), { click: '#below', timeout: 4 }], /after 4 s: <div#a{40}\*\*\*> covers it/], // not the first half of a password
    [[at('/two'), { fill: { selector: 'button:first-of-type', text: 'x' } }], /<button> is no field for text/],
    [[at('/two'), at('/nowhere')], /\/steps\/1\/goto: the page answered 404/],
    [[at('/two'), { goto: 'http://127.0.0.9/' }], /\/steps\/1\/goto: /],
    [[at('/file')], /\/steps\/0\/goto: it is no page but application\/octet-stream/],
    [[at('/two'), { press: 'Entr' }], /\/steps\/1\/press: there is no key `Entr`/],
    [[at('/two'), { click: 'a >' }], /steps\/1\/click must be a CSS selector/],
    [[at('/two'), { extract: { a: 'x(' } }], /\/steps\/1\/extract: /],
    [[at('/two'), { extract: { a: 'x' } }, { screenshot: 'a' }], /\/steps\/2\/screenshot: an earlier step has the name `a`/],
    [[at('/two'), { click: 'x', wait_for: 'y' }], /steps/],
    [[{ click: 'x' }], /steps\/0/],
    [[at('/login'), { fill: { selector: '#user', secret: 'token' } }], /\/steps\/1\/fill: the secret `token` is not set/],
    [new Array(101).fill(at('/two')), /100/],
  ];
  await Promise.all(fails.map(async ([steps, what]) => assert.match((await refused(steps)).text, what)));

  // A secret is typed where it belongs, and nowhere else.
  assert.match((await refused(logIn, {}, 'careless')).text, /\/steps\/1\/fill: `#user`: `secret_hosts` of the connection does not name the host of this page/);
  assert.equal(site.requests.some(({ path }) => path === '/stolen'), false);
}

// As a job, with a secret of the workflow: it is typed, and kept nowhere.
async function checkJob(suite) {
  await suite.apply(`document: { dsl: '1.0.3', namespace: default, name: enter, version: '1.0.0' }
use: { secrets: [ entry ] }
do:
  - enter:
      call: browser.run_steps
      with:
        steps:
          - goto: ${site.url}/login
          - fill: { selector: '#user', text: eve }
          - fill: { selector: '#password', text: '\${ $secrets.entry }' }
          - click: form button
          - extract: { said: { first: .error } }
`);
  const { id } = await suite.startRun('enter');
  const { output } = await suite.runEnds(id);
  assert.deepEqual([output.data, output.url], [{ said: 'Wrong: ***' }, `${site.url}/session`]);
  assert.equal(holds(JSON.stringify(await suite.history(id))), false);
}

// Selectors that stand in a workflow are read when it is registered.
async function checkWorkflow(suite) {
  const workflow = `document: { dsl: '1.0.3', namespace: default, name: steps, version: '1.0.0' }
do:
  - order:
      call: browser.run_steps
      with: { steps: [ { goto: '${site.url}/two' }, { click: 'a >' }, { fill: { selector: '\${ .field }', text: '\${ .text }' } }, { wait_for: { selector: 'li:hover' } }, { click: '#x' } ] }
`;
  const { status, body } = await suite.api.call('PUT', '/v1/workflows/steps', workflow, { headers: { 'content-type': 'application/yaml' } });
  assert.equal(status, 422, JSON.stringify(body));
  const said = [...new Set(JSON.stringify(body).match(/`steps\/[^`]*` must be a CSS selector/g))];
  assert.deepEqual(said, ['`steps/1/click` must be a CSS selector', '`steps/3/wait_for/selector` must be a CSS selector']);
}

// What the page has sent cannot be taken back: nobody knows what came of it, so nothing is tried again.
async function checkDoubt(refused) {
  const asked = site.count('/order');
  const { text, status } = await refused([at('/cut'), { click: 'button' }]);
  assert.equal(status, 504, text);
  assert.match(text, /unknown-outcome.*\/steps\/1\/click: /);
  assert.equal(site.count('/order'), asked + 1);
}

// The page says the password back: that is hidden wherever it would show.
async function checkSecrets(suite, run) {
  const wrong = [at('/login'), { fill: { selector: '#user', text: 'eve' } }, { fill: { selector: '#password', secret: 'password' } }, { press: 'Enter' }, { wait_for: '.error' }, { extract: { said: { first: '.error' } } }];
  assert.equal((await run(wrong)).data.said, 'Wrong: ***');
  const log = (await suite['tool-adapter'].lines()).join('\n');
  assert.equal(holds(log), false);
}

const done = async (suite) => {
  await knows(suite, 'browser.run_steps');
  const call = (steps, more, connection) => suite.api.call('POST', '/v1/tools/browser.run_steps/invoke', { arguments: { steps, ...more }, ...(connection && { connection }) });
  const run = async (steps, more) => {
    const { status, body } = await call(steps, more);
    assert.equal(status, 200, JSON.stringify(body).slice(0, 1000));
    return body.output;
  };
  const refused = async (...args) => {
    const { status, body } = await call(...args);
    assert.notEqual(status, 200, JSON.stringify(body).slice(0, 500));
    const text = JSON.stringify(body);
    assert.equal(holds(text), false);
    return { status, text };
  };
  await checkOrder(run);
  await checkKeys(run);
  await checkSecrets(suite, run);
  await checkFaults(refused);
  await checkDoubt(refused);
  await checkWorkflow(suite);
  await checkJob(suite);
};

const name = 'steps on pages are done, or said not to be';
if (existsSync(BROWSER)) {
  scenario(name, { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false, user }, done);
} else {
  test(name, { skip: `there is no ${BROWSER}` }, () => {});
}
