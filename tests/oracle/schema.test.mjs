// The official JSON Schema of the language as an oracle for our validator: what one accepts the other
// accepts, but for reasons that have a name (reasons.mjs). TUTTI_SEED makes another corpus.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { mutants } from './corpus.mjs';
import { examples, officialSchemas, parse, parseAll, specification, validate } from './oracle.mjs';
import { explain, refused } from './reasons.mjs';

const seed = Number(process.env.TUTTI_SEED ?? 20260501);
const count = Number(process.env.TUTTI_MUTANTS ?? 2500);
const patience_ms = 15_000;
const bases = parseAll(readFileSync(new URL('bases.yaml', import.meta.url), 'utf8'));
const schemas = officialSchemas();
const accepts = (document) => schemas.some((schema) => schema.accepts(document));

// Checked for form, then refused since nothing executes it: that refusal says nothing of the form.
const isState = (f) => /^(`call: (grpc|asyncapi)`|`run\.(shell|script|container)`) is not supported yet$/.test(f.detail);
const errorsOf = (answer) => answer.diagnostics.filter((f) => f.severity === 'error' && !isState(f));
const show = (f) => `${f.code} ${f.pointer}: ${f.detail}`;

test('the definitions that are mutated are right', async () => {
  const answers = await validate(bases.map((base) => JSON.stringify(base)));
  for (const [i, base] of bases.entries()) {
    assert.ok(accepts(base), `${base.document.name}: the official schema refuses it`);
    const errors = errorsOf(answers[i]).filter((f) => !/not supported yet/.test(f.detail));
    assert.deepEqual(errors.map(show), [], base.document.name);
  }
});

test(`mutants of seed ${seed}`, async (t) => {
  const documents = [...bases, ...examples().map(({ text }) => parse(text))];
  const corpus = mutants(documents, seed, count);
  const answers = [];
  const end = Date.now() + patience_ms;
  while (answers.length < corpus.length && Date.now() < end) {
    const some = corpus.slice(answers.length, answers.length + 240);
    answers.push(...await validate(some.map(({ document }) => JSON.stringify(document))));
  }
  corpus.length = answers.length; // on a busy machine fewer
  const reasons = new Map();
  const faults = [];
  let agreed = 0;
  let right = 0;
  const because = (name) => reasons.set(name, (reasons.get(name) ?? 0) + 1);
  for (const [i, { document, changes }] of corpus.entries()) {
    const errors = errorsOf(answers[i]);
    const official = accepts(document);
    if (official) right++;
    if (official === (errors.length === 0)) {
      agreed++;
    } else if (official) {
      for (const finding of errors) {
        const reason = refused.find(([, matches]) => matches(finding));
        if (reason) because(`refused: ${reason[0]}`);
        else faults.push(`${changes.join('; ')}: we refuse it: ${show(finding)}`);
      }
    } else {
      const names = explain(document, accepts);
      if (names) names.forEach((name) => because(`accepted: ${name}`));
      else faults.push(`${changes.join('; ')}: we accept it: ${JSON.stringify(document)}`);
    }
  }
  t.diagnostic(`${schemas.map(({ name }) => name).join(' and ')}: ${agreed} of ${corpus.length} judged alike, ${right} of them right by the schema`);
  for (const [name, n] of [...reasons].sort((a, b) => b[1] - a[1])) t.diagnostic(`${n} ${name}`);
  assert.deepEqual(faults.slice(0, 20), [], `${faults.length} of ${corpus.length} are judged differently, seed ${seed}`);
});

test('the official examples', { skip: specification ? false : 'TUTTI_TEST_DATA has no data/open-workflow' }, async (t) => {
  const all = examples();
  const answers = await validate(all.map(({ text }) => text));
  const known = [
    ['programs', (f) => f.code === 'V31'],
    ['not supported yet', (f) => /not supported yet/.test(f.detail)],
  ];
  const named = new Map();
  let passed = 0;
  for (const [i, { name }] of all.entries()) {
    const errors = answers[i].diagnostics.filter((f) => f.severity === 'error');
    if (errors.length === 0) passed++;
    for (const finding of errors) {
      const reason = known.find(([, matches]) => matches(finding));
      assert.ok(reason, `${name}: ${show(finding)}`);
      named.set(reason[0], (named.get(reason[0]) ?? new Set()).add(name));
    }
  }
  t.diagnostic(`${passed} of ${all.length} pass`);
  for (const [reason, names] of named) t.diagnostic(`${reason}: ${[...names].join(' ')}`);
});
