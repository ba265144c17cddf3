// An agent with two tools: the scheduler is killed on the way, and no answer that was given is asked for again. The model is an HTTP server of the test that calls tools.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy', 'tool-adapter'];

const AGENT = (tools) => `
document: { dsl: '1.0.3', namespace: default, name: agent, version: '1.0.0' }
do:
  - agent:
      call: agent.run
      with:
        model: \${ $workflow.input.model }
        instructions: Find out.
        input: \${ $workflow.input.question }
        tools: ${tools}
        maxTurns: 8
        budget: { tokens: 100000 }
        retry: { delay: PT0.2S, limit: { attempt: { count: 20 } } }
        schema: { type: object, required: [ answer ], properties: { answer: { type: string } } }
`;

// What the model does depends on how many results it has seen: one call, two at once, then the answer.
const call = (id, path) => ({ id, type: 'function', function: { name: 'fetch', arguments: JSON.stringify({ endpoint: `${site.url}/${path}` }) } });
const answers = [
  () => ({ content: null, tool_calls: [call('c1', 'one')] }),
  () => ({ content: null, tool_calls: [call('c2', 'two'), call('c3', 'three')] }),
  () => ({ content: '```json\n{"answer": "42"}\n```' }),
];
const kills = { model: async () => {}, site: async () => {} };

const site = await Upstream.start(async (request, count) => {
  await kills.site(request, count);
  return { body: { page: request.path } };
});
const model = await Upstream.start(async (request) => {
  const { messages } = JSON.parse(request.body);
  const turn = messages.filter((message) => message.role === 'assistant').length;
  request.turn = turn;
  await kills.model(turn);
  const message = { role: 'assistant', ...answers[turn]() };
  return { body: { id: 'x', model: 'm', choices: [{ index: 0, message, finish_reason: message.tool_calls ? 'tool_calls' : 'stop' }], usage: { prompt_tokens: 10, completion_tokens: 5 } } };
});
after(() => Promise.all([site.stop(), model.stop()]));

const config = {
  llm: {
    providers: { test: { type: 'openai-compatible', base_url: `${model.url}/v1`, price: 'free' } },
    routes: { smart: { targets: [{ model: 'test/m' }] } },
  },
};

const FETCH = '[ { function: http, name: fetch, with: { method: get } } ]';

scenario('an agent works through its turns while processes are killed', { needs: NEEDS, config }, async (suite) => {
  await suite.apply(AGENT(FETCH));
  let killed = 0;
  kills.model = async (turn) => {
    if (turn !== 1 || killed > 0) return;
    killed++;
    await suite.scheduler.kill(); // while the model thinks
    await suite.scheduler.start();
  };
  kills.site = async (request) => {
    if (request.path !== '/two' || killed > 1) return;
    killed++;
    await suite.scheduler.kill(); // while one of two calls is made
    await suite.scheduler.start();
  };
  const ended = await suite.startRun('agent', { model: 'smart', question: 'What is it?' })
    .then((run) => suite.runEnds(run.id))
    .finally(() => { kills.model = kills.site = async () => {}; });
  assert.deepEqual(ended.output.content, { answer: '42' });
  assert.equal(ended.output.turns, 3);
  assert.deepEqual(ended.output.tool_calls.map((one) => one.arguments.endpoint), ['one', 'two', 'three'].map((path) => `${site.url}/${path}`));
  assert.equal(killed, 2);

  // An answer that was reported is not asked for again: what was open at a kill may have been asked twice.
  const turns = model.requests.map((request) => request.turn);
  assert.equal(turns.filter((turn) => turn === 0).length, 1, 'the first turn is asked once');
  assert.equal(turns.filter((turn) => turn === 2).length, 1, 'the last turn is asked once');
  assert.ok(turns.filter((turn) => turn === 1).length <= 2);
  assert.equal(site.count('/one'), 1);
  assert.ok(site.count('/two') <= 2 && site.count('/three') <= 2);

  // The model sees the results in the order of its calls, and the definition's argument nowhere.
  const last = JSON.parse(model.requests.at(-1).body);
  assert.deepEqual(last.messages.filter((message) => message.role === 'tool').map((message) => message.tool_call_id), ['c1', 'c2', 'c3']);
  assert.equal(last.tools[0].function.parameters.properties.method, undefined);

  const tasks = (await suite.history(ended.id)).filter((event) => event.type === 'task.completed').map((event) => event.task);
  for (const step of ['0/model', '0/tools/0', '1/model', '1/tools/0', '1/tools/1', '2/model']) {
    assert.equal(tasks.filter((task) => task === `/do/0/agent/turns/${step}`).length, 1, step);
  }
});

scenario('an agent asks before it calls, and makes the call as it was approved', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  await suite.apply(AGENT('[ { function: http, name: fetch, with: { method: get }, approval: { title: "Fetch ${ .arguments.endpoint }?" } } ]').replace('"Fetch ${ .arguments.endpoint }?"', `'\${ "Fetch \\(.arguments.endpoint)?" }'`));
  const run = await suite.startRun('agent', { model: 'smart', question: 'What is it?' });
  const pending = () => suite.until('an approval is asked for', async () => (await suite.api.ok('GET', `/v1/approvals?status=pending&run=${run.id}`)).items[0]);
  const first = await pending();
  assert.equal(first.title, `Fetch ${site.url}/one?`);
  assert.equal(first.task, '/do/0/agent/turns/0/tools/0/approval');
  assert.deepEqual(first.payload, { tool: 'fetch', arguments: { endpoint: `${site.url}/one`, method: 'get' } });
  const { headers } = await suite.api.call('GET', `/v1/approvals/${first.id}`);
  const payload = { tool: 'fetch', arguments: { endpoint: `${site.url}/edited`, method: 'get' } };
  await suite.api.ok('PATCH', `/v1/approvals/${first.id}`, { payload }, { headers: { 'if-match': headers.get('etag') } });
  await suite.api.ok('POST', `/v1/approvals/${first.id}/approve`, {});
  for (let i = 0; i < 2; i++) {
    const next = await pending();
    await suite.api.ok('POST', `/v1/approvals/${next.id}/reject`, { comment: 'not now' });
  }
  const ended = await suite.runEnds(run.id);
  assert.equal(site.count('/edited'), 1);
  assert.deepEqual(ended.output.tool_calls.map((one) => one.error?.detail), [undefined, 'not now', 'not now']);
});

scenario('a simulated agent calls each tool once and says that it is simulated', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  await suite.apply(AGENT(`[ { function: llm.chat, name: ask, with: { model: simulated } } ]`));
  const run = await suite.startRun('agent', { model: 'simulated', question: 'What is it?' });
  const ended = await suite.runEnds(run.id);
  assert.equal(ended.output.turns, 2);
  assert.deepEqual(ended.output.tool_calls.map((one) => one.name), ['ask']);
  assert.equal(typeof ended.output.content.answer, 'string');
  assert.equal(ended.output.usage.simulated, true);
});

// What an assistant had as tools when the workflow was registered, the agent has, whatever becomes of the assistant.
const BY_ASSISTANT = `
document: { dsl: '1.0.3', namespace: default, name: by-assistant, version: '1.0.0' }
do:
  - agent: { call: agent.run, with: { assistant: finder, input: What is it?, retry: { delay: PT0.2S, limit: { attempt: { count: 20 } } } } }
`;

scenario('an agent has the tools of its assistant, through kills and changes', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const put = (tools) => suite.api.ok('PUT', '/v1/assistants/finder', { model: 'smart', system: 'Find out.', tools });
  const refused = await suite.api.refused('PUT', '/v1/assistants/finder', { model: 'smart', tools: ['htp'] }, 422, 'input_invalid');
  assert.deepEqual([refused.errors[0].code, refused.errors[0].pointer], ['V14', '/tools/0']);
  await put([{ function: 'http', name: 'fetch', with: { method: 'get' } }]);
  await suite.apply(BY_ASSISTANT);
  let killed = 0;
  kills.model = async (turn) => {
    if (turn !== 1 || killed++ > 0) return;
    await suite.scheduler.kill();
    await suite.scheduler.start();
    await suite.api.patient('GET', '/v1/assistants/finder');
    await put(['llm.chat']);
  };
  const fetched = site.count('/two');
  const ended = await suite.startRun('by-assistant', {}).then((run) => suite.runEnds(run.id)).finally(() => { kills.model = async () => {}; });
  assert.deepEqual(ended.output.tool_calls.map((one) => one.name), ['fetch', 'fetch', 'fetch']);
  assert.equal(site.count('/two'), fetched + 1);
  const seen = () => JSON.parse(model.requests.at(-1).body).tools.map((one) => one.function.name);
  assert.deepEqual(seen(), ['fetch']);

  await suite.runEnds((await suite.startRun('by-assistant', {})).id);
  assert.deepEqual(seen(), ['fetch'], 'a run that starts after the change has the tools of the registration');
  await suite.apply(BY_ASSISTANT.replace('1.0.0', '1.0.1'));
  await suite.runEnds((await suite.startRun('by-assistant', {})).id);
  assert.deepEqual(seen(), ['llm_chat'], 'a new version has those of now');
});

// A workflow as a tool: two child runs of one turn, killed with their parent on the way, and each is there once.
const LOOKUP = (version) => `
document: { dsl: '1.0.3', namespace: default, name: look-up, version: '${version}', summary: Looks something up }
input: { schema: { document: { type: object, required: [ what, by ], properties: { what: { type: string }, by: { type: string } } } } }
do:
  - pause: { wait: { milliseconds: 400 } }
  - unknown: { if: '\${ .what == "nothing" }', raise: { error: { type: 'https://a.test/unknown', status: 404, title: Unknown } } }
  - found: { set: { found: '\${ .what + " by " + .by }', version: '\${ $workflow.definition.document.version }' } }
`;

scenario('child runs of an agent survive kills, each is there once', { needs: NEEDS, config, checkNeeds: false, timeout: 120_000 }, async (suite) => {
  await suite.apply(LOOKUP('1.0.0'));
  await suite.apply(AGENT('[ { workflow: { namespace: default, name: look-up, version: latest }, with: { by: me } } ]'));
  const ask = (id, what) => ({ id, type: 'function', function: { name: 'look_up', arguments: JSON.stringify({ what }) } });
  const before = answers.splice(0, answers.length,
    () => ({ content: null, tool_calls: [ask('c1', 'one'), ask('c2', 'nothing')] }),
    () => ({ content: null, tool_calls: [ask('c3', 'two')] }),
    () => ({ content: '{"answer": "42"}' }));
  const first = model.requests.length;
  const run = await suite.startRun('agent', { model: 'smart', question: 'What is it?' });
  const children = async () => (await suite.api.patient('GET', `/v1/runs?parent=${run.id}&page_size=500`)).items;
  await suite.until('two children are at work', async () => (await children()).length === 2);
  await suite.scheduler.kill(); // while both work
  await suite.scheduler.start();
  await suite.api.patient('PUT', '/v1/workflows/look-up', LOOKUP('2.0.0'), { headers: { 'content-type': 'application/yaml' } }); // the agent goes on with what it began with
  await suite.until('the third child is at work', async () => (await children()).length === 3);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  const ended = await suite.runEnds(run.id);
  answers.splice(0, answers.length, ...before);

  assert.equal(ended.status, 'completed', JSON.stringify(ended.error));
  assert.equal(ended.output.turns, 3);
  assert.deepEqual(ended.output.tool_calls.map((one) => [one.arguments, one.error?.type]), [
    [{ what: 'one', by: 'me' }, undefined],
    [{ what: 'nothing', by: 'me' }, 'https://a.test/unknown'],
    [{ what: 'two', by: 'me' }, undefined],
  ]);
  const all = await children();
  assert.deepEqual(all.map((child) => child.parent.task).sort(), ['0/tools/0', '0/tools/1', '1/tools/0'].map((step) => `/do/0/agent/turns/${step}`));
  const asked = model.requests.slice(first).map((request) => JSON.parse(request.body));
  const shown = asked[0].tools[0].function;
  assert.deepEqual([shown.name, shown.description, shown.parameters.required, shown.parameters.properties.by], ['look_up', 'Looks something up', ['what'], undefined]);
  const results = asked.at(-1).messages.filter((message) => message.role === 'tool').map((message) => JSON.parse(message.content));
  assert.deepEqual(results[0], { found: 'one by me', version: '1.0.0' });
  assert.equal(results[1].error.title, 'Unknown');
  assert.deepEqual(results[2], { found: 'two by me', version: '1.0.0' });
});
