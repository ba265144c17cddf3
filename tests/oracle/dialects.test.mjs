// ajv as an oracle for our schemas, draft by draft: random schemas and values, judged by both. Ours are played by
// `tutti test`: a workflow with a task per schema, and a case per value. TUTTI_SEED makes others.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Random } from './corpus.mjs';
import { tutti } from './oracle.mjs';

const require = createRequire(new URL('../../build/oracle/package.json', import.meta.url));
const seed = Number(process.env.TUTTI_SEED ?? 20260502);
const schema_count = Number(process.env.TUTTI_SCHEMAS ?? 40);
const value_count = 12;

const old = { strict: false, validateFormats: false, ignoreKeywordsWithRef: true, logger: false };
const present = { strict: false, validateFormats: false };
const drafts = [
  { name: 'draft-06', uri: 'http://json-schema.org/draft-06/schema#', age: 6, ajv: () => new (require('ajv'))(old).addMetaSchema(require('ajv/dist/refs/json-schema-draft-06.json')) },
  { name: 'draft-07', uri: 'http://json-schema.org/draft-07/schema#', age: 7, ajv: () => new (require('ajv'))(old) },
  { name: '2019-09', uri: 'https://json-schema.org/draft/2019-09/schema', age: 2019, ajv: () => new (require('ajv/dist/2019.js'))(present) },
  { name: '2020-12', uri: 'https://json-schema.org/draft/2020-12/schema', age: 2020, ajv: () => new (require('ajv/dist/2020.js'))(present) },
];

// --- what is generated

const scalars = [null, true, 0, 1, 2.5, 7, 'a', 'bb', ''];
const members = ['a', 'b', 'c'];
const types = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];
const list = (random, max, make) => Array.from({ length: random.below(max + 1) }, make);
const map = (random, make) => Object.fromEntries(members.filter(() => random.below(2)).map((name) => [name, make()]));

function value(random, depth = 0) {
  const kind = depth > 2 ? 0 : random.below(4);
  if (kind === 1) return list(random, 4, () => value(random, depth + 1));
  if (kind > 1) return map(random, () => value(random, depth + 1));
  return random.pick(scalars);
}

// What a draft can say: [keyword, the first draft that has it, the last, its value].
const keywords = [
  ['type', 6, 2020, (r) => r.pick(types)],
  ['enum', 6, 2020, (r) => [r.pick(scalars), r.pick(scalars), [1]].filter((one, i, all) => all.indexOf(one) === i)],
  ['const', 6, 2020, (r) => r.pick(scalars)],
  ['minimum', 6, 2020, (r) => r.below(4)],
  ['exclusiveMaximum', 6, 2020, (r) => r.below(8)],
  ['maxLength', 6, 2020, (r) => r.below(3)],
  ['maxItems', 6, 2020, (r) => 1 + r.below(3)],
  ['required', 6, 2020, (r) => members.filter(() => r.below(3) === 0)],
  ['properties', 6, 2020, (r, s) => map(r, s)],
  ['patternProperties', 6, 2020, (r, s) => ({ '^[ab]': s() })],
  ['additionalProperties', 6, 2020, (_, s) => s()],
  ['propertyNames', 6, 2020, (r) => ({ enum: members.filter(() => r.below(4)).concat('z') })],
  ['dependencies', 6, 2020, (r, s) => ({ a: r.below(2) ? ['b'] : s() })],
  ['dependentRequired', 2019, 2020, () => ({ b: ['c'] })],
  ['dependentSchemas', 2019, 2020, (_, s) => ({ c: s() })],
  ['items', 6, 2020, (_, s) => s()],
  ['items', 6, 2019, (r, s) => [s(), ...list(r, 1, s)]],
  ['additionalItems', 6, 2019, (_, s) => s()],
  ['prefixItems', 6, 2020, (r, s) => [s(), ...list(r, 1, s)]], // ignored by the older ones
  ['contains', 6, 2020, (_, s) => s()],
  ['minContains', 2019, 2020, (r) => r.below(3)],
  ['maxContains', 2019, 2020, (r) => r.below(3)],
  ['unevaluatedItems', 2019, 2020, (_, s) => s()],
  ['unevaluatedProperties', 2019, 2020, (_, s) => s()],
  ['if', 7, 2020, (_, s) => s()],
  ['then', 7, 2020, (_, s) => s()],
  ['else', 7, 2020, (_, s) => s()],
  ['allOf', 6, 2020, (_, s) => [s(), s()]],
  ['anyOf', 6, 2020, (_, s) => [s(), s()]],
  ['oneOf', 6, 2020, (_, s) => [s(), s()]],
  ['not', 6, 2020, (_, s) => s()],
  ['$ref', 6, 2020, (r) => (r.below(2) ? '#/definitions/x' : '#named')],
  ['$recursiveRef', 2019, 2019, () => '#'],
  ['$dynamicRef', 2020, 2020, () => '#again'],
];

// These look at parts of a value: only there a schema may begin again, else it would never end.
const partial = /ropert|tems|contains/;

function schema(random, age, depth = 0, isPart = false) {
  if (random.below(8) === 0) return random.below(3) > 0;
  if (depth > 2) return { type: random.pick(types) };
  const made = {};
  const mayBegin = ([name]) => isPart || !/^.(recursive|dynamic)Ref/.test(name);
  const possible = keywords.filter(([, since, until]) => since <= age && age <= until).filter(mayBegin);
  for (let n = 1 + random.below(4); n > 0; n--) {
    const [name, , , make] = random.pick(possible);
    made[name] = make(random, () => schema(random, age, depth + 1, isPart || partial.test(name)));
  }
  return alone(made, age);
}

// What ajv 8 judges otherwise than the standard, so that it is no oracle for it.
const misjudged = [
  // A `contains` beside a list of items: [] has what it must contain.
  (text) => /"contains"/.test(text) && /"(prefixItems|items)":\[/.test(text),
  // `contains` takes all items for seen (from 2020-12 on those are that it has found, before it none).
  (text) => /"contains"/.test(text) && /"unevaluatedItems"/.test(text),
  // What one `unevaluated…` has seen, in an alternative that failed or behind a reference, counts for another.
  (text) => /"unevaluated.*"unevaluated/.test(text) || (/"unevaluated/.test(text) && /"anyOf"/.test(text)),
  (text) => /"\$(dynamic|recursive)Ref"/.test(text) && /"unevaluated/.test(text),
];

// Beside a `$ref` `type` is checked in the older drafts, and what stands beside the other references gets lost.
function alone(made, age) {
  for (const name of ['$recursiveRef', '$dynamicRef', ...(age < 2019 ? ['$ref'] : [])]) {
    if (name in made) return { [name]: made[name] };
  }
  return made;
}

function document(random, draft) {
  const named = { ...(draft.age < 2019 ? { $id: '#named' } : { $anchor: 'named' }), type: random.pick(types) };
  const root = schema(random, draft.age);
  const again = draft.age === 2019 ? { $recursiveAnchor: true } : draft.age === 2020 ? { $dynamicAnchor: 'again' } : {};
  return { $schema: draft.uri, ...again, ...(root === true ? {} : root === false ? { not: {} } : root), definitions: { x: { type: random.pick(types) }, named } };
}

function documents(random, draft) {
  const made = [];
  while (made.length < schema_count) {
    const one = document(random, draft);
    if (!misjudged.some((is) => is(JSON.stringify(one)))) made.push(one);
  }
  return made;
}

// --- how ours judge

// Each schema has a task that says whether the value fits; the output is what they say, by name of the task.
function workflow(schemas) {
  const tasks = schemas.map((one, i) => ({ [`s${i}`]: {
    input: { from: '${ $workflow.input.value }' },
    try: [{ fits: { input: { schema: { document: one } }, set: { fits: true } } }],
    catch: { errors: { with: { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/validation' } }, do: [{ no: { set: { fits: false } } }] },
    export: { as: `\${ $context + {s${i}: .fits} }` },
  } }));
  return { document: { dsl: '1.0.3', namespace: 'oracle', name: 'dialect', version: '1.0.0' }, do: tasks, output: { as: '${ $context | del(.value) }' } };
}

async function judge(schemas, values, expected) {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-dialects-'));
  try {
    writeFileSync(join(folder, 'dialect.yaml'), JSON.stringify(workflow(schemas)));
    const cases = values.map((one, i) => ({ name: JSON.stringify(one), input: { value: one }, expect: { output: expected[i] } }));
    writeFileSync(join(folder, 'dialect.test.yaml'), JSON.stringify({ cases }));
    return JSON.parse(await tutti('test', '--json', join(folder, 'dialect.yaml')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const [i, draft] of drafts.entries()) {
  test(`${draft.name}: as ajv judges, seed ${seed}`, async (t) => {
    const random = new Random(seed + i);
    const schemas = documents(random, draft);
    const values = Array.from({ length: value_count }, () => value(random));
    const checks = schemas.map((one) => draft.ajv().compile(one));
    const expected = values.map((one) => Object.fromEntries(checks.map((check, n) => [`s${n}`, check(one)])));
    const answer = await judge(schemas, values, expected);
    const faults = answer.cases.flatMap(({ name, failures }) => failures.map(({ pointer, detail }) => {
      const at = /\/s(\d+)$/.exec(pointer);
      return `${name}: ${detail}: ${at ? JSON.stringify(schemas[at[1]]) : pointer}`;
    }));
    assert.deepEqual(faults.slice(0, 20), [], `${faults.length} of ${schema_count * value_count} are judged differently`);
    assert.equal(answer.passed, value_count);
    t.diagnostic(`${schema_count * value_count} judged alike, ${expected.flatMap(Object.values).filter(Boolean).length} of them valid`);
  });
}
