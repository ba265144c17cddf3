// Our evaluator against jq 1.7 (npm's jq-wasm): generated programs on generated inputs must have the
// same outputs, or fail in both. Where they differ on purpose the generator does not go; the file
// `differences` names each such place with its reason, and one that differs no longer is a failure, too.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { promisify } from 'node:util';

const require = createRequire(new URL('../../build/expr/package.json', import.meta.url));
const BIN = process.env.TUTTI_BIN ?? new URL('../../build/dev/bin', import.meta.url).pathname;
const SEED = process.env.SEED ?? '20241122';
const BATCHES = process.env.TUTTI_LONG ? 1500 : 75; // of 40 programs on 10 inputs each
const SLICE = 75; // batches of one process

const run = promisify(execFile);

// An instance leaks a little with each program, and refuses all of them when its memory is full.
let jq;
function freshJq() {
  for (const path of Object.keys(require.cache)) if (path.includes('/jq-wasm/')) delete require.cache[path];
  jq = require('jq-wasm');
}
freshJq();

// All outputs of `programs` on `inputs`, in the order of the inputs.
async function theirs(programs, inputs) {
  const filter = `.[] | (${programs.map((program) => `(${program})`).join(',\n')})`;
  const text = await jq.raw(JSON.stringify(inputs), filter, ['-c']);
  return text.split('\n').filter(Boolean);
}

// jq does a whole batch or nothing of it: if it stops, the programs go one by one.
async function results(programs, inputs) {
  const all = await theirs(programs, inputs).catch(() => []);
  if (all.length === programs.length * inputs.length) return all.map((line) => JSON.parse(line));
  const each = await Promise.all(programs.map((program) => theirs([program], inputs).catch(() => [])));
  return inputs.flatMap((_, i) => each.map((lines) => (lines[i] === undefined ? undefined : JSON.parse(lines[i]))));
}

function differ(a, b) {
  try {
    assert.deepEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b))); // -0 equals 0
    return false;
  } catch {
    return true;
  }
}

const known = readFileSync(new URL('differences', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line && !line.startsWith('#'))
  .map((line) => /^([^:]+): (.*?) ## (.*)$/.exec(line).slice(1));

test(`${BATCHES * 400} pairs of program and input, seed ${SEED}`, { timeout: 1_200_000 }, async () => {
  let pairs = 0;
  const failures = [];
  for (let from = 0; from < BATCHES; from += SLICE) {
    freshJq();
    const count = Math.min(SLICE, BATCHES - from);
    const { stdout } = await run(`${BIN}/expr_differential`, ['--write', String(count), String(Number(SEED) + from)], { maxBuffer: 1 << 30 });
    for (const line of stdout.split('\n').filter(Boolean)) {
      if (line.startsWith('FAILED')) {
        failures.push(line);
        continue;
      }
      const { programs, inputs, ours } = JSON.parse(line);
      const wanted = await results(programs, inputs);
      ours.forEach((value, i) => {
        pairs++;
        if (wanted[i] === undefined) failures.push(`jq refuses ${programs[i % programs.length]}`);
        else if (differ(value, wanted[i])) {
          failures.push(`${programs[i % programs.length]}\n  input ${JSON.stringify(inputs[Math.floor(i / programs.length)])}\n  ours  ${JSON.stringify(value)}\n  jq's  ${JSON.stringify(wanted[i])}`);
        }
      });
    }
  }
  console.log(`${pairs} pairs compared, ${failures.length} differ`);
  assert.ok(pairs >= BATCHES * 400);
  assert.equal(failures.length, 0, [...new Set(failures)].slice(0, 20).join('\n'));
});

freshJq();
for (const [reason, program, ours] of known) {
  test(`known difference, ${reason}: ${program}`, async () => {
    const input = JSON.stringify({ n: 1, s: "it's" });
    const { stdout } = await run(`${BIN}/expr_differential`, ['--one', program, input]);
    assert.equal(stdout.trim(), ours);
    const text = await jq.raw(input, `[${program}]`, ['-c']).catch(() => 'error');
    assert.notEqual(text.trim(), ours, 'it differs no longer: take it off the list');
  });
}
