// MCP servers that are programs: only those of the list, one process for a connection, and what a process can do wrong.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { EventStream } from './support/sse.mjs';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';

const folder = await mkdtemp(join(tmpdir(), 'tutti-stdio-'));
after(() => rm(folder, { recursive: true, force: true }));
await writeFile(join(folder, 'token'), 'a-token-of-the-server', { mode: 0o600 });

const SERVER = new URL('./support/stdio_server.mjs', import.meta.url).pathname;
const NAMES = ['old', 'new', 'mute', 'stubborn', 'idle', 'wild'];
const notesOf = (name) => join(folder, `${name}.notes`);
const server = (name, era, more) => ({ command: process.execPath, args: [SERVER, ...era, notesOf(name)], ...more });
const connection = (name) => ({ adapter: 'mcp', config: { server: name } });
const config = {
  secrets: { TOKEN: { file: join(folder, 'token') } },
  tools: {
    mcp: {
      stdio: {
        old: server('old', ['old'], { folder, env: { API_TOKEN_HERE: { secret: 'TOKEN' }, COLOUR: 'blue' }, limits: { file_size: '1MiB', descriptors: 128 } }),
        new: server('new', ['new']),
        refusing: server('refusing', ['refusing'], { env: { API_TOKEN_HERE: { secret: 'TOKEN' } } }),
        mute: server('mute', ['mute']),
        stubborn: server('stubborn', ['new', 'stubborn']),
        idle: server('idle', ['new'], { idle: '100ms' }),
        wild: server('wild', ['new'], { limits: { message: '100kB' } }),
        missing: { command: '/nowhere/server' },
        elsewhere: server('elsewhere', ['new'], { namespaces: ['other'] }),
      },
    },
    connections: Object.fromEntries([...NAMES, 'missing', 'elsewhere'].map((name) => [name, connection(name)])),
  },
};

const isAlive = (pid) => { try { process.kill(pid, 0); return true; } catch { return false; } };
const isGone = async (pid) => !isAlive(pid) || /^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State: Z'));
const notes = async (name) => (await readFile(notesOf(name), 'utf8').catch(() => '')).split('\n').filter(Boolean).map((line) => line.split(' ')).map(([pid, ...words]) => ({ pid: Number(pid), text: words.join(' ') }));

const mcp = (stdio, more) => `call: mcp, with: { transport: { stdio: { ${stdio} } }, ${more} }, metadata: { tutti: { retry: none } }`;
const fails = (name, call) => `  - ${name}: { try: [ { one: { ${call} } } ], catch: { as: error, do: [ { keep: { set: '\${ $error }' } } ] } }`;
const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: stdio, version: '1.0.0' }
do:
  - byName: { ${mcp('command: new', 'method: tools/call, parameters: { name: echo, arguments: { a: 1 } }')} }
  - byCommand: { ${mcp(`command: ${process.execPath}, arguments: [ '${SERVER}', new, '${notesOf('new')}' ]`, 'method: tools/list')} }
${fails('revision', mcp('command: new', "method: tools/list, protocolVersion: '2025-06-18'"))}
${fails('refused', mcp('command: refusing', 'method: tools/list'))}
${fails('shell', mcp("command: /bin/sh, arguments: [ '-c', 'true' ]", 'method: tools/list'))}
${fails('more', mcp('command: new, arguments: [ more ]', 'method: tools/list'))}
output: { as: '\${ $steps }' }
`;

scenario('MCP servers over stdio', { needs: ['scheduler', 'gateway', 'tool-adapter'], config, checkNeeds: false }, async (suite) => {
  await knows(suite, 'mcp.call_tool', 'mcp.list_tools');
  const invoke = (action, on, given) => suite.api.call('POST', `/v1/tools/mcp.${action}/invoke`, { connection: on, arguments: given });
  const tool = (on, name, given = {}) => invoke('call_tool', on, { name, arguments: given });
  const value = async (on, name, given) => {
    const answer = await tool(on, name, given);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.output.structured;
  };
  const refuses = async (answer, pattern) => {
    assert.ok(answer.status >= 400, JSON.stringify(answer.body));
    assert.match(JSON.stringify(answer.body), pattern);
  };
  const muted = value('mute', 'heard');
  muted.catch(() => {}); // looked at in the end: it takes as long as the probe waits

  // What it is started with: nothing of ours.
  const about = await value('old', 'about');
  assert.deepEqual(Object.keys(about.env).sort(), ['API_TOKEN_HERE', 'COLOUR', 'LANG', 'PATH']);
  assert.equal(about.secret, 'it is ***', 'its secrets are not the answer\'s');
  assert.equal(about.group, about.pid, 'a group of its own');
  assert.equal(about.cwd, folder);
  assert.equal(about.limits['Max file size'], String(1 << 20));
  assert.equal(about.limits['Max open files'], '128');
  assert.equal(about.limits['Max core file size'], '0');

  // The same process, and both eras of the protocol.
  const { heard, pid } = await value('old', 'heard');
  assert.equal(pid, about.pid);
  assert.deepEqual(heard[0], { id: 'ask-1', jsonrpc: '2.0', result: {} }, 'a ping is answered');
  assert.equal(heard[1].error.code, -32601, 'nothing else is');
  assert.equal(heard[2].method, 'notifications/initialized');
  assert.deepEqual(await value('new', 'echo', { a: 'ü\n' }), { a: 'ü\n' });
  const listed = await invoke('list_tools', 'new', {});
  assert.equal(listed.body.output.tools.length, 14, 'all pages');
  await refuses(await tool('new', 'nothing'), /no tool nothing/);

  // Calls share it: the first is answered because of the second.
  const first = value('new', 'hold', { key: 'k' });
  await suite.until('it is held', async () => (await value('new', 'release', { key: 'none' })).held === 1);
  await value('new', 'release', { key: 'k' });
  assert.deepEqual(await first, { key: 'k' });

  // Who gives up says so: looked at below.
  await suite.apply(`
document: { dsl: '1.0.3', namespace: default, name: impatient, version: '1.0.0' }
do:
  - a: { call: mcp.call_tool, with: { connection: old, name: hold, arguments: { key: late } }, timeout: { after: PT5S } }
`);
  const impatient = await suite.startRun('impatient');
  const stream = new EventStream(suite, `/v1/runs/${impatient.id}/events`);
  const streamed = stream.connect();

  // Workflows: what is on the list, by name or as it stands there.
  await suite.apply(WORKFLOW);
  const { output } = await suite.startRun('stdio').then((started) => suite.runEnds(started.id));
  assert.deepEqual(output.byName.structuredContent, { a: 1 });
  assert.equal(output.byCommand.tools.length, 14);
  assert.match(output.revision.detail, /takes no introduction/, 'it does not speak that one');
  assert.match(output.refused.detail, /takes no introduction: .*does not know \*\*\*$/, 'and what it is started with is not part of the run');
  for (const name of ['shell', 'more']) {
    assert.match(output[name].detail, /with these arguments is no server of tools\.mcp\.stdio/);
    assert.match(output[name].type, /\/configuration$/);
  }
  await refuses(await tool('elsewhere', 'echo'), /does not serve this namespace/);
  await refuses(await tool('missing', 'echo'), /\/nowhere\/server cannot be started/);

  // It dies in the middle, and leaves a child behind.
  await refuses(await tool('new', 'die'), /ended before it answered/);
  const child = (await notes('new')).map(({ text }) => /^child (\d+)/.exec(text)).find(Boolean)[1];
  await suite.until('its child has gone, too', () => isGone(Number(child)));
  assert.deepEqual(await value('new', 'echo', { b: 2 }), { b: 2 }, 'there is another one');

  // It says more than it may.
  await refuses(await tool('wild', 'flood'), /a message has more than 100000 bytes/);
  await refuses(await tool('wild', 'deep'), /nest|deep|levels/);
  await refuses(await tool('wild', 'big', { size: 200_000 }), /a message has more than 100000 bytes/);
  assert.equal((await value('wild', 'big', { size: 40_000 })).text.length, 40_000);
  await value('old', 'shout', { lines: 300 });
  const lines = async () => (await suite['tool-adapter'].lines()).map((line) => { try { return JSON.parse(line); } catch { return {}; } }).filter(({ msg }) => msg === 'an MCP server says');
  await suite.until('some of it is in the log', async () => (await lines()).length > 0);
  assert.ok((await lines()).length <= 61, 'not all of it');
  assert.match((await lines())[0].text, /^line 0 with \*\*\*$/);

  // Nobody needs it.
  const idle = await value('idle', 'heard');
  await suite.until('it is stopped', () => isGone(idle.pid));
  assert.notEqual((await value('idle', 'heard')).pid, idle.pid);

  await suite.runEnds(impatient.id, 'faulted');
  await streamed;
  const progress = stream.events.find(({ event }) => event === 'job.progress');
  assert.deepEqual(progress?.data.progress, { progress: 1, total: 2, message: 'holds ***' }, 'how far it is');
  await suite.until('it is told', async () => (await value('old', 'heard')).heard.some(({ method, params }) => method === 'notifications/cancelled' && params.requestId > 0));
  const { heard: ofMute } = await muted;
  assert.ok(ofMute.some(({ method }) => method === 'notifications/initialized'), 'who does not answer the probe is introduced to');

  // The end of the service is that of its servers, of those too that do not want it.
  const stubborn = await value('stubborn', 'heard');
  await suite['tool-adapter'].stop();
  assert.ok((await notes('stubborn')).some(({ text }) => text === 'SIGTERM'), 'it was asked');
  for (const one of [stubborn.pid, about.pid]) assert.ok(await isGone(one), 'it has gone');
});
