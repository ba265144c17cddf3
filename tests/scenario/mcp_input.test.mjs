// Servers of MCP that ask for input in the middle of a call: a person answers by an approval, and the call goes on.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Legacy, Modern } from './support/peers.mjs';
import { scenario } from './support/suite.mjs';
import { knows } from './support/tools.mjs';
import { Upstream } from './support/upstream.mjs';

const modern = new Modern();
const legacy = new Legacy();
const upstream = await Upstream.start((request) => (request.path === '/legacy' ? legacy : modern).handle(request));
after(() => upstream.stop());

const folder = await mkdtemp(join(tmpdir(), 'tutti-asking-'));
after(() => rm(folder, { recursive: true, force: true }));
const TOKEN = 'a-token-of-the-server';
await writeFile(join(folder, 'token'), TOKEN, { mode: 0o600 });
const NOTES = join(folder, 'notes');
const SERVER = new URL('./support/stdio_server.mjs', import.meta.url).pathname;
const notes = async () => (await readFile(NOTES, 'utf8').catch(() => '')).split('\n').map((line) => line.replace(/^\d+ /, ''));

const mcp = (name, options = '', at = 'modern') => `call: mcp, with: { transport: { http: { endpoint: '${upstream.url}/${at}' }${options} }, method: tools/call, parameters: { name: ${name}, arguments: { a: 1 } } }`;
const act = (name, connection = 'desk', given = '{}') => `call: mcp.call_tool, with: { connection: ${connection}, name: ${name}, arguments: ${given} }`;
const local = (name, given) => `call: mcp, with: { transport: { stdio: { command: asking }, options: { input: replay } }, method: tools/call, parameters: { name: ${name}, arguments: ${given} } }`;
const fails = (name, call) => `{ try: [ { one: { ${call} } } ], catch: { as: error, do: [ { keep: { set: '\${ $error }' } } ] } }`;
const workflow = (name, task) => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0' }
do:
  - ask: ${task}
`;
const WORKFLOWS = {
  form: `{ ${mcp('form')} }`,
  desk: `{ ${act('form')} }`,
  address: `{ ${act('address')} }`,
  rounds: `{ ${mcp('rounds')} }`,
  late: fails('late', `${mcp('form')}, timeout: { after: PT1S }`),
  refusing: fails('refusing', mcp('form', ', options: { input: refuse }')),
  shut: fails('shut', act('form', 'shut')),
  samples: fails('samples', mcp('samples')),
  books: `{ ${mcp('books', ', options: { input: replay }', 'legacy')} }`,
  older: `{ ${act('books', 'older')} }`,
  rings: `{ ${act('rings', 'older')} }`,
  sights: `{ ${act('visits', 'older', '{ person: ann }')} }`,
  declined: `{ ${act('visits', 'older', '{ person: bob }')} }`,
  needs: `{ ${act('visits', 'older', '{ person: cat, refuses: true }')} }`,
  refused: fails('refused', act('visits', 'older', '{ person: dan, refuses: true }')),
  tea: `{ ${act('books', 'program', '{ title: Tea }')} }`,
  soup: `{ ${act('books', 'program', '{ title: Soup }')} }`,
  command: `{ ${local('books', '{ title: Milk }')} }`,
  connect: `{ ${act('visits', 'program', '{ call: 1 }')} }`,
  tells: `{ ${act('tells', 'signed')} }`,
  told: `{ ${act('tells', 'known')} }`,
  lacks: fails('lacks', act('tells', 'known', '{ refuses: true }')),
  silent: `{ ${mcp('books', '', 'legacy')} }`,
  nested: fails('nested', mcp('nested')),
};

const connection = (more, secrets = {}) => ({ adapter: 'mcp', config: { url: `${upstream.url}/modern`, ...more }, secrets, allow_private: true });
const token = { token: { secret: 'TOKEN' } };
const program = { command: process.execPath, args: [SERVER, 'asking', NOTES], env: { API_TOKEN_HERE: { secret: 'TOKEN' } } };
const config = { log: { level: 'debug' }, secrets: { TOKEN: { file: join(folder, 'token') } }, tools: { mcp: { stdio: { asking: program } }, connections: { program: { adapter: 'mcp', config: { server: 'asking', input: 'replay' } }, desk: connection(), shut: connection({ input: 'refuse' }), older: connection({ url: `${upstream.url}/legacy`, input: 'replay' }), signed: connection({}, token), known: connection({ url: `${upstream.url}/legacy`, input: 'replay' }, token) } } };

const callsOf = (name) => modern.asked.filter((call) => call.name === name);

scenario('servers of MCP ask people', { needs: ['scheduler', 'gateway', 'tool-adapter'], checkNeeds: false, config }, async (suite) => {
  const pending = (run) => suite.until(`run ${run.id} asks`, async () => {
    const { items } = await suite.api.patient('GET', `/v1/approvals?status=pending&run=${run.id}`);
    return items[0];
  });
  const againAfter = (run, before) => suite.until('it asks again', async () => {
    const approval = await pending(run);
    return approval.id !== before.id && approval;
  });
  const decide = (approval, verdict, body = {}) => suite.api.ok('POST', `/v1/approvals/${approval.id}/${verdict}`, body);
  const started = {};
  await knows(suite, 'mcp.call_tool');
  for (const [name, task] of Object.entries(WORKFLOWS)) {
    await suite.apply(workflow(name, task));
    started[name] = await suite.startRun(name);
  }

  // What is asked, with a stranger's words made harmless.
  const form = await pending(started.form);
  assert.equal(form.title, `${upstream.url} asks for input`);
  assert.deepEqual(form.payload, { server: upstream.url, tool: 'form', message: 'Who are you?\nSay it.', mode: 'form' });
  assert.deepEqual(form.form, {
    type: 'object',
    properties: { name: { type: 'string', description: 'Your name', minLength: 2 }, colour: { type: 'string', title: 'Colour', enum: ['red', 'green'], default: 'green' }, mail: { type: 'string', format: 'email' } },
    required: ['name'],
    additionalProperties: false,
  });
  const seen = await suite.api.ok('GET', `/v1/runs/${started.form.id}?explain=true`);
  assert.equal(seen.status, 'waiting');
  assert.deepEqual([seen.waiting_for[0].kind, seen.waiting_for[0].detail], ['approval', form.id]);
  const desk = await pending(started.desk);
  assert.equal(desk.payload.server, 'desk');
  const address = await pending(started.address);
  assert.deepEqual(address.payload, { server: 'desk', tool: 'address', message: 'Sign in', mode: 'url', url: 'https://id.example.org/connect?x=1', host: 'id.example.org' });
  const first = await pending(started.rounds);
  const day = await pending(started.books);
  assert.deepEqual([day.payload.message, day.form.required], ['Which day?', ['day']]);
  const other = await pending(started.older);
  const bell = await pending(started.rings);
  assert.equal(bell.payload.message, 'Which day?', 'asked on a stream of its own');
  // Of the older era, over HTTP and by a program: addresses, too.
  const asked = {};
  for (const name of ['sights', 'declined', 'needs', 'refused', 'tea', 'soup', 'command', 'connect']) asked[name] = await pending(started[name]);
  for (const [name, person] of [['sights', 'ann'], ['needs', 'cat']]) assert.deepEqual(asked[name].payload, { server: 'older', tool: 'visits', message: 'Sign in', mode: 'url', url: `https://id.example.org/connect?person=${person}`, host: 'id.example.org' });
  assert.deepEqual(asked.connect.payload, { server: 'program', tool: 'visits', message: 'Sign in', mode: 'url', url: 'https://id.example.org/***/connect', host: 'id.example.org' }, 'without the secrets of the program');
  assert.deepEqual(asked.tea.payload.message, 'Tea: which day?');
  for (const { _meta: meta } of callsOf('address')) assert.deepEqual(meta['io.modelcontextprotocol/clientCapabilities'], { elicitation: { form: {}, url: {} } });

  // What a call proves itself with is kept nowhere, whatever a server says of it.
  for (const name of ['tells', 'told', 'lacks']) asked[name] = await pending(started[name]);
  for (const name of ['tells', 'told', 'lacks']) assert.equal(asked[name].payload.message, 'You are Bearer ***', name);
  for (const entry of await readdir(join(suite.folder, 'data'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    assert.ok(!(await readFile(path)).includes(TOKEN), path);
  }

  // Neither a worker nor the scheduler has to stay for it.
  await Promise.all([suite['tool-adapter'].kill(), suite.scheduler.kill()]);
  const lost = new Set(legacy.sessions.keys()); // perhaps it did not come to giving them back
  await Promise.all([suite['tool-adapter'].start(), suite.scheduler.start()]);
  await suite.until('the gateway reaches it again', async () => (await suite.api.call('GET', `/v1/approvals/${form.id}`)).status === 200);

  await suite.api.refused('POST', `/v1/approvals/${form.id}/approve`, {}, 422, 'input_invalid');
  await suite.api.refused('POST', `/v1/approvals/${form.id}/approve`, { data: { name: 'x' } }, 422, 'input_invalid');
  await suite.api.refused('POST', `/v1/approvals/${form.id}/approve`, { data: { name: 'Ann', age: 7 } }, 422, 'input_invalid');
  await suite.api.refused('POST', `/v1/approvals/${form.id}/approve`, { data: { name: 'Ann', mail: 'nowhere' } }, 422, 'input_invalid');
  await suite.api.refused('POST', `/v1/approvals/${form.id}/reject`, { data: { name: 'Ann' } }, 422, 'input_invalid');
  await decide(form, 'approve', { data: { name: 'Ann' } });
  assert.deepEqual((await suite.runEnds(started.form.id)).output.structuredContent, { who: { action: 'accept', content: { name: 'Ann', colour: 'green' } } }, 'with the default');
  const [again] = callsOf('form').filter(({ inputResponses }) => inputResponses);
  assert.equal(again.requestState, '{ "round":0 }', 'byte for byte');
  assert.deepEqual(again.arguments, { a: 1 });
  assert.ok(!callsOf('form').some((call) => call !== again && call.id === again.id), 'a request of its own');

  await decide(desk, 'reject', { comment: 'not now' });
  const declined = await suite.runEnds(started.desk.id);
  assert.deepEqual(declined.output.structured, { who: { action: 'decline' } });
  await decide(address, 'approve');
  assert.deepEqual((await suite.runEnds(started.address.id)).output.structured, { consent: { action: 'accept' } });

  await decide(first, 'approve', { data: { n: 3 } });
  const second = await againAfter(started.rounds, first);
  assert.deepEqual(second.payload.requests.map(({ name, mode, host }) => [name, mode, host]), [['b', 'form', undefined], ['c', 'url', '127.0.0.1']]);
  await decide(second, 'approve', { data: { b: {} } });
  assert.deepEqual((await suite.runEnds(started.rounds.id)).output.structuredContent, { b: { action: 'accept', content: { sure: true } }, c: { action: 'accept' } });
  assert.equal(callsOf('rounds').length, 3);

  // A server of the older era cannot wait: it is called anew, and answered at once.
  await decide(day, 'approve', { data: { day: 'Monday' } });
  const sure = await againAfter(started.books, day);
  assert.equal(sure.payload.message, 'Sure?');
  await decide(sure, 'approve');
  assert.deepEqual((await suite.runEnds(started.books.id)).output.structuredContent, { answers: [{ day: 'Monday' }, { sure: true }] });
  await decide(other, 'reject');
  assert.equal((await suite.runEnds(started.older.id)).output.text, 'it was a decline');
  assert.deepEqual(legacy.booked, [[{ day: 'Monday' }, { sure: true }]], 'once');
  await decide(bell, 'approve', { data: { day: 'Sunday' } });
  assert.equal((await suite.runEnds(started.rings.id)).output.text, 'accept Sunday');
  for (const name of ['sights', 'connect']) await decide(asked[name], 'approve');
  assert.equal((await suite.runEnds(started.sights.id)).output.text, 'it was a accept');
  assert.deepEqual((await suite.runEnds(started.connect.id)).output.structured, { action: 'accept' });
  await suite.until('what the servers note of it is in the log', async () => {
    const lines = await suite['tool-adapter'].lines();
    return ['visit-ann', 'visit-1'].every((id) => lines.some((line) => line.includes('mcp.address.done') && line.includes(`"${id}"`)));
  });
  await decide(asked.declined, 'reject');
  assert.equal((await suite.runEnds(started.declined.id)).output.text, 'it was a decline');
  await decide(asked.needs, 'approve'); // before anybody was there
  const still = await againAfter(started.needs, asked.needs);
  legacy.visited.add('cat');
  await decide(still, 'approve');
  assert.equal((await suite.runEnds(started.needs.id)).output.text, 'cat was there');
  await decide(asked.refused, 'reject', { data: { action: 'cancel' } });
  assert.match((await suite.runEnds(started.refused.id)).output.detail, /This request requires more information/, 'its own words, and no further question');

  for (const name of ['tells', 'told']) {
    await decide(asked[name], 'approve', { data: { day: 'Monday' } });
    assert.equal((await suite.runEnds(started[name].id)).output.text, 'accept', name);
  }
  await decide(asked.lacks, 'reject');
  assert.match((await suite.runEnds(started.lacks.id)).output.detail, /More is needed/);

  // A program is sent one call at a time, and who gave one up gets another process.
  await decide(asked.tea, 'approve', { data: { day: 'Monday' } });
  await decide(asked.soup, 'reject');
  await decide(asked.command, 'approve', { data: { day: 'Tuesday' } });
  const tea = (await suite.runEnds(started.tea.id)).output.structured;
  assert.deepEqual([tea.day, tea.capabilities], [{ action: 'accept', content: { day: 'Monday' } }, { elicitation: { form: {}, url: {} } }]);
  assert.deepEqual((await suite.runEnds(started.soup.id)).output.structured.day, { action: 'decline' });
  assert.deepEqual((await suite.runEnds(started.command.id)).output.structuredContent.day, { action: 'accept', content: { day: 'Tuesday' } });
  const booked = (await notes()).filter((line) => /(Tea|Soup)$/.test(line));
  assert.ok(booked.length >= 8 && booked.every((line, i) => i % 2 === 0 || line === booked[i - 1].replace('begins', 'ends')), booked.join(', '));
  await suite.apply(workflow('waits', `{ ${act('waits', 'program')} }`));
  const waiting = await suite.startRun('waits');
  await suite.until('it was sent', async () => (await notes()).includes('waits'));
  await suite.api.ok('POST', `/v1/runs/${waiting.id}/cancel`, {});
  const anew = await suite.startRun('tea');
  await decide(await pending(anew), 'approve', { data: { day: 'Friday' } });
  const friday = (await suite.runEnds(anew.id)).output.structured;
  assert.deepEqual([friday.day.content, friday.pid === tea.pid], [{ day: 'Friday' }, false]);
  assert.equal((await suite.runEnds(started.silent.id)).output.content[0].text, 'not possible: -32601', 'it was not said that anybody could be asked');
  const offers = new Set(legacy.introduced.map(({ capabilities }) => JSON.stringify(capabilities)));
  assert.deepEqual([...offers].sort(), ['{"elicitation":{"form":{},"url":{}}}', '{}']);
  await suite.until('sessions of calls that answer end with them', () => [...legacy.sessions.keys()].every((session) => lost.has(session)));

  const late = await suite.runEnds(started.late.id);
  assert.equal(late.output.status, 408);
  const { items: expired } = await suite.api.patient('GET', `/v1/approvals?run=${started.late.id}`);
  assert.deepEqual(expired.map(({ status }) => status), ['expired']);
  for (const name of ['refusing', 'shut']) assert.match((await suite.runEnds(started[name].id)).output.detail, /asks for input: Who are you\? Say it\./, name);
  assert.match((await suite.runEnds(started.samples.id)).output.detail, /sampling\/createMessage/);
  assert.match((await suite.runEnds(started.nested.id)).output.detail, /`in`/);

  // By hand there is nobody to ask.
  const invoked = await suite.until('the gateway reaches the new tool-adapter', async () => {
    const answer = await suite.api.call('POST', '/v1/tools/mcp.call_tool/invoke', { connection: 'desk', arguments: { name: 'form' } });
    return answer.status !== 503 && answer;
  });
  assert.match(JSON.stringify(invoked.body), /asks for input: Who are you\?/);

  // Whoever cancels the run takes the question along.
  const given_up = await suite.startRun('form');
  const open = await pending(given_up);
  await suite.api.ok('POST', `/v1/runs/${given_up.id}/cancel`, {});
  await suite.runEnds(given_up.id, 'cancelled');
  await suite.api.refused('POST', `/v1/approvals/${open.id}/approve`, { data: { name: 'Ann' } }, 409, 'approval_closed');

  const types = (await suite.history(started.form.id)).map(({ type }) => type).filter((type) => /^(job|approval)\./.test(type));
  assert.deepEqual(types, ['job.scheduled', 'approval.requested', 'approval.decided', 'job.completed'], 'one call');
});
