// Assistants: made, changed, listed and rendered through the API; used by runs, which stay with the version they got, and by OpenAI's clients as models.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Anthropic, OpenAI } from './support/packages.mjs';
import { scenario } from './support/suite.mjs';
import { Upstream } from './support/upstream.mjs';

const NEEDS = ['scheduler', 'gateway', 'llm-proxy'];

const WRITER = {
  description: 'Writes the article',
  labels: { project: 'acme' },
  model: 'simulated',
  fallbacks: ['other/model'],
  system: 'You write for {{audience}} in the voice of {{brand.voice}}.',
  variables: { type: 'object', required: ['audience', 'brand'], properties: { audience: { type: 'string' }, brand: { type: 'object' } } },
  parameters: { temperature: 0.7 },
  output_schema: { type: 'object', required: ['title'], properties: { title: { type: 'string', minLength: 1, maxLength: 20 } } },
};

const PIPELINE = `
document: { dsl: '1.0.3', namespace: default, name: pipeline, version: '1.0.0' }
do:
  - assistants:
      call: assistant.list:1@default
      with: { label: '\${ "project:\\($workflow.input.project)" }' }
      output: { as: .assistants }
  - write:
      for: { each: assistant, in: $steps.assistants }
      do:
        - one:
            call: llm.chat:1@default
            with:
              assistant: '\${ "\\($assistant.name):\\($assistant.version)" }'
              variables: { audience: all, brand: { voice: warm } }
              prompt: Write.
            output: { as: .content }
output: { as: '{ used: $steps.assistants, last: . }' }
`;

scenario('assistants are kept by version and used by runs', { needs: NEEDS }, async (suite) => {
  const put = (name, body) => suite.api.call('PUT', `/v1/assistants/${name}`, body);
  await suite.api.ok('PUT', '/v1/assistants/first', { model: 'simulated' });
  const first = await put('seo-writer', WRITER);
  assert.equal(first.status, 201, first.text);
  assert.equal(first.body.version, 1);
  assert.deepEqual(first.body.fallbacks, ['other/model']);

  // The same content is no new version, but labels may change; other content is one.
  const relabelled = await put('seo-writer', { ...WRITER, labels: { project: 'acme', team: 'seo' } });
  assert.equal(relabelled.status, 200);
  assert.equal(relabelled.body.version, 1);
  assert.deepEqual(relabelled.body.labels, { project: 'acme', team: 'seo' });
  const second = await put('seo-writer', { ...WRITER, description: 'Writes better' });
  assert.equal(second.status, 201);
  assert.equal(second.body.version, 2);
  await put('editor', { model: 'simulated', labels: { project: 'other' } });

  const { items: versions } = await suite.api.ok('GET', '/v1/assistants/seo-writer/versions');
  assert.deepEqual(versions.map((one) => one.version), [2, 1]);
  assert.equal((await suite.api.ok('GET', '/v1/assistants/seo-writer/versions/1')).description, 'Writes the article');
  const { items } = await suite.api.ok('GET', '/v1/assistants?label=project:acme');
  assert.deepEqual(items.map((one) => `${one.name}:${one.version}`), ['seo-writer:2']);
  const page = await suite.api.ok('GET', '/v1/assistants?page_size=2');
  assert.deepEqual(page.items.map((one) => one.name), ['editor', 'first']);
  const rest = await suite.api.ok('GET', `/v1/assistants?page_size=2&page_token=${page.next_page_token}`);
  assert.deepEqual(rest.items.map((one) => one.name), ['seo-writer']);

  // Rendering calls nothing, and says which variable is wrong.
  const rendered = await suite.api.ok('POST', '/v1/assistants/seo-writer/render', { variables: { audience: 'all', brand: { voice: 'warm' } } });
  assert.deepEqual(rendered.messages, [{ role: 'system', content: 'You write for all in the voice of warm.' }]);
  const problem = await suite.api.refused('POST', '/v1/assistants/seo-writer/render', { variables: { audience: 1, brand: {} } }, 422, 'input_invalid');
  assert.equal(problem.errors[0].pointer, '/variables/audience');
  await suite.api.refused('POST', '/v1/assistants/nobody/render', {}, 404, 'not_found');
  const wrong = await suite.api.refused('PUT', '/v1/assistants/wrong', { model: 'm', system: '{{a b}}' }, 422, 'input_invalid');
  assert.equal(wrong.errors[0].pointer, '/system');

  await suite.apply(PIPELINE);
  const ended = await suite.runEnds((await suite.startRun('pipeline', { project: 'acme' })).id);
  assert.equal(ended.output.used[0].version, 2);
  assert.ok(ended.output.last.title.length >= 1, 'the output schema of the assistant holds');
  const scheduled = (await suite.history(ended.id)).find((event) => event.type === 'job.scheduled');
  assert.equal(scheduled.data.input.assistant, 'seo-writer:2');
  assert.equal(scheduled.data.input.system, 'You write for all in the voice of warm.');

  // All of it outlives the scheduler; a number is never given twice.
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await suite.api.patient('GET', '/v1/assistants/seo-writer');
  assert.equal((await suite.api.call('DELETE', '/v1/assistants/seo-writer/versions/2')).status, 204);
  assert.equal((await suite.api.ok('GET', '/v1/assistants/seo-writer')).version, 1);
  await suite.api.refused('GET', '/v1/assistants/seo-writer/versions/2', undefined, 404, 'not_found');
  assert.equal((await put('seo-writer', { ...WRITER, description: 'Again' })).body.version, 3);
});

const said = { id: 'x', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: '{"title":"t"}' }, finish_reason: 'stop' }], usage: { prompt_tokens: 5, completion_tokens: 5 } };
const model = await Upstream.start(({ path }) => (path.startsWith('/down') ? { status: 503 } : { body: said }));
after(() => model.stop());
const at = (path) => ({ type: 'openai-compatible', base_url: `${model.url}/${path}` });
const config = { llm: { providers: { up: at('up'), down: at('down') }, routes: { flaky: { targets: [{ model: 'down/m' }], retry: { attempts: 1 } } } } };

const BY_NAME = `
document: { dsl: '1.0.3', namespace: default, name: by-name, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { assistant: editor, variables: { tone: dry }, prompt: Write. } }
`;

scenario('an assistant is a model for clients, with its fallbacks', { needs: NEEDS, config, checkNeeds: false }, async (suite) => {
  const put = (body) => suite.api.ok('PUT', '/v1/assistants/editor', {
    model: 'flaky',
    fallbacks: ['nobody/knows', 'up/spare'],
    system: 'Be {{tone}}.',
    variables: { type: 'object', required: ['tone'], properties: { tone: { enum: ['dry', 'warm'] } } },
    parameters: { temperature: 0.5, max_tokens: 300, cache: '1h' },
    output_schema: { type: 'object', required: ['title'] },
    ...body,
  });
  await put({});
  await put({ system: 'Second: be {{tone}}.' });
  const client = new OpenAI({ baseURL: `${suite.url}/v1`, apiKey: suite.key, maxRetries: 0 });
  const messages = [{ role: 'user', content: 'hi' }];
  const ask = async (name, more = {}) => {
    model.requests.length = 0;
    const answer = await client.chat.completions.create({ model: name, messages, variables: { tone: 'dry' }, ...more });
    return { answer, sent: model.requests.map(({ path, body }) => ({ path, ...JSON.parse(body) })) };
  };

  const { answer, sent } = await ask('assistant/editor');
  assert.equal(answer.choices[0].message.content, '{"title":"t"}');
  assert.deepEqual(sent.map(({ path, model: name }) => [path, name]), [['/down/chat/completions', 'm'], ['/up/chat/completions', 'spare']]);
  assert.deepEqual(sent[1].messages, [{ role: 'system', content: 'Second: be dry.' }, ...messages]);
  assert.deepEqual([sent[1].temperature, sent[1].max_tokens, sent[1].response_format.json_schema.schema], [0.5, 300, { type: 'object', required: ['title'] }]);
  for (const member of ['variables', 'assistant', 'fallbacks', 'cache', 'schema', 'system']) assert.ok(!(member in sent[1]), member);

  // An upstream that answers in one piece where a stream was asked for.
  let heard = '';
  for await (const { choices: [choice] } of await client.chat.completions.create({ model: 'up/m', messages, stream: true })) heard += choice?.delta.content ?? '';
  assert.equal(heard, answer.choices[0].message.content);

  // What the request says itself wins; a version that is named stays that one.
  const pinned = (await ask('assistant/editor:1', { temperature: 0.1, response_format: { type: 'json_object' }, variables: { tone: 'warm' } })).sent.at(-1);
  assert.deepEqual([pinned.messages[0].content, pinned.temperature, pinned.response_format], ['Be warm.', 0.1, { type: 'json_object' }]);

  // The same in the words of the other protocols.
  const others = {
    anthropic: () => new Anthropic({ baseURL: suite.url, apiKey: suite.key, maxRetries: 0 })
      .messages.create({ model: 'assistant/editor', max_tokens: 50, system: 'Mind.', messages, variables: { tone: 'warm' } }).then(({ content }) => content[0].text),
    gemini: () => suite.api.ok('POST', '/v1beta/models/assistant%2Feditor:generateContent', { contents: [{ role: 'user', parts: [{ text: 'hi' }] }], generationConfig: { maxOutputTokens: 50 }, systemInstruction: { parts: [{ text: 'Mind.' }] }, variables: { tone: 'warm' } })
      .then(({ candidates }) => candidates[0].content.parts[0].text),
  };
  for (const [protocol, say] of Object.entries(others)) {
    model.requests.length = 0;
    assert.equal(await say(), '{"title":"t"}', protocol);
    assert.deepEqual(model.requests.map(({ path }) => path), ['/down/chat/completions', '/up/chat/completions'], protocol);
    const body = JSON.parse(model.requests[1].body);
    const text = body.messages.filter(({ role }) => role === 'system').map(({ content }) => (typeof content === 'string' ? content : content.map((part) => part.text).join(''))).join('');
    assert.match(text, /^Second: be warm\.\s*Mind\.$/, protocol);
    assert.deepEqual([body.model, body.temperature, body.max_tokens ?? body.max_completion_tokens, body.response_format?.json_schema?.schema], ['spare', 0.5, 50, { type: 'object', required: ['title'] }], protocol);
    assert.ok(!('variables' in body), protocol);
  }
  const unknown = await suite.api.call('POST', '/v1beta/models/assistant%2Fnobody:generateContent', { contents: [] });
  assert.deepEqual([unknown.status, unknown.body.error.status], [404, 'NOT_FOUND'], JSON.stringify(unknown.body));
  model.requests.length = 0;

  const refused = (name, more) => assert.rejects(ask(name, more), (error) => (Object.assign(refused, { error }), true));
  await refused('assistant/editor', { variables: { tone: 'loud' } });
  assert.deepEqual([refused.error.status, /\/variables\/tone/.test(refused.error.message)], [422, true], refused.error.message);
  await refused('assistant/nobody');
  assert.deepEqual([refused.error.status, /nobody/.test(refused.error.message)], [404, true], refused.error.message);
  await refused('assistant/Not A Name');
  assert.deepEqual([refused.error.status, /\/model/.test(refused.error.message)], [422, true], refused.error.message);
  assert.equal(model.requests.length, 0);

  // Jobs use the fallbacks as well, and have them in their arguments.
  await suite.apply(BY_NAME);
  const run = await suite.runEnds((await suite.startRun('by-name')).id);
  assert.deepEqual(run.output.content, { title: 't' });
  assert.deepEqual(model.requests.map(({ path }) => path), ['/down/chat/completions', '/up/chat/completions']);
});
