// Tables of rows by id, whose ids begin anew when it is cleared: what is done once and what is done twice look different.
export class Store {
  // `shown`: by table, what of a row counts as there, or nothing: closed issues, versions that only grow.
  constructor(shown = {}) {
    this.shown = shown;
    this.clear();
  }

  clear() {
    this.tables = new Map();
    this.last = new Map();
    this.effects = 0; // how often something was changed
  }

  table(name) {
    if (!this.tables.has(name)) this.tables.set(name, new Map());
    return this.tables.get(name);
  }

  next(kind) {
    const id = (this.last.get(kind) ?? 0) + 1;
    this.last.set(kind, id);
    return id;
  }

  get(name, id) {
    return this.table(name).get(id);
  }

  list(name, test = () => true) {
    return [...this.table(name).values()].filter(test);
  }

  put(name, id, row) {
    this.effects++;
    this.table(name).set(id, row);
    return row;
  }

  change(name, id, part) {
    return this.put(name, id, { ...this.get(name, id), ...part });
  }

  delete(name, id) {
    if (!this.table(name).delete(id)) return false;
    this.effects++;
    return true;
  }

  // What is there, as text for comparing: times and keys of one run are like those of another.
  snapshot() {
    const all = {};
    for (const [name, table] of [...this.tables].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const rows = [...table].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)).map(([id, row]) => [id, this.shown[name] ? this.shown[name](row) : row]);
      const there = rows.filter(([, row]) => row !== undefined);
      if (there.length > 0) all[name] = Object.fromEntries(there);
    }
    return anonymous(all);
  }
}

// A value without what differs from run to run, its members in order.
export function anonymous(value) {
  const text = JSON.stringify(value, (_, one) => (one && typeof one === 'object' && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one));
  return JSON.parse((text ?? 'null')
    .replace(/[0-9a-f]{64}/g, 'KEY')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\b1[0-9]{9}\.([0-9]{6})\b/g, 'T.$1'));
}

// A page of `all`: {items, next}; `from` is where it begins.
export function pageOf(all, from, size) {
  const items = all.slice(from, from + size);
  return { items, next: from + size < all.length ? from + size : undefined };
}
