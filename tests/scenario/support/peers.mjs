// Programs that speak JSON-RPC, as handlers of an Upstream: MCP servers of both eras, and an agent of A2A.
const json = (body, status = 200, headers = {}) => ({ status, headers, body: { jsonrpc: '2.0', ...body } });
const event = (body, id) => `${id ? `id: ${id}\n` : ''}data: ${body ? JSON.stringify({ jsonrpc: '2.0', ...body }) : ''}\n\n`;
const stream = (...events) => ({ headers: { 'content-type': 'text/event-stream' }, text: events.join('') });
const steps = (parts) => ({ headers: { 'content-type': 'text/event-stream' }, parts });
const text = (words) => ({ content: [{ type: 'text', text: words }] });

// Values that no header can hold come as base64.
const plain = (value) => (/^=\?base64\?(.*)\?=$/.test(value ?? '') ? Buffer.from(value.slice(9, -2), 'base64').toString() : value);

const TOOLS = [{ name: 'echo', inputSchema: { type: 'object' } }, { name: 'fail', inputSchema: { type: 'object' } }, { name: 'cut', inputSchema: { type: 'object' } }];

const BOOKING = [
  { message: 'Which day?', requestedSchema: { type: 'object', properties: { day: { type: 'string' } }, required: ['day'] } },
  { message: 'Sure?', requestedSchema: { type: 'object', properties: { sure: { type: 'boolean', default: true } } } },
];

// 2025-11-25: sessions that must be opened and are counted, answers as streams, lists in pages of one.
// A tool that says twice how far it is, and goes on to its end when `on` is there.
async function* slowly(id, { _meta: { progressToken } }, on) {
  const progress = (at, more) => event({ method: 'notifications/progress', params: { progressToken, progress: at, total: 4, ...more } });
  yield event({ method: 'notifications/message', params: { level: 'info', data: 'begun' } });
  for (const params of [undefined, {}, []]) yield event({ method: 'notifications/message', params }) + event({ method: 'notifications/progress', params }) + event({ method: 'notifications/elicitation/complete', params });
  yield event({ method: 'notifications/progress', params: { progressToken: 'of another', progress: 9 } });
  yield progress(1, { message: 'Heats water' });
  yield progress(1, { message: 'is not counted' });
  await on;
  yield event({ id, result: { resultType: 'complete', ...text('tea') } });
}

// A tool that says whom it was called by: long words, so that a cut may leave a half of it, and then all of it.
async function* reveals(id, { _meta: { progressToken } }, who, on) {
  yield event({ method: 'notifications/progress', params: { progressToken, progress: 1, message: `${'.'.repeat(480)} ${who}` } });
  await on;
  yield event({ id, result: { resultType: 'complete', ...text(`it is ${who}`) } });
}

export class Legacy {
  on = Promise.resolve(); // what slow tools wait for
  sessions = new Map(); // id to state
  heard = []; // answers to what was asked of the client
  waiting = new Map(); // who waits for one of them, by its id
  booked = []; // what people wanted
  begun = 0; // calls of the tools that ask them
  visited = new Set(); // who has opened an address
  introduced = []; // what clients said of themselves
  speakers = new Map(); // session to its stream
  opened = 0;
  forgets = false; // once: true as the revision has it, 'rudely' as the official SDK does it after a restart
  ids = []; // of requests, by session

  handle = ({ method, headers, body }) => {
    const session = headers['mcp-session-id'];
    if (method === 'DELETE') return { status: this.sessions.delete(session) ? 204 : 404 };
    if (method === 'GET') return headers['last-event-id'] ? this.resume(headers['last-event-id']) : this.stand(session);
    const message = JSON.parse(body);
    if (message.method === 'initialize') return this.open(message);
    if (this.forgets && this.sessions.delete(session)) {
      this.isRude = this.forgets === 'rudely';
      this.forgets = false;
    }
    if (!this.sessions.has(session)) return json({ id: null, error: { code: -32000, message: 'Bad Request: No valid session ID provided' } }, session && !this.isRude ? 404 : 400);
    if (headers['mcp-protocol-version'] !== '2025-11-25') return json({ id: null, error: { code: -32000, message: 'no version' } }, 400);
    if (message.method === undefined) {
      this.heard.push(message);
      this.waiting.get(message.id)?.(message);
      return { status: 202, text: '' };
    }
    if (message.id === undefined) return { status: 202, text: '' };
    this.ids.push({ session, id: message.id });
    return this.answer(message, session, headers.authorization);
  };

  // Asks twice, and books what was agreed to; whoever offers no answers is told so.
  async *book(id) {
    const call = ++this.begun;
    const answers = [];
    for (const [at, params] of BOOKING.entries()) {
      const asked = `book-${call}-${at}`;
      const answer = new Promise((resolve) => { this.waiting.set(asked, resolve); });
      yield event({ id: asked, method: 'elicitation/create', params });
      const { result, error } = await answer;
      if (result?.action !== 'accept') {
        yield event({ id, result: text(error ? `not possible: ${error.code}` : `it was a ${result.action}`) });
        return;
      }
      answers.push(result.content);
    }
    this.booked.push(answers);
    yield event({ id, result: { ...text('booked'), structuredContent: { answers } } });
  }

  // A stream of its own, for what is said beside the answers; only of those who may be asked.
  stand(session) {
    if (!this.sessions.get(session)?.capabilities.elicitation) return { status: 405 };
    const said = [];
    const speaker = { say: (message) => { said.push(message); speaker.wake?.(); } };
    this.speakers.set(session, speaker);
    const speak = async function* speak() {
      yield ': begins\n\n';
      for (;;) {
        while (said.length > 0) yield event(said.shift());
        await new Promise((resolve) => { speaker.wake = resolve; });
      }
    };
    return steps(speak());
  }

  // Wants an address opened, and says so on its stream or (`refuses`) instead of an answer; goes on when it was.
  async *visit(id, { refuses, person }) {
    const call = ++this.begun;
    const params = { mode: 'url', elicitationId: `visit-${person}`, message: 'Sign in', url: `https://id.example.org/connect?person=${person}` };
    const done = event({ method: 'notifications/elicitation/complete', params: { elicitationId: params.elicitationId } });
    if (refuses) {
      const isMissing = !this.visited.has(person);
      yield isMissing ? event({ id, error: { code: -32042, message: 'This request requires more information.', data: { elicitations: [params] } } }) : event({ id, result: text(`${person} was there`) });
      return;
    }
    const answer = new Promise((resolve) => { this.waiting.set(`visit-${call}`, resolve); });
    yield event({ id: `visit-${call}`, method: 'elicitation/create', params });
    const { result } = await answer;
    if (result.action === 'accept') yield done;
    yield event({ id, result: text(`it was a ${result.action}`) });
  }

  // Asks with words that are nobody's input: whom it was called by. `refuses`: instead of an answer.
  async *tell(id, who, { refuses }) {
    if (refuses) {
      yield event({ id, error: { code: -32042, message: 'More is needed', data: { elicitations: [{ mode: 'url', elicitationId: 'tell', message: `You are ${who}`, url: 'https://id.example.org/' }] } } });
      return;
    }
    const asked = `tell-${++this.begun}`;
    const answer = new Promise((resolve) => { this.waiting.set(asked, resolve); });
    yield event({ id: asked, method: 'elicitation/create', params: { ...BOOKING[0], message: `You are ${who}` } });
    yield event({ id, result: text((await answer).result.action) });
  }

  // Asks there, which only a client that listened before can hear.
  async *ring(id, session) {
    const asked = `ring-${session}`;
    const answer = new Promise((resolve) => { this.waiting.set(asked, resolve); });
    this.speakers.get(session)?.say({ id: asked, method: 'elicitation/create', params: BOOKING[0] });
    const { result } = this.speakers.has(session) ? await answer : {};
    yield event({ id, result: text(result ? `${result.action} ${result.content?.day ?? ''}` : 'nobody listens') });
  }

  open({ id, params }) {
    const session = `session-${++this.opened}`;
    this.introduced.push(params);
    this.sessions.set(session, params);
    return { ...json({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'old', version: '1' } } }), headers: { 'mcp-session-id': session } };
  }

  resume(last) {
    if (last !== 'half') return { status: 405 };
    return stream(event({ id: this.cut, result: text('the rest') }));
  }

  answer({ id, method, params }, session, who) {
    if (method === 'tools/list') {
      const at = Number(params?.cursor ?? 0);
      return stream(event({ id, result: { tools: [TOOLS[at]], ...(at + 1 < TOOLS.length ? { nextCursor: String(at + 1) } : {}) } }));
    }
    if (method !== 'tools/call') return stream(event({ id, error: { code: -32601, message: `Method not found: ${method}` } }));
    if (params.name === 'fail') return stream(event({ id, result: { isError: true, ...text('out of tea') } }));
    if (params.name === 'slow') return steps(slowly(id, params, this.on));
    if (params.name === 'books') return steps(this.book(id));
    if (params.name === 'visits') return steps(this.visit(id, params.arguments));
    if (params.name === 'tells') return steps(this.tell(id, who, params.arguments));
    if (params.name === 'rings') return steps(this.ring(id, session));
    if (params.name === 'cut') {
      this.cut = id;
      return stream('retry: 20\n', event(null, 'half'));
    }
    if (params.name !== 'echo') return stream(event({ id, error: { code: -32602, message: 'Unknown tool' } }));
    const progress = event({ method: 'notifications/progress', params: { progressToken: params._meta.progressToken, progress: 1 } });
    return stream(progress, event({ id: 'p', method: 'ping' }), event({ id: 's', method: 'sampling/createMessage', params: {} }), event({ id, result: { structuredContent: params.arguments, ...text('done') } }));
  }
}

const MODERN_TOOLS = [
  { name: 'place', inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } } },
  { name: 'lost', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
  { name: 'broken', inputSchema: { type: 'object' }, annotations: { destructiveHint: true } },
  { name: 'weather', inputSchema: { type: 'object' }, outputSchema: { type: 'object', properties: { degrees: { type: 'number' } }, required: ['degrees'] } },
];

const elicit = (params) => ({ method: 'elicitation/create', params });
const COLOURS = { type: 'string', title: 'Colour', enum: ['red', 'green'], default: 'green' };
const FORM = { type: 'object', properties: { name: { type: 'string', description: 'Your\u0007 name', minLength: 2, $ref: 'http://127.0.0.1:1/evil' }, colour: COLOURS, mail: { type: 'string', format: 'email' } }, required: ['name', 'colour'] };

// Tools that ask for input: what they want to know, round by round.
const ASKING = {
  form: [{ who: elicit({ message: 'Who \u202eare\u0000 you?\nSay it.', requestedSchema: FORM }) }],
  address: [{ consent: elicit({ mode: 'url', message: 'Sign in', url: 'https://id.example.org/connect?x=1' }) }],
  rounds: [
    { a: elicit({ message: 'First', requestedSchema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } }) },
    { b: elicit({ message: 'Second', requestedSchema: { type: 'object', properties: { sure: { type: 'boolean', default: true } } } }), c: elicit({ mode: 'url', message: 'Third', url: 'http://127.0.0.1/' }) },
  ],
  samples: [{ model: { method: 'sampling/createMessage', params: { messages: [] } } }],
  nested: [{ deep: elicit({ message: 'Deep', requestedSchema: { type: 'object', properties: { in: { type: 'object' } } } }) }],
};

// 2026-07-28: every request says what it is, in its body and in its headers.
export class Modern {
  on = Promise.resolve();
  calls = 0;
  lost = 0;
  broken = 0;
  held = 0; // calls that were taken and never answered
  traces = new Set(); // that calls belong to
  asked = []; // calls of tools that ask for input

  // Keeps nothing: what it has to know comes back with the answers.
  ask(id, params) {
    const { name, requestState, inputResponses } = params;
    const rounds = ASKING[name];
    const round = requestState === undefined ? 0 : JSON.parse(requestState).round + 1;
    this.asked.push({ id, ...params });
    if (round > 0 && inputResponses === undefined) return { ...text('no answers'), isError: true };
    if (round < rounds.length) return { resultType: 'input_required', inputRequests: rounds[round], requestState: `{ "round":${round} }` };
    return { resultType: 'complete', ...text(JSON.stringify(inputResponses)), structuredContent: inputResponses };
  }

  handle = ({ method, headers, body }) => {
    if (method !== 'POST') return { status: 405 };
    const { id, method: asked, params } = JSON.parse(body);
    const meta = params?._meta ?? {};
    const wrong = [
      [headers['mcp-protocol-version'], meta['io.modelcontextprotocol/protocolVersion']],
      [headers['mcp-method'], asked],
      [headers['mcp-name'], asked === 'tools/call' ? params.name : undefined],
    ].some(([header, said]) => header !== said);
    if (asked === 'initialize') return json({ id, error: { code: -32601, message: 'Method not found: initialize' } }, 404);
    if (wrong || !meta['io.modelcontextprotocol/clientInfo']) return json({ id, error: { code: -32020, message: 'Header mismatch' } }, 400);
    this.traces.add(meta.traceparent?.split('-')[1]);
    if (asked === 'tools/list') return json({ id, result: { resultType: 'complete', ttlMs: 1000, cacheScope: 'private', tools: MODERN_TOOLS } });
    if (asked !== 'tools/call') return json({ id, error: { code: -32601, message: 'Method not found' } }, 404);
    return this.call(id, params, headers);
  };

  call(id, params, headers) {
    const { name, arguments: given, requestState } = params;
    this.calls++;
    if (ASKING[name]) return json({ id, result: this.ask(id, params) });
    if (name === 'tells') return json({ id, result: params.inputResponses ? { resultType: 'complete', ...text(params.inputResponses.who.action) } : { resultType: 'input_required', inputRequests: { who: elicit({ ...BOOKING[0], message: `You are ${headers.authorization}` }) } } });
    if (name === 'place') {
      if (plain(headers['mcp-param-region']) !== given.region) return json({ id, error: { code: -32020, message: 'Header mismatch: Mcp-Param-Region' } }, 400);
      return json({ id, result: { resultType: 'complete', ...text(given.region) } });
    }
    if (name === 'weather') return json({ id, result: { resultType: 'complete', ...text('warm'), structuredContent: given } });
    if (name === 'later') return json({ id, result: requestState === 'again' ? { resultType: 'complete', ...text('now') } : { resultType: 'input_required', requestState: 'again' } });
    if (name === 'reveals') return steps(reveals(id, params, headers.authorization, this.on));
    if (name === 'asks') return json({ id, result: { resultType: 'input_required', inputRequests: { who: { method: 'elicitation/create', params: {} } } } });
    if (name === 'slow') return steps(slowly(id, params, this.on));
    if (name === 'broken') {
      this.broken++;
      return { status: 500, text: 'oops' };
    }
    if (name === 'busy') return this.calls % 2 ? { status: 503, text: '' } : json({ id, result: text('at last') });
    if (name === 'lost') {
      this.lost++;
      return { cut: true };
    }
    if (name === 'holds') {
      this.held++;
      return { silent: true };
    }
    if (name === 'garbage') return { text: '{"jsonrpc":' };
    return json({ id, error: { code: -32602, message: 'Unknown tool' } }, 400);
  }
}

// A server that wants tokens, and says where they are to be had: metadata of the resource, of the authorization server, and its tokens.
export class Guarded {
  tokens = []; // requests for one
  issued = 0;
  good = null; // the one that counts

  constructor(server) {
    this.server = server;
  }

  handle = (request) => {
    const { path, headers, body } = request;
    const origin = `http://${headers.host}`;
    if (path === '/.well-known/oauth-protected-resource/guarded/mcp') return { body: { resource: `${origin}/guarded/mcp`, authorization_servers: [`${origin}/id`], scopes_supported: ['tools'] } };
    if (path === '/.well-known/openid-configuration/id') return { body: { issuer: `${origin}/id`, token_endpoint: `${origin}/id/token`, token_endpoint_auth_methods_supported: ['client_secret_post'] } };
    if (path === '/id/token') {
      this.tokens.push(Object.fromEntries(new URLSearchParams(body)));
      this.good = `token-of-this-server-${++this.issued}`;
      return { body: { access_token: this.good, token_type: 'Bearer', expires_in: 3600 } };
    }
    if (path !== '/guarded/mcp') return { status: 404 };
    if (this.good && headers.authorization === `Bearer ${this.good}`) return this.server.handle(request);
    return { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, body: {} };
  };
}

// A2A 0.3: a card, messages, tasks, a stream.
export class Agent {
  ids = [];

  handle = ({ path, headers, body }) => {
    if (path.endsWith('/card.json')) return { body: { name: 'agent', protocolVersion: '0.3.0', url: './rpc', preferredTransport: 'JSONRPC' } };
    const { id, method, params } = JSON.parse(body);
    if (headers.authorization !== 'Bearer agent-secret') return { status: 401, body: {} };
    if (method === 'message/send') {
      this.ids.push(params.message.messageId);
      return json({ id, result: { kind: 'task', id: 't1', status: { state: 'completed' }, history: [params.message] } });
    }
    if (method === 'message/stream') return stream(event({ id, result: { kind: 'task', id: 't1' } }), event({ id, result: { kind: 'status-update', final: true } }));
    if (method === 'tasks/get') return json({ id, ...(params.id === 't1' ? { result: { kind: 'task', id: 't1' } } : { error: { code: -32001, message: 'Task not found' } }) });
    return json({ id, error: { code: -32601, message: 'Method not found' } });
  };
}
