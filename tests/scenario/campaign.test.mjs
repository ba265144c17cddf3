// The marketing campaign of the examples, from research to numbers, over services that keep state: published, and gone again without a
// trace when a channel fails, also if the tool-adapter is killed while it takes things back. Where it is about being published, its pictures
// are made by a browser; where it is about being stopped, by a stand-in.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { giveAway, unprivileged } from './support/nobody.mjs';
import { readPng } from './support/png.mjs';
import { Fleet } from './support/standin/fleet.mjs';
import { MAIN } from './support/standin/github.mjs';
import { COPY, renderer, startModel } from './support/standin/studio.mjs';
import { ALL, scenario } from './support/suite.mjs';
import { knows, merged } from './support/tools.mjs';

const MODEL_KEY = 'secret-of-the-model';
const fleet = await Fleet.start([renderer]);
const model = await startModel(MODEL_KEY);
after(() => Promise.all([fleet.stop(), model.stop()]));
await writeFile(join(fleet.folder, 'model'), MODEL_KEY, { mode: 0o600 });
const BROWSER = '/usr/bin/chromium';
const hasBrowser = existsSync(BROWSER);
const user = hasBrowser ? unprivileged() : { wrap: [] };
giveAway(user, fleet.folder);

const { github, slack, sendgrid, buffer, grafana, s3, web } = fleet.worlds;
const example = new URL('../../compose/examples/marketing-campaign.yaml', import.meta.url).pathname;
const { tools: { connections: { browser: drawing, ...connections }, ...tools }, secrets } = fleet.config();
const config = merged({ tools: { ...tools, connections }, secrets }, {
  tools: { browser: { path: BROWSER, sandbox: !user.why, folder: fleet.folder, pages: 3 }, connections: { sendgrid: { config: { undo_window: 3600 } } } },
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1`, keys: [{ secret: 'MODEL' }] } },
    prices: { 'test/writer': { input: '1', output: '2' }, 'test/letters': { input: '0.1', output: '0' } },
    routes: { smart: { targets: [{ model: 'test/writer' }] }, embedding: { targets: [{ model: 'test/letters' }] } },
  },
  secrets: { MODEL: { file: join(fleet.folder, 'model') } },
});

const drawn = merged(config, { tools: { adapters_dir: new URL('./support/standin/renderer', import.meta.url).pathname, connections: { browser: drawing } } });

const input = {
  campaign: 'Spring Wheels', brief: 'New wheels for spring', audience: 'commuters', brand_voice: 'calm', competitors: [`${web.url}/`, `${web.url}/gone`],
  repo: 'blog', base_sha: MAIN, review_channel: 'Creviews', channels: ['email', 'social', 'blog'], mailing_list: 'list@example.com', social_accounts: ['ch1', 'ch2'], blog_repo: 'blog',
};

const snapshots = () => Object.fromEntries(Object.entries(fleet.worlds).map(([name, world]) => [name, world.snapshot()]));

const pristine = snapshots();

// Starts a campaign, and approves it when it asks.
async function campaign(suite, more = {}) {
  for (const world of Object.values(fleet.worlds)) world.reset();
  const { id } = await suite.startRun('marketing/campaign', { ...input, ...more });
  const approval = await suite.until('it asks for an approval', async () => {
    const { status, error } = await suite.api.ok('GET', `/v1/runs/${id}`);
    assert.ok(['pending', 'running', 'waiting'].includes(status), `${status}: ${JSON.stringify(error)}`);
    return (await suite.api.patient('GET', `/v1/approvals?status=pending&run=${id}`)).items[0];
  });
  return { id, approval };
}

// Only somebody of the team may.
async function approve(suite, { approval }) {
  const { key } = await suite.api.ok('POST', '/v1/api-keys', { name: `lead-${approval.id}`, namespace: 'marketing', roles: ['approver'], labels: { team: 'marketing-leads' } });
  await suite.api.refused('POST', `/v1/approvals/${approval.id}/approve`, {}, 403, 'not_assignee');
  await suite.api.ok('POST', `/v1/approvals/${approval.id}/approve`, { comment: 'go' }, { key });
}

const DRAFTS = `
document: { dsl: '1.0.3', namespace: marketing, name: drafts, version: '1.0.0' }
do:
  - list: { call: memory.list, with: { namespace: campaigns } }
output: { as: '\${ $steps.list.items | map(.key) }' }
`;

async function prepare(suite) {
  await knows(suite, 'wordpress.create_post', 'memory.remember', 'browser.render_template', 'buffer.schedule_post', 'llm.chat');
  await suite.apply(example);
  await suite.apply(DRAFTS);
}

async function hasDraft(suite, id) {
  const { id: run } = await suite.startRun('marketing/drafts');
  return (await suite.runEnds(run)).output.includes(`draft/${id}`);
}

// Of the browser's usual window, and somebody has written in it.
function checkPicture({ content }) {
  const { width, height, colour } = readPng(content);
  assert.deepEqual([width, height, colour(width - 1, height - 1)], [1280, 720, 'ffffff']);
  const row = Array.from({ length: 300 }, (_, x) => Array.from({ length: 80 }, (__, y) => colour(x, y))).flat();
  assert.ok(row.includes('000000'));
}

async function checkPublished(suite) {
  const run = await campaign(suite);
  assert.equal(run.approval.payload.post, COPY.post);
  await approve(suite, run);
  const { output } = await suite.runEnds(run.id);
  assert.deepEqual(output.distribution, { email: { ok: true }, social: { ok: true }, blog: { ok: true } });
  assert.equal(output.analytics.tracked, true);
  assert.deepEqual(Object.keys(output.assets), ['banner', 'square', 'hero']);
  const pictures = s3.store.list('objects', ({ key }) => key.startsWith(run.id));
  assert.equal(pictures.length, 3);
  if (hasBrowser) pictures.forEach(checkPicture);
  assert.equal(github.store.list('pulls', ({ head }) => head === `campaign/${run.id}`)[0].state, 'open');
  const files = [...github.store.table('files')].filter(([name]) => name.includes(run.id) || name.includes('spring-wheels'));
  assert.deepEqual(files.map(([, { content }]) => Buffer.from(content, 'base64').toString()), [COPY.article, COPY.article]);
  assert.equal(slack.store.list('messages', ({ channel }) => channel === 'Creviews').length, 1);
  assert.deepEqual(sendgrid.store.list('mails', ({ to }) => to.includes('list@example.com')).length, 1);
  assert.equal(buffer.store.list('posts', ({ text }) => text === COPY.post).length, 2);
  assert.equal(grafana.store.list('dashboards', ({ model: { title } }) => title === 'Campaign: Spring Wheels').length, 1);
  assert.equal(await hasDraft(suite, run.id), true);
}

// Nothing is left but what says why, on a pull request that is closed.
async function checkGone(suite, id) {
  const [pull] = github.store.list('pulls', ({ head }) => head === `campaign/${id}`);
  assert.equal(pull.state, 'closed');
  const words = github.store.list('comments', ({ number }) => number === pull.number);
  assert.equal(words.length, 1, 'it is said once');
  assert.match(words[0].body, /^Taken back: /);
  github.store.delete('comments', words[0].id);
  assert.deepEqual(snapshots(), pristine);
  assert.equal(await hasDraft(suite, id), false);
}

// A channel fails for good: what the others have done, and all before it, is taken back.
async function checkFailed(suite) {
  const run = await campaign(suite, { all_or_nothing: true, social_accounts: ['nobody'] });
  await approve(suite, run);
  const { error } = await suite.runEnds(run.id, 'faulted');
  assert.equal(error.type, 'https://tutti.dev/errors/incomplete');
  assert.match(error.detail, /^social: /);
  assert.deepEqual(sendgrid.changes().map(({ path }) => path), ['/v3/mail/batch', '/v3/mail/send', '/v3/user/scheduled_sends']);
  await checkGone(suite, run.id);
}

// Somebody stops it while a post is on its way out; the blog has its text already, if nobody knows of it yet. What is under way is
// awaited, and taken back as well.
async function checkCancelled(suite) {
  const run = await campaign(suite, { channels: ['social', 'blog'] });
  let isAsked = false;
  let letGo;
  const gate = new Promise((resolve) => (letGo = resolve));
  buffer.before = () => {
    isAsked = true;
    return gate;
  };
  await approve(suite, run);
  await suite.until('the post is on its way, and the blog has its text', () => isAsked && [...github.store.table('files').keys()].some((name) => name.includes('_posts/')));
  await suite.api.ok('POST', `/v1/runs/${run.id}/cancel`, { reason: 'stop it' });
  const { waiting_for: waits } = await suite.until('it waits for the post', async () => {
    const view = await suite.api.ok('GET', `/v1/runs/${run.id}`);
    return view.waiting_for?.some(({ task }) => task.includes('/social/')) && view;
  });
  assert.ok(waits.every(({ kind }) => kind === 'job'), JSON.stringify(waits));
  assert.equal(buffer.changes().length, 0);
  letGo();
  await suite.runEnds(run.id, 'cancelled');
  assert.ok(buffer.changes().length >= 2, 'the post was made, and deleted');
  await checkGone(suite, run.id);
}

scenario('the marketing campaign is published, or leaves nothing', { needs: ALL, config: hasBrowser ? config : drawn, checkNeeds: false, user }, async (suite) => {
  await prepare(suite);
  await checkPublished(suite);
  await checkFailed(suite);
});

if (!hasBrowser) test('the pictures of a campaign are made by a browser', { skip: `there is no ${BROWSER}` }, () => {});
if (user.why) test('the pictures of a campaign are made in a sandbox', { skip: user.why }, () => {});

// A word of explanation has been said and nobody heard that when the tool-adapter dies. What it held comes again soon; no mail is sent
// here, which a lease that is lost on a slow machine would leave in doubt.
scenario('a campaign is taken back when it is stopped, and though the tool-adapter dies meanwhile', { needs: ALL, config: merged(drawn, { tools: { lease: '2s' } }), checkNeeds: false }, async (suite) => {
  await prepare(suite);
  await checkCancelled(suite);
  const run = await campaign(suite, { all_or_nothing: true, social_accounts: ['nobody'], channels: ['social', 'blog'] });
  let isSaid = false;
  github.after = ({ method, path }) => {
    if (isSaid || method !== 'POST' || !path.endsWith('/comments')) return undefined;
    isSaid = true;
    return { silent: true };
  };
  await approve(suite, run);
  await suite.until('it is said why', () => isSaid);
  await suite['tool-adapter'].kill();
  const [pull] = github.store.list('pulls', ({ head }) => head === `campaign/${run.id}`);
  assert.equal(pull.state, 'open', 'in the middle of it');
  await suite['tool-adapter'].start();
  await suite.runEnds(run.id, 'faulted');
  await checkGone(suite, run.id);
});
