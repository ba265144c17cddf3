// Assistants: made, changed, listed and rendered through the API; used by runs, which stay with the version they got.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

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
