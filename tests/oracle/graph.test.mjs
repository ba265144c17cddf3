// What `tutti graph` writes, in the eyes of those who read it: Mermaid's parser, an XML parser, JSON.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { examples, parse, parseAll, tutti, validate } from './oracle.mjs';

const packages = new URL('../../build/oracle/package.json', import.meta.url);
const require = createRequire(packages);
const { SaxesParser } = require('saxes');

// Mermaid cleans labels with DOMPurify, which wants a browser; its parser does not need the result.
async function loadMermaid() {
  const { default: purify } = await import(new URL('node_modules/dompurify/dist/purify.es.mjs', packages));
  Object.assign(purify, { addHook: () => {}, removeHook: () => {}, sanitize: (text) => text });
  return (await import(new URL('node_modules/mermaid/dist/mermaid.core.mjs', packages))).default;
}

const document = (name) => ({ dsl: '1.0.3', namespace: 'oracle', name, version: '1.0.0' });
const nasty = ['"', "'", '<b>', '&amp;', '--> x', 'end', 'subgraph', '`a`', '#quot;', '%% c', '[x]', 'a;b', 'ünï ✓ 漢字', '\u0001\u0007', '\ufffe', '|', '{', ']]', 'click t0 "javascript:alert(1)"', ']]>', 'x'.repeat(300)];
const hostile = {
  document: document('hostile'),
  do: [
    ...nasty.map((text, i) => ({ [`${text}${i}`]: { if: `. == ${JSON.stringify(text)}`, set: { [text]: text } } })),
    { choose: { switch: nasty.map((text, i) => ({ [`${text}${i}`]: { when: `. == ${JSON.stringify(text)}`, then: 'end' } })) } },
    { box: { do: nasty.map((text, i) => ({ [`${text}${i}`]: { do: [] } })) } },
  ],
};
const odd = [
  { document: document('empty'), do: [] },
  { document: document('deep'), do: [Array.from({ length: 18 }).reduce((inner) => ({ d: { do: [inner] } }), { leaf: { set: { a: 1 } } })] },
  { document: document('jumps'), do: Array.from({ length: 90 }, (_, i) => ({ [`t${i}`]: { set: { a: 1 }, then: `t${(i * 37) % 90}` } })) },
  { document: document('wide'), do: [{ f: { fork: { branches: Array.from({ length: 60 }, (_, i) => ({ [`b${i}`]: { wait: 'PT1S', then: i % 7 ? 'continue' : 'end' } })) } } }] },
];

const folder = mkdtempSync(join(tmpdir(), 'tutti-graph-'));
const files = [];
let mermaid;

before(async () => {
  mermaid = await loadMermaid();
  const bases = parseAll(readFileSync(new URL('bases.yaml', import.meta.url), 'utf8'));
  const compose = new URL('../../compose/examples/', import.meta.url);
  const own = readdirSync(compose).filter((name) => name.endsWith('.yaml')).map((name) => parse(readFileSync(new URL(name, compose), 'utf8')));
  const all = [...bases, ...own, ...examples().map(({ text }) => parse(text)), hostile, ...odd].map((value) => JSON.stringify(value).replaceAll('\ufffe', '\\ufffe'));
  const answers = await validate(all);
  for (let i = all.length - 1 - odd.length; i < all.length; i++) {
    assert.deepEqual(answers[i].diagnostics.filter((f) => f.severity === 'error'), [], all[i].slice(0, 120));
  }
  all.filter((_, i) => answers[i].valid).forEach((text, i) => {
    files.push(join(folder, `${i}.yaml`));
    writeFileSync(files.at(-1), text);
  });
});

after(() => rmSync(folder, { recursive: true, force: true }));

const each = (format, check) => Promise.all(files.map(async (file) => {
  const text = await tutti('graph', file, '--format', format);
  try {
    await check(text, parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new Error(`${readFileSync(file, 'utf8').slice(0, 200)}: ${error.message}`, { cause: error });
  }
}));

test('there is something to draw', () => assert.ok(files.length >= 8, `${files.length} definitions`));

test('Mermaid reads its flowchart', () => each('mermaid', async (text) => {
  assert.equal((await mermaid.parse(text)).diagramType, 'flowchart-v2');
}));

test('SVG is XML, and nothing in it acts', () => each('svg', (text) => {
  const tags = new Set();
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', (error) => { throw error; });
  parser.on('opentag', (tag) => {
    tags.add(tag.name);
    for (const name of Object.keys(tag.attributes)) assert.doesNotMatch(name, /^on|href/);
  });
  parser.write(text).close();
  assert.ok(tags.has('svg'));
  assert.ok(!tags.has('script') && !tags.has('a') && !tags.has('foreignObject'));
}));

test('JSON has every task once, and edges between them', () => each('json', (text, definition) => {
  const graph = JSON.parse(text);
  const ids = new Set(graph.nodes.map(({ id }) => id));
  assert.equal(ids.size, graph.nodes.length);
  for (const [i, task] of definition.do.entries()) {
    assert.ok(ids.has(`/do/${i}/${Object.keys(task)[0].replaceAll('~', '~0').replaceAll('/', '~1')}`));
  }
  for (const { from, to } of graph.edges) {
    assert.ok(from === 'start' || ids.has(from), from);
    assert.ok(to === 'end' || ids.has(to), to);
  }
}));
