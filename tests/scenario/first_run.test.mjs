// The smallest run there is: it goes through gateway and scheduler alone.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const WORKFLOW = `
document: { dsl: '1.0.3', namespace: default, name: hello, version: '1.0.0' }
do:
  - greet: { set: { text: '\${ "Hello, \\(.name)" }' } }
`;

scenario('a run without jobs ends with its output', { needs: ['scheduler', 'gateway'] }, async (suite) => {
  await suite.apply(WORKFLOW);
  const run = await suite.startRun('hello', { name: 'world' });
  const ended = await suite.runEnds(run.id);
  assert.deepEqual(ended.output, { text: 'Hello, world' });
  const events = await suite.history(run.id);
  assert.deepEqual(events.map((event) => event.sequence), events.map((_, index) => index + 1), 'numbered without gap');
  assert.equal(events.at(-1).type, 'run.completed');
});
