// Buffer: posts on channels, by GraphQL. It answers 200 whatever it thinks of it.
import { pageOf } from './store.mjs';
import { Refusal } from './world.mjs';

const postOf = ({ id, text, dueAt, channelId, status }) => ({ id, text, dueAt, channelId, status });
const time = (text) => text && new Date(text).toISOString();

const operations = {
  createPost: (store, { input }) => {
    if (!store.get('channels', input.channelId)) return { message: 'Channel not found' };
    if (input.mode === 'customScheduled' && new Date(input.dueAt) < new Date()) return { message: 'dueAt must be in the future' };
    const id = `p${store.next('post')}`;
    const { dueAt, ...row } = input;
    return { post: postOf(store.put('posts', id, { id, ...row, dueAt: time(dueAt) ?? '2099-01-01T09:00:00.000Z', status: 'scheduled' })) };
  },
  deletePost: (store, { input }) => (store.delete('posts', input.id) ? { id: input.id } : { message: 'Post not found' }),
  createIdea: (store, { input }) => {
    const id = `i${store.next('idea')}`;
    store.put('ideas', id, { id, ...input });
    return { id };
  },
  posts: (store, { input, after }) => {
    const { channelIds, status } = input.filter;
    const all = store.list('posts', (row) => channelIds.includes(row.channelId) && status.includes(row.status));
    const { items, next } = pageOf(all, Number(after ?? 0), 1);
    return { edges: items.map((row) => ({ node: postOf(row) })), pageInfo: { hasNextPage: next !== undefined, endCursor: next === undefined ? null : String(next) } };
  },
  post: (store, { input }) => {
    const row = store.get('posts', input.id);
    if (!row) throw new Refusal(200, 'NOT_FOUND', 'Post not found');
    return postOf(row);
  },
  channels: (store) => store.list('channels'),
};

export const buffer = {
  name: 'buffer',
  secret: 'token',
  settings: { organization: 'o1' },
  limits: { rate: '6000/min', burst: 100 },
  seed(store) {
    for (const [id, service] of [['ch1', 'linkedin'], ['ch2', 'mastodon']]) store.put('channels', id, { id, name: 'shop', service, type: 'page' });
    store.put('posts', 'p0', { id: 'p0', channelId: 'ch1', text: 'Old', dueAt: '2099-01-02T10:00:00.000Z', status: 'scheduled' });
  },
  allows: ({ headers }) => headers.authorization === 'Bearer secret-of-buffer',
  refuse: ({ code, message }) => ({ status: 200, body: { errors: [{ message, extensions: { code: code.toUpperCase() } }] } }),
  routes: {
    'POST /': (c) => {
      const [, name] = /\{ *(\w+)\(/.exec(c.body.query) ?? [];
      if (!operations[name]) throw new Refusal(200, 'GRAPHQL_VALIDATION_FAILED', `no field ${name}`);
      return { body: { data: { [name]: operations[name](c.store, c.body.variables) } } };
    },
  },
};
