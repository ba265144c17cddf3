// Official descriptions of APIs, OpenAPI 3.x and Swagger 2.0, as what a request is checked against. Objects are closed: an unknown
// key is an error, which the descriptions themselves rarely say.
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';

const require = createRequire(new URL('../../build/contract/package.json', import.meta.url));
const Ajv = require('ajv/dist/2020');
const yaml = require('js-yaml');

// What the folder with test data calls the files of repositories.
const ofGit = {
  'qdrant/qdrant docs/redoc/master/openapi.json': 'qdrant.json',
  'slackapi/slack-api-specs web-api/slack_web_openapi_v2.json': 'slack.json',
  'twilio/sendgrid-oai spec/json/tsg_mail_v3.json': 'sendgrid-mail.json',
  'twilio/sendgrid-oai spec/json/tsg_mc_singlesends_v3.json': 'sendgrid-singlesends.json',
  'twilio/sendgrid-oai spec/json/tsg_mc_contacts_v3.json': 'sendgrid-contacts.json',
  'twilio/sendgrid-oai spec/json/tsg_mc_stats_v3.json': 'sendgrid-stats.json',
  'twilio/sendgrid-oai spec/json/tsg_scheduled_sends_v3.json': 'sendgrid-scheduled.json',
};

// Where a description lies; null: it is not here.
export function fileOf(spec) {
  if (spec.npm) {
    const name = spec.npm.slice(0, spec.npm.lastIndexOf('@'));
    return new URL(`../../build/contract/node_modules/${name}/${spec.file}`, import.meta.url);
  }
  const name = ofGit[`${spec.git.split('@')[0]} ${spec.file}`];
  if (!name) throw new Error(`tests/contract/description.mjs does not know ${spec.git} ${spec.file}`);
  const path = process.env.TUTTI_TEST_DATA && `${process.env.TUTTI_TEST_DATA}/specs/${name}`;
  return path && existsSync(path) ? path : null;
}

const methods = ['get', 'put', 'post', 'delete', 'head', 'patch'];

export class Description {
  constructor(path) {
    const text = readFileSync(path, 'utf8');
    this.doc = String(path).endsWith('.yaml') ? yaml.load(text) : JSON.parse(text);
    this.isSwagger = this.doc.swagger === '2.0';
    this.ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true, inlineRefs: false, logger: false });
    this.defs = {};
    this.names = new Map();
    this.templates = Object.keys(this.doc.paths).map((path) => {
      const parts = path.split(/(\{[^}]+\})/);
      const inner = (any) => parts.map((part) => part.startsWith('{') ? any : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('');
      return { path, literal: parts.filter((part) => !part.startsWith('{')).join('').length, exact: new RegExp(`^${inner('([^/]+)')}$`), loose: new RegExp(`^${inner('(.+)')}$`) };
    }).sort((a, b) => b.literal - a.literal);
    const servers = this.isSwagger ? [this.doc.basePath ?? ''] : (this.doc.servers ?? []).map((one) => {
      try { return new URL(one.url).pathname; } catch { return ''; }
    });
    this.bases = [...new Set([...servers.map((one) => one.replace(/\/$/, '')), ''])];
  }

  resolve(node) {
    while (node?.$ref) node = node.$ref.slice(2).split('/').reduce((at, key) => at?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], this.doc);
    return node;
  }

  // The operation of a request; undefined: the description has none. A value with slashes in it counts only if nothing else fits.
  operation(method, pathname) {
    for (const kind of ['exact', 'loose']) {
      for (const base of this.bases) {
        if (!pathname.startsWith(base)) continue;
        const rest = pathname.slice(base.length) || '/';
        for (const template of this.templates) {
          const match = template[kind].exec(rest);
          const item = match && this.resolve(this.doc.paths[template.path]);
          const operation = item && this.resolve(item[method.toLowerCase()]);
          if (!operation) continue;
          const names = [...template.path.matchAll(/\{([^}]+)\}/g)].map((one) => one[1]);
          const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => this.resolve(one));
          return { operation, parameters, path: template.path, values: Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(match[i + 1])])) };
        }
      }
    }
    return undefined;
  }

  // --- schemas

  // A schema with its objects closed. A branch of a combination stays open: the whole is closed around it.
  close(schema, isBranch = false) {
    if (schema === undefined || typeof schema !== 'object' || schema === null) return schema ?? true;
    if (schema.$ref) return { $ref: this.definition(schema.$ref, isBranch) };
    const out = {};
    for (const [key, value] of Object.entries(schema)) {
      if (['discriminator', 'xml', 'externalDocs', 'example', 'examples', 'nullable', 'readOnly', 'writeOnly', 'deprecated', 'format', 'description', 'title', 'default'].includes(key) || key.startsWith('x-')) continue;
      if (['allOf', 'anyOf', 'oneOf'].includes(key)) out[key === 'allOf' ? 'allOf' : 'anyOf'] = value.map((one) => this.close(one, true));
      else if (key === 'properties' || key === 'patternProperties') out[key] = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.close(one)]));
      else if (key === 'items') out.items = Array.isArray(value) ? value.map((one) => this.close(one)) : this.close(value);
      else if (key === 'additionalProperties') out[key] = typeof value === 'object' ? this.close(value) : value;
      else if (key === 'not') continue;
      else if (key === 'exclusiveMinimum' && typeof value === 'boolean') { if (value) out.exclusiveMinimum = schema.minimum; }
      else if (key === 'exclusiveMaximum' && typeof value === 'boolean') { if (value) out.exclusiveMaximum = schema.maximum; }
      else out[key] = value;
    }
    if (out.type === 'file') delete out.type;
    if (out.pattern !== undefined) { try { new RegExp(out.pattern, 'u'); } catch { delete out.pattern; } }
    const holds = out.properties || out.allOf || out.anyOf;
    const isObject = out.type === 'object' || out.type === undefined || (Array.isArray(out.type) && out.type.includes('object'));
    if (holds && isObject && !isBranch && !this.isOpen(schema)) out.unevaluatedProperties = false;
    return schema.nullable ? { anyOf: [{ type: 'null' }, out] } : out;
  }

  // It says itself that there may be more.
  isOpen(schema, depth = 0) {
    const one = this.resolve(schema);
    if (!one || depth > 6) return false;
    if (one.additionalProperties !== undefined && one.additionalProperties !== false) return true;
    // An object without properties is one of any.
    if (one.type === 'object' && !one.properties && !one.allOf && !one.anyOf && !one.oneOf && !one.patternProperties) return true;
    return ['allOf', 'anyOf', 'oneOf'].some((key) => one[key]?.some((branch) => this.isOpen(branch, depth + 1)));
  }

  definition(ref, isBranch) {
    const key = `${isBranch ? 'open' : 'closed'} ${ref}`;
    if (!this.names.has(key)) {
      const name = `d${this.names.size}`;
      this.names.set(key, name);
      const closed = this.close(this.resolve({ $ref: ref }), isBranch);
      this.defs[name] = closed;
      this.ajv.addSchema(typeof closed === 'object' ? closed : { allOf: [closed] }, name);
    }
    return this.names.get(key);
  }

  // Errors of a value as {at, text}.
  check(schema, value, at) {
    const validate = this.ajv.compile(this.close(schema));
    if (validate(value)) return [];
    return validate.errors.filter((one) => one.keyword !== 'anyOf' || validate.errors.length === 1).map((one) => ({
      at: at + one.instancePath + (one.params.unevaluatedProperty ? `/${one.params.unevaluatedProperty}` : one.params.additionalProperty ? `/${one.params.additionalProperty}` : ''),
      text: `${one.message}${one.params.allowedValues ? `: ${JSON.stringify(one.params.allowedValues).slice(0, 200)}` : ''}`,
    }));
  }

  // A text of a path, query or header as its schema has it: texts have no types.
  checkText(parameter, texts, at) {
    const schema = this.resolve(parameter.schema ?? parameter);
    const coerced = (text, type) => {
      const types = [].concat(type ?? []);
      if ((types.includes('integer') || types.includes('number')) && text !== '' && Number.isFinite(Number(text))) return Number(text);
      if (types.includes('boolean') && ['true', 'false'].includes(text)) return text === 'true';
      return text;
    };
    const typeOf = (one) => { const there = this.resolve(one); return there?.type ?? [].concat(...['oneOf', 'anyOf', 'allOf'].map((key) => there?.[key]?.map(typeOf) ?? []).flat()); };
    const { in: where, name, required, description, collectionFormat, allowEmptyValue, style, explode, ...plain } = parameter; // eslint-disable-line
    const whole = parameter.schema ?? plain;
    if ([].concat(typeOf(schema)).includes('array')) {
      const parts = texts.length === 1 ? texts[0].split(',') : texts;
      return this.check(whole, parts.map((one) => coerced(one, typeOf(schema.items))), at);
    }
    return this.check(whole, coerced(texts[0], typeOf(schema)), at);
  }

  // --- the answer

  // A value that a schema allows, with all that it knows in it.
  sample(schema, depth = 0) {
    const one = this.resolve(schema);
    if (one === undefined || one === true || depth > 9) return depth > 9 ? {} : null;
    if (one.const !== undefined) return one.const;
    if (one.enum) return one.enum.find((value) => value !== null) ?? null;
    if (Array.isArray(one.items)) return one.items.length > 0 ? this.sample(one.items[0], depth + 1) : []; // Slack: one of several forms
    if (one.allOf) return Object.assign({}, ...one.allOf.map((part) => this.sample(part, depth + 1)), one.properties ? this.sample({ ...one, allOf: undefined }, depth + 1) : {});
    const choice = (one.oneOf ?? one.anyOf)?.find((part) => this.resolve(part)?.type !== 'null');
    if (choice && !one.properties) return this.sample(choice, depth + 1);
    const type = [].concat(one.type ?? (one.properties ? 'object' : one.items ? 'array' : [])).find((name) => name !== 'null');
    if (type === 'object') {
      const extra = typeof one.additionalProperties === 'object' && !one.properties ? { key: this.sample(one.additionalProperties, depth + 1) } : {};
      return { ...extra, ...Object.fromEntries(Object.entries(one.properties ?? {}).map(([name, part]) => [name, this.sample(part, depth + 1)])) };
    }
    if (type === 'array') return [this.sample(one.items ?? {}, depth + 1)];
    if (type === 'integer' || type === 'number') return one.minimum ?? 1;
    if (type === 'boolean') return true;
    return type === 'null' ? null : one.format === 'date-time' ? '2026-01-01T00:00:00Z' : 'text';
  }

  // One for each form that an answer may have.
  samples(schema) {
    const one = this.resolve(schema);
    return (one?.oneOf ?? one?.anyOf ?? [one]).map((part) => this.sample(part));
  }

  // The answer of success: {status, schema}; no schema: it has no JSON.
  success(operation) {
    const status = Object.keys(operation.responses ?? {}).filter((one) => /^2/.test(one)).sort()[0];
    const response = status && this.resolve(operation.responses[status]);
    if (!response) return undefined;
    const content = response.content && Object.entries(response.content).find(([type]) => type.includes('json'));
    return { status: Number(status.replace('XX', '00')), schema: this.isSwagger ? response.schema : content?.[1].schema };
  }
}

export { methods, yaml };
