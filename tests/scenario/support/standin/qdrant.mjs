// Qdrant: collections of points, found by the cosine of their vectors.
import { Refusal } from './world.mjs';

const pointsOf = (c) => {
  if (!c.store.get('collections', c.params.name)) throw new Refusal(404, 'not_found', `Not found: Collection \`${c.params.name}\` doesn't exist!`);
  return `points of ${c.params.name}`;
};
const length = (vector) => Math.hypot(...vector);
const cosine = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0) / (length(a) * length(b));
const at = (payload, path) => path.split('.').reduce((value, key) => value?.[key], payload);
const ok = (result) => ({ body: { result, status: 'ok', time: 0.001 } });

export const qdrant = {
  name: 'qdrant',
  secret: 'api_key',
  settings: { vector_size: 2 },
  seed(store) {
    store.put('collections', 'memory', { vectors: { size: 2, distance: 'Cosine' } });
    store.put('collections', 'spare', { vectors: { size: 2, distance: 'Cosine' } });
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
      if (c.body.points.some(({ vector }) => vector.length !== size)) throw new Refusal(400, 'bad', `Wrong input: Vector dimension error: expected dim: ${size}`);
      for (const point of c.body.points) c.store.put(table, point.id, point);
      return ok({ operation_id: 1, status: 'completed' });
    },
    'POST /collections/:name/points': (c) => ok(c.body.ids.map((id) => c.store.get(pointsOf(c), id)).filter(Boolean).map(({ vector, ...point }) => (c.body.with_vector ? { ...point, vector } : point))),
    'POST /collections/:name/points/delete': (c) => {
      for (const id of c.body.points) c.store.delete(pointsOf(c), id);
      return ok({ operation_id: 2, status: 'completed' });
    },
    'POST /collections/:name/points/query': (c) => {
      const fits = ({ payload }) => (c.body.filter?.must ?? []).every(({ key, match }) => at(payload, key) === match.value);
      const points = c.store.list(pointsOf(c), fits).map(({ id, vector, payload }) => ({ id, version: 1, score: cosine(vector, c.body.query), payload }));
      return ok({ points: points.filter(({ score }) => score >= (c.body.score_threshold ?? -1)).sort((a, b) => b.score - a.score).slice(0, c.body.limit) });
    },
  },
};
