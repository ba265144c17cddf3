// The two judges: the official JSON Schema, and our validator.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(new URL('../../build/oracle/package.json', import.meta.url));
const Ajv = require('ajv/dist/2020.js');
const addFormats = require('ajv-formats');
export const yaml = require('js-yaml');

// Texts stay texts: js-yaml's own default would make dates of some.
export const parse = (text) => yaml.load(text, { schema: yaml.CORE_SCHEMA });
export const parseAll = (text) => yaml.loadAll(text, null, { schema: yaml.CORE_SCHEMA });

// What the specification's repository holds, if somebody put it beside the tests.
const data = process.env.TUTTI_TEST_DATA && join(process.env.TUTTI_TEST_DATA, 'data', 'open-workflow');
export const specification = data && existsSync(data) ? data : undefined;

function compile(schema) {
  const ajv = new Ajv({ strict: false, validateFormats: true });
  addFormats(ajv);
  return ajv.compile(schema);
}

// The schema of 1.0.3 as the official SDK for TypeScript carries it.
function schemaOfSdk() {
  const text = readFileSync(require.resolve('@serverlessworkflow/sdk').replace(/index\.\w+$/, 'index.mjs'), 'utf8');
  const literal = /= (\{\n\t\$id: "https:\/\/serverlessworkflow\.io\/schemas\/[\s\S]*?\n\});/.exec(text);
  if (!literal) throw new Error('the SDK does not carry the schema where it used to');
  return new Function(`return ${literal[1]}`)();
}

// [{name, accepts(document)}]: 1.0.3, and the main dialect where the specification is there.
export function officialSchemas() {
  const schemas = [{ name: '1.0.3', schema: schemaOfSdk() }];
  if (specification) schemas.push({ name: 'main', schema: parse(readFileSync(join(specification, 'schema', 'workflow.yaml'), 'utf8')) });
  return schemas.map(({ name, schema }) => ({ name, accepts: compile(schema) }));
}

// The official examples: [{name, text}].
export function examples() {
  if (!specification) return [];
  const folder = join(specification, 'examples');
  return readdirSync(folder).filter((name) => name.endsWith('.yaml')).sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}

const program = join(process.env.TUTTI_BIN ?? 'build/dev/bin', 'tutti');

// What `tutti` prints; its exit code says nothing new.
export function tutti(...args) {
  return new Promise((resolve, reject) => {
    execFile(program, args, { maxBuffer: 1 << 30 }, (error, stdout, stderr) => {
      if (error && (error.signal || error.code > 1 || typeof error.code === 'string')) reject(new Error(`${program} ${args[0]}: ${error.message} ${stderr}`));
      else resolve(stdout);
    });
  });
}

// Our findings of many texts, in their order: [{valid, diagnostics}].
export async function validate(texts) {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-oracle-'));
  try {
    const files = texts.map((text, i) => {
      const file = join(folder, `${i}.yaml`);
      writeFileSync(file, text);
      return file;
    });
    const answers = [];
    for (let from = 0; from < files.length; from += 60) {
      const lines = (await tutti('validate', '--json', ...files.slice(from, from + 60))).trimEnd().split('\n');
      answers.push(...lines.map((line) => JSON.parse(line)));
    }
    if (answers.length !== files.length) throw new Error(`${answers.length} answers for ${files.length} definitions`);
    return answers;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
