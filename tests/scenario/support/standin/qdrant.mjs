// Qdrant: collections of points, found by the cosine of their vectors.
import { createHash } from 'node:crypto';
import { Refusal } from './world.mjs';

const pointsOf = (c) => {
  if (!c.store.get('collections', c.params.name)) throw new Refusal(404, 'not_found', `Not found: Collection \`${c.params.name}\` doesn't exist!`);
  return `points of ${c.params.name}`;
};
const length = (vector) => Math.hypot(...vector);
const cosine = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0) / (length(a) * length(b));
const at = (payload, path) => path.split('.').reduce((value, key) => value?.[key], payload);
const ok = (result) => ({ body: { result, status: 'ok', time: 0.001 } });
const bad = (why) => new Refusal(400, 'bad', `Wrong input: ${why}`);

// Rows are named by what they say of themselves: ids that are made of names look alike in snapshots.
const nameOf = ({ id, payload }) => (payload?.key === undefined ? String(id) : `${payload.namespace}/${payload.key}`);
const byId = (c, ids) => c.store.list(pointsOf(c), ({ id }) => ids.includes(id));

// The id that the adapter makes for a key (RFC 9562, version 5).
function idOf(namespace, key) {
  const hash = createHash('sha1').update(Buffer.from('6e1f9c5a2b7d4e839a40d135c807fb62', 'hex')).update(`${namespace}\u001f${key}`).digest();
  hash[6] = (hash[6] & 0x0f) | 0x50;
  hash[8] = (hash[8] & 0x3f) | 0x80;
  return hash.toString('hex', 0, 16).replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
export const OLD_POINT = idOf('default', 'old');

function fits({ id, payload }, condition) {
  if (condition.has_id) return condition.has_id.includes(id);
  const value = at(payload, condition.key);
  if (condition.range) return typeof value === 'number' && value >= condition.range.gte;
  return [value].flat().includes(condition.match.value);
}

function meant(c) {
  const { must, ...rest } = c.body.filter ?? { must: [] };
  if (Object.keys(rest).length > 0) throw bad(`this stand-in knows no ${Object.keys(rest)}`);
  return c.store.list(pointsOf(c), (point) => must.every((condition) => fits(point, condition)));
}

function search(c) {
  if (!Array.isArray(c.body.query)) throw bad('this stand-in searches by vectors only'); // a real one answers any points
  const points = meant(c).map(({ id, vector, payload }) => ({ id, version: 1, score: cosine(vector, c.body.query), payload }));
  return ok({ points: points.filter(({ score }) => score >= (c.body.score_threshold ?? -1)).sort((a, b) => b.score - a.score).slice(0, c.body.limit) });
}

function remove(c) {
  const points = c.body.filter ? meant(c) : byId(c, c.body.points);
  for (const point of points) c.store.delete(pointsOf(c), nameOf(point));
  return ok({ operation_id: 2, status: 'completed' });
}

export const qdrant = {
  name: 'qdrant',
  secret: 'api_key',
  settings: { vector_size: 2 },
  seed(store) {
    for (const name of ['memory', 'spare']) store.put('collections', name, { vectors: { size: 2, distance: 'Cosine' } });
    store.put('points of memory', 'default/old', { id: OLD_POINT, vector: [0.6, 0.8], payload: { namespace: 'default', key: 'old', content: 'before', metadata: { lang: 'en' }, documents: ['old'] } });
  },
  allows: ({ headers }) => headers['api-key'] === 'secret-of-qdrant',
  refuse: ({ status, message }) => ({ status, body: { status: { error: message }, time: 0 } }),
  routes: {
    'GET /collections/:name': (c) => { pointsOf(c); return ok({ status: 'green', config: { params: c.store.get('collections', c.params.name) } }); },
    'PUT /collections/:name': (c) => {
      if (c.store.get('collections', c.params.name)) throw new Refusal(409, 'conflict', `Wrong input: Collection \`${c.params.name}\` already exists!`);
      c.store.put('collections', c.params.name, c.body);
      return ok(true);
    },
    'DELETE /collections/:name': (c) => ok(c.store.delete('collections', c.params.name)),
    'PUT /collections/:name/points': (c) => {
      const table = pointsOf(c);
      const { size } = c.store.get('collections', c.params.name).vectors;
      if (c.body.points.some(({ vector }) => vector?.length !== size)) throw bad(`Vector dimension error: expected dim: ${size}`);
      for (const point of c.body.points) c.store.put(table, nameOf(point), point);
      return ok({ operation_id: 1, status: 'completed' });
    },
    'POST /collections/:name/points': (c) => ok(byId(c, c.body.ids).map(({ vector, ...point }) => (c.body.with_vector ? { ...point, vector } : point))),
    'POST /collections/:name/points/count': (c) => ok({ count: meant(c).length }),
    'POST /collections/:name/points/delete': remove,
    'POST /collections/:name/points/query': search,
  },
};
