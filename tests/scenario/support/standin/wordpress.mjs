// WordPress: posts with unique slugs, and media whose names are numbered when they are taken.
import { pageOf } from './store.mjs';
import { Refusal } from './world.mjs';

const found = (row) => { if (!row) throw new Refusal(404, 'rest_post_invalid_id', 'Invalid post ID.'); return row; };

const postOf = ({ id, slug, title, content, excerpt = '', ...row }) => ({
  id, slug, link: `https://wordpress.test/?p=${id}`, date_gmt: '2026-01-01T00:00:00', ...row,
  title: { raw: title, rendered: title }, content: { raw: content, rendered: content }, excerpt: { raw: excerpt, rendered: excerpt },
});

function freeSlug(store, wanted) {
  const taken = new Set(store.list('posts').map(({ slug }) => slug));
  for (let n = 1; ; n++) {
    const slug = n === 1 ? wanted : `${wanted}-${n}`;
    if (!taken.has(slug)) return slug;
  }
}

export const wordpress = {
  name: 'wordpress',
  secret: 'password',
  settings: { user: 'tutti' },
  seed(store) {
    for (const [id, status] of [[1, 'publish'], [2, 'draft']]) store.put('posts', id, { id, slug: `post-${id}`, status, title: `Post ${id}`, content: '<p>Old</p>', excerpt: '' });
    store.last.set('post', 2);
    store.put('media', 30, { id: 30, name: 'old.png', content: Buffer.from('x') });
    store.last.set('media', 30);
  },
  allows: ({ headers }) => headers.authorization === `Basic ${Buffer.from('tutti:secret-of-wordpress').toString('base64')}`,
  refuse: ({ status, code, message }) => ({ status, body: { code, message, data: { status } } }),
  routes: {
    'POST /wp-json/wp/v2/posts': (c) => {
      const id = c.store.next('post');
      const row = c.store.put('posts', id, { id, status: 'draft', ...c.body, slug: freeSlug(c.store, c.body.slug) });
      return { status: 201, body: postOf(row) };
    },
    'GET /wp-json/wp/v2/posts': (c) => {
      const wanted = (c.query.get('status') ?? 'publish').split(',');
      const fits = (row) => wanted.includes(row.status) && [undefined, row.slug].includes(c.query.get('slug') ?? undefined) && row.title.includes(c.query.get('search') ?? '');
      const size = Number(c.query.get('per_page') ?? 10);
      const { items } = pageOf(c.store.list('posts', fits), (Number(c.query.get('page') ?? 1) - 1) * size, size);
      return { body: items.map(postOf) };
    },
    'GET /wp-json/wp/v2/posts/:id': (c) => ({ body: postOf(found(c.store.get('posts', Number(c.params.id)))) }),
    'POST /wp-json/wp/v2/posts/:id': (c) => ({ body: postOf(c.store.put('posts', Number(c.params.id), { ...found(c.store.get('posts', Number(c.params.id))), ...c.body })) }),
    'DELETE /wp-json/wp/v2/posts/:id': (c) => {
      const row = found(c.store.get('posts', Number(c.params.id)));
      if (c.query.get('force') === 'true') c.store.delete('posts', row.id);
      return { body: { deleted: true, previous: postOf(row) } };
    },
    'POST /wp-json/wp/v2/media': (c) => {
      const [, given] = /filename="([^"]+)"/.exec(c.headers['content-disposition']) ?? [];
      const id = c.store.next('media');
      const name = c.store.list('media', (row) => row.name === given).length > 0 ? given.replace('.', '-1.') : given;
      c.store.put('media', id, { id, name, content: c.raw, mime: c.headers['content-type'] });
      return { status: 201, body: { id, source_url: `https://wordpress.test/wp-content/uploads/${name}` } };
    },
    'DELETE /wp-json/wp/v2/media/:id': (c) => {
      if (!c.store.delete('media', Number(c.params.id))) found();
      return { body: { deleted: true } };
    },
  },
};
