// An API without an adapter of its own: things that are made, orders that know their key, GraphQL, and a receiver of webhooks that
// checks their signatures.
import { createHmac } from 'node:crypto';
import { Refusal } from './world.mjs';

const SIGNING = Buffer.from('the-key-that-webhooks-are-signed-with');

export const anything = {
  name: 'http',
  secrets: { token: 'secret-of-http', webhook_secret: `whsec_${SIGNING.toString('base64')}` },
  seed(store) { store.put('things', 'a', { name: 'a' }); },
  allows: ({ headers, path }) => path === '/hooks' || headers.authorization === 'Bearer secret-of-http',
  refuse: ({ status, message }) => ({ status, body: { error: message } }),
  routes: {
    'GET /things': (c) => ({ body: c.store.list('things') }),
    'PUT /things/:id': (c) => ({ body: c.store.put('things', c.params.id, c.body) }),
    'POST /things': (c) => { const id = String(c.store.next('thing')); return { status: 201, body: { id, ...c.store.put('things', id, c.body) } }; },
    'POST /graphql': (c) => {
      if (!c.body.query.includes('add')) return { body: { errors: [{ message: 'no such field' }] } };
      c.store.put('things', c.body.variables.name, c.body.variables);
      return { body: { data: { add: { name: c.body.variables.name } } } };
    },
    'POST /hooks': (c) => {
      const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': given } = c.headers;
      const wanted = createHmac('sha256', SIGNING).update(`${id}.${at}.${c.raw}`).digest('base64');
      if (given !== `v1,${wanted}`) throw new Refusal(401, 'unsigned', 'the signature is wrong');
      if (!c.store.get('messages', 'first')) c.store.put('messages', 'first', { id, ...c.body });
      else if (c.store.get('messages', 'first').id !== id) c.store.put('messages', `again ${c.store.next('message')}`, { id, ...c.body });
      return { status: 204 };
    },
  },
};
