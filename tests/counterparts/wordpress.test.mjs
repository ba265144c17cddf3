// The adapter `wordpress` on Debian's WordPress: every action does what it says, is taken back, and is done once though its answer is lost.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withSuite } from '../scenario/support/suite.mjs';
import { knows } from '../scenario/support/tools.mjs';
import { Wire, absent, flowOf } from './debian.mjs';
import { Site } from './site.mjs';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const LOST = { lose: 'POST' }; // the answer to a change that was made
const UNKNOWN = 'https://tutti.dev/errors/unknown-outcome';

class Blog {
  constructor(suite, site, wire) {
    Object.assign(this, { suite, site, wire });
    this.flows = 0;
  }

  async posts() {
    const all = await this.site.read('/posts?status=publish,future,draft,pending,private&context=edit&per_page=100&orderby=id&order=asc');
    return all.map(({ id, slug, status, title, content }) => ({ id, slug, status, title: title.raw, content: content.raw }));
  }

  async media() {
    return (await this.site.read('/media?per_page=100&orderby=id&order=asc')).map(({ id, mime_type }) => ({ id, mime_type }));
  }

  async there() {
    return { posts: await this.posts(), media: await this.media() };
  }

  // By a workflow of its own; `lose` is the method whose answer is lost.
  async runs(action, args, { fail = false, lose, status = fail ? 'faulted' : 'completed' } = {}) {
    const name = `flow-${++this.flows}`;
    await this.suite.apply(flowOf(name, `wordpress.${action}`, args));
    this.wire.cutAt = lose && (({ method, url }) => method === lose && url.includes('/wp/v2/'));
    const run = await this.suite.runEnds((await this.suite.startRun(name, { fail })).id, status);
    assert.equal(this.wire.cutAt, undefined, `${action}: nothing was lost`);
    return status === 'completed' ? run.output : run.error;
  }

  async isUndone(action, args) {
    const before = await this.there();
    await this.runs(action, args, { fail: true });
    assert.deepEqual(await this.there(), before, `${action} is taken back`);
  }
}

async function makesPosts(blog) {
  const text = { title: 'Wheels', content: '<p>Roll</p>' };
  await blog.isUndone('create_post', text);
  const before = await blog.posts();
  const made = await blog.runs('create_post', text, LOST);
  const [post, ...more] = (await blog.posts()).slice(before.length);
  assert.deepEqual([more, post], [[], { id: made.id, slug: made.slug, status: 'draft', ...text }]);
  assert.deepEqual((await blog.runs('find_posts', { slug: made.slug })).items, [made]);

  await blog.isUndone('update_post', { id: made.id, title: 'Other', content: '<p>Else</p>' });
  await blog.runs('update_post', { id: made.id, title: 'Other' }, LOST);
  assert.equal((await blog.runs('get_post', { id: made.id })).title, 'Other');
  await blog.isUndone('publish', { id: made.id });
  await blog.runs('publish', { id: made.id }, LOST);
  const { items } = await blog.runs('list_posts', { search: 'Other' });
  assert.deepEqual(items.map(({ id, status }) => [id, status]), [[made.id, 'publish']]);
  await blog.runs('delete_post', { id: made.id }, { lose: 'DELETE' });
  assert.deepEqual(await blog.posts(), before);

  // A list of more pages than one.
  for (let i = 0; i < 3; i++) await blog.runs('create_post', { ...text, slug: `of-many-${i}`, status: 'publish' });
  const some = await blog.runs('list_posts', { search: 'Wheels', limit: 2 });
  assert.equal(some.items.length, 2);
}

async function takesMedia(blog) {
  const file = { body: { base64: PNG }, name: 'a.png', mime: 'image/png' };
  await blog.isUndone('upload_media', file);
  const before = await blog.media();
  const unknown = await blog.runs('upload_media', file, { lose: 'POST', status: 'faulted' });
  assert.equal(unknown.type, UNKNOWN);
  const [lost, ...more] = (await blog.media()).slice(before.length);
  assert.deepEqual([more, lost.mime_type], [[], 'image/png'], 'it is there once');
  const { id, url } = await blog.runs('upload_media', file);
  const there = await fetch(url);
  assert.deepEqual([there.status, Buffer.from(await there.arrayBuffer()).toString('base64')], [200, PNG]);
  for (const one of [id, lost.id]) await blog.runs('delete_media', { id: one }, { lose: 'DELETE' });
  assert.deepEqual(await blog.media(), before);
}

test('posts and media of WordPress', { skip: absent('wordpress'), timeout: 400_000 }, async () => {
  const site = await Site.start();
  const wire = await Wire.start(site.url);
  try {
    for (const [name, password] of [['right', site.password], ['wrong', 'nobody-has-this-password']]) writeFileSync(join(site.folder, name), password, { mode: 0o600 });
    const connection = (secret) => ({ adapter: 'wordpress', config: { base_url: wire.url }, secrets: { password: { secret } }, allow_private: true });
    const config = {
      tools: { connections: { wordpress: connection('RIGHT'), stranger: connection('WRONG') } },
      secrets: { RIGHT: { file: join(site.folder, 'right') }, WRONG: { file: join(site.folder, 'wrong') } },
    };
    const names = ['scheduler', 'gateway', 'tool-adapter'];
    await withSuite(config, undefined, async (suite) => {
      await suite.start(names);
      await suite.ready(names);
      await knows(suite, 'wordpress.create_post', 'wordpress.delete_media');
      const blog = new Blog(suite, site, wire);
      await makesPosts(blog);
      await takesMedia(blog);
      const error = await blog.runs('create_post', { title: 'T', content: 'C', connection: 'stranger' }, { status: 'faulted' });
      assert.equal(error.status, 401, JSON.stringify(error));
    });
  } finally {
    await wire.stop();
    await site.stop();
  }
});
