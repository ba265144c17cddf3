// A server of MCP over its standard input and output, of either era, well-behaved or not: `stdio_server.mjs (old|new|mute|refusing|asking) [stubborn] [NOTES]`.
// `asking` is of 2025-11-25 and asks people, `mute` passes over the probe, `stubborn` ignores SIGTERM; NOTES is a file to which it writes what happens to it.
import { spawn } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';

const [era, ...more] = process.argv.slice(2);
const isStubborn = more[0] === 'stubborn';
const notes = more[isStubborn ? 1 : 0];
const TOOLS = ['echo', 'about', 'hold', 'release', 'heard', 'flood', 'die', 'deep', 'shout', 'big', 'unread', 'books', 'waits', 'visits'];

const note = (text) => notes && appendFileSync(notes, `${process.pid} ${text}\n`);
const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const structured = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value, ...(era === 'new' ? { resultType: 'complete' } : {}) });

const heard = []; // notifications, and what our own requests were answered
const held = new Map(); // calls that wait, by key

const limits = () => Object.fromEntries(readFileSync('/proc/self/limits', 'utf8').split('\n').map((line) => /^(Max [a-z ]+?)\s{2,}(\S+)\s+(\S+)/.exec(line)).filter(Boolean).map(([, name, soft]) => [name, soft]));

// What it is that runs here: nothing of the program that started it.
function about() {
  const stat = readFileSync('/proc/self/stat', 'utf8').split(' ');
  const fds = readdirSync('/proc/self/fd').map(Number).filter((fd) => { try { return readFileSync(`/proc/self/fdinfo/${fd}`) && fd > 2; } catch { return false; } });
  return { env: process.env, pid: process.pid, group: Number(stat[4]), cwd: process.cwd(), fds: fds.length, limits: limits() };
}

const acts = {
  echo: (given) => given,
  about: () => ({ ...about(), secret: `it is ${process.env.API_TOKEN_HERE}` }),
  heard: () => ({ heard, pid: process.pid }),
  release: ({ key }) => { held.get(key)?.(); return { held: held.size }; },
  shout: ({ lines }) => {
    for (let i = 0; i < lines; i++) process.stderr.write(`line ${i} with ${process.env.API_TOKEN_HERE}\n`);
    return { lines };
  },
  big: ({ size }) => ({ text: 'x'.repeat(size) }),
};

// Asks for input in the middle of a call, and says what it heard.
let asked = 0;
let introduced; // what the client said it can
const asking = new Map(); // who waits for an answer, by its id
const ask = (params) => new Promise((resolve) => {
  const id = `ask-${process.pid}-${++asked}`;
  asking.set(id, resolve);
  say({ id, method: 'elicitation/create', params });
});
const people = {
  books: async ({ title }) => {
    note(`begins ${title}`);
    const day = await ask({ message: `${title}: which day?`, requestedSchema: { type: 'object', properties: { day: { type: 'string' } }, required: ['day'] } });
    note(`ends ${title}`);
    return { title, day: day.result, capabilities: introduced, pid: process.pid };
  },
  waits: async () => {
    note('waits');
    await new Promise(() => {});
  },
  visits: async ({ call }) => {
    const elicitationId = `visit-${call}`;
    const { result } = await ask({ mode: 'url', elicitationId, message: 'Sign in', url: `https://id.example.org/${process.env.API_TOKEN_HERE}/connect` });
    if (result.action === 'accept') say({ method: 'notifications/elicitation/complete', params: { elicitationId } });
    return { action: result.action };
  },
};

// Of which no answer comes, or a bad one.
function misbehave(name, id, { key } = {}, meta = {}) {
  if (name === 'hold') {
    for (const params of [undefined, {}, []]) for (const method of ['message', 'progress', 'elicitation/complete']) say({ method: `notifications/${method}`, params });
    say({ method: 'notifications/progress', params: { progressToken: meta.progressToken, progress: 1, total: 2, message: `holds ${process.env.API_TOKEN_HERE}` } });
    held.set(key, () => { held.delete(key); say({ id, result: structured({ key }) }); });
  }
  if (name === 'die') {
    spawn('/bin/sleep', ['1000'], { stdio: 'inherit' }).once('spawn', function born() {
      note(`child ${this.pid}`);
      process.stdout.write(`{"jsonrpc":"2.0","id":${id},"res`, () => process.exit(3));
    });
  }
  if (name === 'flood') {
    const block = 'x'.repeat(64 << 10);
    const more = () => { while (process.stdout.write(block)); };
    process.stdout.on('drain', more);
    more();
  }
  if (name === 'deep') process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":${'['.repeat(5000)}${']'.repeat(5000)}}\n`);
  if (name === 'unread') process.stdin.pause();
}

function call(id, { name, arguments: given = {}, _meta: meta }) {
  if (!TOOLS.includes(name)) return say({ id, error: { code: -32602, message: `no tool ${name}` } });
  if (era === 'new' && meta?.['io.modelcontextprotocol/protocolVersion'] !== '2026-07-28') return say({ id, error: { code: -32602, message: 'no _meta' } });
  if (people[name]) return people[name](given).then((value) => say({ id, result: structured(value) }));
  if (!acts[name]) return misbehave(name, id, given, meta);
  return say({ id, result: structured(acts[name](given)) });
}

function list(id, { cursor = '0' } = {}) {
  const at = Number(cursor);
  const tools = TOOLS.slice(at, at + 4).map((name) => ({ name, inputSchema: { type: 'object' } }));
  say({ id, result: { tools, ...(at + 4 < TOOLS.length ? { nextCursor: String(at + 4) } : {}), ...(era === 'new' ? { resultType: 'complete' } : {}) } });
}

let isIntroduced = era === 'new';
function take({ id, method, params, ...rest }) {
  if (method === undefined && asking.has(id)) return asking.get(id)(rest);
  if (method === undefined) return heard.push({ id, ...rest });
  if (id === undefined) {
    heard.push({ method, params });
    if (method === 'notifications/initialized') isIntroduced = true;
    return note(`heard ${method}`);
  }
  if (method === 'server/discover') {
    note('probed');
    if (era === 'mute') return undefined;
    if (era === 'new') return say({ id, result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } } });
  }
  if (era === 'refusing') return say({ id, error: { code: -32000, message: `does not know ${process.env.API_TOKEN_HERE}` } });
  if (method === 'initialize' && era === 'asking') {
    introduced = params.capabilities;
    return say({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'test', version: '1' } } });
  }
  if (method === 'initialize' && era !== 'new') {
    say({ id: 'ask-1', method: 'ping' });
    say({ id: 'ask-2', method: 'roots/list' });
    return say({ id, result: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'test', version: '1' } } });
  }
  if (!isIntroduced) return say({ id, error: { code: -32600, message: 'nobody has introduced himself' } });
  if (method === 'tools/call') return call(id, params);
  if (method === 'tools/list') return list(id, params);
  return say({ id, error: { code: -32601, message: `no method ${method}` } });
}

note('started');
process.stdout.write('Welcome to the server of tests!\n\n');
process.on('SIGTERM', () => {
  note('SIGTERM');
  if (!isStubborn) process.exit(0);
});
let text = '';
process.stdin.on('data', (bytes) => {
  text += bytes;
  const lines = text.split('\n');
  text = lines.pop();
  for (const line of lines) take(JSON.parse(line));
});
if (isStubborn) setInterval(() => {}, 1_000);
