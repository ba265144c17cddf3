// Mutations of definitions, from a seed: the same seed makes the same corpus.

export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  // mulberry32: small, and the same everywhere.
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(n) {
    return Math.floor(this.next() * n);
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}

const escape = (key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1');
const isMap = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// Every place of a document but its root: {parent, key, pointer}.
function places(root) {
  const found = [];
  const open = [{ value: root, pointer: '' }];
  while (open.length > 0) {
    const { value, pointer } = open.pop();
    if (value === null || typeof value !== 'object') continue;
    for (const key of Object.keys(value)) {
      const place = { parent: value, key, pointer: `${pointer}/${escape(key)}` };
      found.push(place);
      open.push({ value: value[key], pointer: place.pointer });
    }
  }
  return found;
}

// All keys and scalars that a corpus uses: material for mutations.
export function vocabulary(documents) {
  const keys = new Set();
  const values = new Map();
  for (const document of documents) {
    for (const { parent, key } of places(document)) {
      if (!Array.isArray(parent)) keys.add(key);
      values.set(JSON.stringify(parent[key]), parent[key]);
    }
  }
  return { keys: [...keys].sort(), values: [...values.keys()].sort().map((text) => values.get(text)) };
}

const odd = [null, true, false, 0, 1, -1, 1.5, '', ' ', 'x', 'PT1S', '${ .a }', '.a', [], {}, [1], { a: 1 }, [{ a: {} }]];

function rename(map, from, to) {
  const entries = Object.entries(map).map(([key, value]) => [key === from ? to : key, value]);
  for (const key of Object.keys(map)) delete map[key];
  Object.assign(map, Object.fromEntries(entries));
}

const operations = {
  remove(random, place) {
    if (Array.isArray(place.parent)) place.parent.splice(Number(place.key), 1);
    else delete place.parent[place.key];
    return true;
  },
  odd(random, place) {
    place.parent[place.key] = structuredClone(random.pick(odd));
    return true;
  },
  misspell(random, place) {
    if (Array.isArray(place.parent)) return false;
    rename(place.parent, place.key, `${place.key}x`);
    return true;
  },
  add(random, place, words) {
    const target = place.parent[place.key];
    if (!isMap(target)) return false;
    target[random.pick(words.keys)] = structuredClone(random.pick(words.values));
    return true;
  },
  replace(random, place, words) {
    place.parent[place.key] = structuredClone(random.pick(words.values));
    return true;
  },
  move(random, place, words, all) {
    if (!isMap(place.parent)) return false;
    const target = random.pick(all);
    const value = place.parent[place.key];
    if (!isMap(target.parent[target.key]) || target.pointer.startsWith(place.pointer)) return false;
    delete place.parent[place.key];
    target.parent[target.key][place.key] = value;
    return true;
  },
  double(random, place) {
    if (Array.isArray(place.parent)) {
      place.parent.push(structuredClone(place.parent[place.key]));
      return true;
    }
    return false;
  },
  wrap(random, place) {
    const value = place.parent[place.key];
    place.parent[place.key] = random.below(2) ? [value] : { [random.pick(['uri', 'after', 'use', 'with', 'document'])]: value };
    return true;
  },
};

// `count` mutants of `documents`: [{document, base, change: {operation, pointer}}].
export function mutants(documents, seed, count) {
  const random = new Random(seed);
  const words = vocabulary(documents);
  const names = Object.keys(operations);
  const made = [];
  while (made.length < count) {
    const base = random.below(documents.length);
    const document = structuredClone(documents[base]);
    const changes = [];
    for (let n = random.below(4) === 0 ? 2 : 1; n > 0; n--) {
      const all = places(document);
      if (all.length === 0) break;
      const place = random.pick(all);
      const operation = random.pick(names);
      if (operations[operation](random, place, words, all)) changes.push(`${operation} ${place.pointer}`);
    }
    if (changes.length > 0) made.push({ document, base, changes });
  }
  return made;
}
