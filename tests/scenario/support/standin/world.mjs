// A service of the outside world that keeps state: a store, a table of routes over it, and a journal of what it was asked.
// A service is {name, seed, allows, refuse, routes} and, if it has them, `headers` of every answer, `shown` and `spec`.
import { createServer } from 'node:http';
import { descriptionsOf } from './described.mjs';
import { Store } from './store.mjs';

// What a handler throws to refuse: the service says it in its own words.
export class Refusal extends Error {
  constructor(status, code, message = code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// 'GET /items/:id' or 'PUT /files/*path' (which takes slashes) to [{method, pattern, names, handle}].
export function routesOf(table) {
  return Object.entries(table).map(([route, handle]) => {
    const [method, path] = route.split(' ');
    const names = [];
    const pattern = path.replace(/[.@$]/g, '\\$&').replace(/([:*])([a-z_]+)/g, (_, kind, name) => {
      names.push(name);
      return kind === ':' ? '([^/]+)' : '(.+)';
    });
    return { method, pattern: new RegExp(`^${pattern}$`), names, handle };
  });
}

function bodyOf(headers, raw) {
  if (raw.length === 0) return undefined;
  const type = headers['content-type'] ?? '';
  return /json/.test(type) ? JSON.parse(raw.toString()) : raw;
}

export class World {
  static async start(service) {
    const world = new World();
    world.service = service;
    world.routes = routesOf(service.routes);
    world.store = new Store(service.shown);
    world.descriptions = await descriptionsOf(service.name);
    world.complaints = []; // requests that the official description does not know
    world.server = createServer((message, answer) => world.take(message, answer));
    await new Promise((resolve) => world.server.listen(0, '127.0.0.1', resolve));
    world.url = `http://127.0.0.1:${world.server.address().port}`;
    world.beside = createServer((message, answer) => world.take(message, answer, true)); // another origin, without credentials
    await new Promise((resolve) => world.beside.listen(0, '127.0.0.2', resolve));
    world.elsewhere = `http://127.0.0.2:${world.beside.address().port}`;
    world.reset();
    return world;
  }

  async stop() {
    for (const server of [this.server, this.beside]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  // As on the first day.
  reset() {
    this.journal = [];
    this.before = () => undefined; // an answer in place of doing anything; {cut: true} ends the connection
    this.after = () => undefined; // likewise, once it is done
    this.store.clear();
    this.service.seed(this.store);
    this.store.effects = 0;
  }

  // A change is made and its answer never arrives: the `which`th, or the first whose path has `which`.
  cutChange(which = 1) {
    let seen = 0;
    this.after = ({ isChange, path }, { status }) => {
      if (status > 299 || !isChange || (which instanceof RegExp && !which.test(path))) return undefined;
      return ++seen === (which instanceof RegExp ? 1 : which) ? { cut: true } : undefined;
    };
  }

  // Changes are refused whose path or body has `what`.
  refuseChanges(what) {
    this.before = ({ method, path, raw }) => (method !== 'GET' && what.test(`${path} ${raw}`) ? { status: 400, body: { error: 'refused' } } : undefined);
  }

  take(message, answer, isBeside = false) {
    const chunks = [];
    message.on('data', (chunk) => chunks.push(chunk));
    message.on('end', async () => {
      const raw = Buffer.concat(chunks);
      const url = new URL(message.url, this.url);
      const request = { method: message.method, target: message.url, path: url.pathname, query: url.searchParams, headers: message.headers, raw, isBeside };
      const said = await this.answer(request);
      this.journal.push({ method: request.method, path: request.path, target: request.target, body: request.body, raw, headers: request.headers, status: said.cut ? 'cut' : said.status });
      if (said.silent) return;
      if (said.cut) {
        message.socket.destroy();
        return;
      }
      const text = said.raw ?? said.text ?? (said.body === undefined ? '' : JSON.stringify(said.body));
      const type = said.raw || said.text || said.body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
      answer.writeHead(said.status, { ...type, ...this.service.headers?.(this), ...said.headers });
      answer.end(text);
    });
  }

  async answer(request) {
    const instead = await this.before(request);
    if (instead) return { status: 200, ...instead };
    const effects = this.store.effects;
    const answer = this.route(request);
    request.isChange = this.store.effects !== effects;
    return { ...answer, ...(await this.after(request, answer)) };
  }

  route(request) {
    try {
      request.body = bodyOf(request.headers, request.raw);
      if (!this.service.allows(request, this)) throw new Refusal(401, 'unauthorized', 'Bad credentials');
      const operation = request.isBeside ? undefined : this.descriptions?.check(request, this.complaints);
      for (const { method, pattern, names, handle } of this.routes) {
        const match = method === request.method && pattern.exec(request.path);
        if (!match) continue;
        const params = Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(match[i + 1])]));
        const answer = handle({ ...request, params, store: this.store, url: this.url, elsewhere: this.elsewhere }) ?? {};
        return { status: 200, ...answer, body: operation ? this.descriptions.complete(operation, answer) : answer.body };
      }
      throw new Refusal(404, 'not_found', 'Not Found');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.service.refuse(error);
    }
  }

  // The requests that were no reads.
  changes() {
    return this.journal.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
  }

  snapshot() {
    return this.store.snapshot();
  }
}
