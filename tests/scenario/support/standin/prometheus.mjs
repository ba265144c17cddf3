// Prometheus with its push gateway: what was pushed can be asked for.
import { Refusal } from './world.mjs';

const ok = (data) => ({ body: { status: 'success', data } });
const text = (part) => Buffer.from(part.replaceAll('-', '+').replaceAll('_', '/'), 'base64').toString();

// job@base64/…/label@base64/… as labels.
function groupOf(path) {
  const parts = path.split('/');
  const labels = {};
  for (let i = 0; i < parts.length; i += 2) labels[parts[i].replace('@base64', '')] = text(parts[i + 1]);
  return JSON.stringify(labels);
}

const vector = (store, name) => store.list('groups').flatMap(({ labels, metrics }) => metrics.split('\n').filter(Boolean).map((line) => line.split(' ')).filter(([metric]) => metric === name).map(([metric, value]) => ({ metric: { __name__: metric, ...labels }, value: [1767225600, value] })));

export const prometheus = {
  name: 'prometheus',
  secret: 'token',
  settingsOf: (url) => ({ pushgateway: url }),
  seed(store) { store.put('groups', '{"job":"shop"}', { labels: { job: 'shop' }, metrics: 'up 1\n' }); },
  allows: ({ headers }) => headers.authorization === 'Bearer secret-of-prometheus',
  refuse: ({ status, code, message }) => ({ status, body: { status: 'error', errorType: code, error: message } }),
  routes: {
    'GET /api/v1/query': (c) => {
      if (/[({]$/.test(c.query.get('query'))) throw new Refusal(400, 'bad_data', 'parse error: unexpected end of input');
      return ok({ resultType: 'vector', result: vector(c.store, c.query.get('query')) });
    },
    'GET /api/v1/query_range': (c) => ok({ resultType: 'matrix', result: vector(c.store, c.query.get('query')).map(({ metric, value }) => ({ metric, values: [value] })) }),
    'GET /api/v1/series': (c) => ok(c.query.getAll('match[]').flatMap((name) => vector(c.store, name).map(({ metric }) => metric))),
    'GET /api/v1/alerts': () => ok({ alerts: [{ labels: { alertname: 'Slow' }, state: 'firing' }] }),
    'PUT /metrics/*group': (c) => {
      if (!c.raw.toString().endsWith('\n')) throw new Refusal(400, 'bad_data', 'unexpected end of input stream');
      const group = groupOf(c.params.group);
      c.store.put('groups', group, { labels: JSON.parse(group), metrics: c.raw.toString() });
      return { text: '' };
    },
    'DELETE /metrics/*group': (c) => { c.store.delete('groups', groupOf(c.params.group)); return { status: 202, text: '' }; },
  },
};
