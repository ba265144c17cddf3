// css-select as an oracle for our selectors: on generated pages both find the same elements, for generated selectors.
// Left out is where css-select 5.2.2 is wrong: `[a~="" s]` finds something, and :has() with a list, or with a list in it,
// takes what the sibling combinators of one selector lead to for all of them; in `:has(a b)` it looks for `a` above, too.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';

const require = createRequire(new URL('../../build/oracle/package.json', import.meta.url));
const { selectAll } = require('css-select');
const { parseDocument } = require('htmlparser2');

const seed = Number(process.env.TUTTI_SEED ?? 20261122);
const PAGES = 20;
const SELECTORS = 60; // of each page

// xorshift32: the same numbers everywhere.
function random(state) {
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const types = ['div', 'p', 'span', 'section', 'em'];
const words = ['a', 'b', 'ab', 'A', 'a-b'];
const values = ['a', 'b', 'a b', 'ab', 'A', 'a-b', 'b-a c', ''];

// Elements that may stand anywhere in each other as they are written; <p> only holds what it may.
function page(next) {
  let count = 0;
  const element = (depth, isInline) => {
    const type = isInline ? ['span', 'em'][next(2)] : types[next(types.length)];
    let text = `<${type} data-n="${count++}"`;
    for (const name of ['class', 'id', 'title', 'type']) if (next(3) === 0) text += ` ${name}="${values[next(values.length)]}"`;
    text += '>';
    const children = depth === 0 ? 0 : next(5);
    for (let i = 0; i < children; i++) text += next(6) === 0 ? ['x', ' ', '<!-- c -->'][next(3)] : element(depth - 1, isInline || ['p', 'span', 'em'].includes(type));
    return `${text}</${type}>`;
  };
  const body = Array.from({ length: 4 }, () => element(4, false)).join('');
  return `<!doctype html><html data-n="html"><head data-n="head"></head><body data-n="body">${body}</body></html>`;
}

function selector(next, depth) {
  const one = (list) => list[next(list.length)];
  // No `n`: css-select wants a parent element for it, so that its root has no position then.
  const position = () => one(['1', '2', 'odd', 'even', '2n+1', '-n+2', '3n', '0', '-2n + 3', '+3n - 1']);
  const list = () => Array.from({ length: 1 + next(2) }, () => selector(next, depth - 1)).join(', ');
  const test = (deep) => () => {
    switch (next(deep > 0 ? 9 : 5)) {
      case 0: return `.${one(['a', 'b', 'ab', 'a-b'])}`;
      case 1: return `#${one(['a', 'ab'])}`;
      case 2: return `[${one(['title', 'type', 'class'])}${one(['', ...['=', '~=', '|=', '^=', '$=', '*='].map((sign) => `${sign}"${one(sign === '~=' ? words : values)}"${one(['', ' i', ' s'])}`)])}]`;
      case 3: return one([':first-child', ':last-child', ':only-child', ':first-of-type', ':last-of-type', ':only-of-type', ':empty', ':root']);
      case 4: return `:nth-${one(['child', 'last-child', 'of-type', 'last-of-type'])}(${position()})`;
      case 5: return `:not(${list()})`;
      case 6: return `:${one(['is', 'where'])}(${list()})`;
      case 7: return `:has(${one(['> ', '+ ', '~ '])}${selector(next, 0)})`;
      default: return `:has(${part(0)})`;
    }
  };
  const part = (deep) => one(['', '*', ...types]) + Array.from({ length: next(3) }, test(deep)).join('') || test(deep)();
  return Array.from({ length: 1 + next(3) }, () => part(depth)).join(one([' ', ' > ', ' + ', ' ~ ']));
}

test(`selectors of seed ${seed}`, () => {
  const next = random(seed);
  const cases = Array.from({ length: PAGES }, () => ({ html: page(next), selectors: Array.from({ length: SELECTORS }, () => selector(next, 2)) }));
  const program = join(process.env.TUTTI_BIN ?? 'build/dev/bin', 'oracle_selectors');
  const answers = execFileSync(program, { input: cases.map((one) => `${JSON.stringify(one)}\n`).join(''), maxBuffer: 1 << 28 }).toString().trimEnd().split('\n').map((line) => JSON.parse(line));
  let found = 0;
  for (const [i, { html, selectors }] of cases.entries()) {
    const document = parseDocument(html);
    for (const [j, text] of selectors.entries()) {
      const theirs = selectAll(text, document).map((one) => one.attribs['data-n']);
      assert.deepEqual(answers[i][j], theirs, `${text}\n${html}`);
      found += theirs.length > 0;
    }
  }
  assert.ok(found > cases.length * SELECTORS / 8, `only ${found} find anything`);
});
