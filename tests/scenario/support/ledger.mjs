// A ledger that keeps state: the other side of adapters/ledger.yaml.
import { Upstream } from './upstream.mjs';

const PAGE = 3;

export const ADAPTERS = new URL('./adapters', import.meta.url).pathname;

export class Ledger {
  // `before(request, count)` may return an answer in place of doing anything; `after(request, count,
  // answer)` one in place of the real one.
  static async start() {
    const ledger = new Ledger();
    ledger.entries = new Map();
    ledger.keys = new Map();
    ledger.next = 1;
    ledger.before = () => {};
    ledger.after = () => {};
    ledger.upstream = await Upstream.start(async (request, count) => {
      const instead = await ledger.before(request, count);
      if (instead) return instead;
      const answer = ledger.route(request);
      return (await ledger.after(request, count, answer)) ?? answer;
    });
    ledger.url = ledger.upstream.url;
    return ledger;
  }

  stop() {
    return this.upstream.stop();
  }

  clear() {
    this.entries.clear();
    this.upstream.requests.length = 0;
    this.upstream.counts.clear();
    this.before = () => {};
    this.after = () => {};
  }

  texts() {
    return [...this.entries.values()].map(({ text }) => text).sort();
  }

  route({ method, path, query, headers, body }) {
    const [, kind, id] = path.split('/');
    if (kind === 'rates') return { body: { rate: id.length } };
    const all = [...this.entries.values()];
    if (kind === 'numbered') {
      const page = Number(query.get('page') ?? 1);
      const size = Number(query.get('size'));
      return { body: all.slice((page - 1) * size, page * size) };
    }
    if (kind !== 'entries') return { status: 404, body: { error: `no ${kind}` } };
    if (method === 'DELETE') return { status: this.entries.delete(id) ? 204 : 404, text: '' };
    if (method === 'GET') {
      const from = Number(query.get('after') ?? 0);
      return { body: { items: all.slice(from, from + PAGE), total: all.length, next: from + PAGE < all.length ? from + PAGE : null } };
    }
    const key = headers['idempotency-key'];
    const known = key && this.keys.get(key);
    if (known) return { status: 201, body: known };
    const entry = { id: `e${this.next++}`, text: JSON.parse(body).text };
    this.entries.set(entry.id, entry);
    if (key) this.keys.set(key, entry);
    return { status: 201, body: entry };
  }
}

// A connection of it, and where its manifest is.
export function ledgerConfig(ledger, more = {}) {
  return {
    tools: {
      adapters_dir: ADAPTERS,
      connections: { ledger: { adapter: 'ledger', config: { base_url: ledger.url }, allow_private: true, ...more } },
    },
  };
}
