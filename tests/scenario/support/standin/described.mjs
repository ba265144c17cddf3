// The official descriptions behind the stand-ins: a request that they do not know is a complaint, and an answer has all that they
// promise. Packages of tests/contract; where they are not installed stand-ins check nothing of it.
import { existsSync, readFileSync } from 'node:fs';

const manifests = new URL('../../../../common/adapter/manifests/', import.meta.url);

async function load() {
  try {
    return { ...(await import('../../../contract/description.mjs')), ...(await import('../../../contract/request.mjs')) };
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

class Descriptions {
  constructor(contract, manifest) {
    this.contract = contract;
    this.specs = [manifest.spec ?? []].flat();
    this.extra = new Set([...Object.keys(manifest.http?.headers ?? {}), 'host', 'connection', 'content-length', 'accept-encoding', 'traceparent', 'tracestate'].map((name) => name.toLowerCase()));
    this.exceptions = this.specs.flatMap(({ exceptions }) => exceptions ?? []);
    this.all = this.specs.map((spec) => contract.fileOf(spec)).filter(Boolean).map((file) => new contract.Description(file));
    this.samples = new Map();
  }

  // The operation of a request; what is wrong with it goes to `complaints`.
  check(request, complaints) {
    const given = { method: request.method, url: `http://x${request.target}`, headers: request.headers, body: Buffer.isBuffer(request.body) ? { $param: true } : request.body };
    for (const description of this.all) {
      const { found, operation } = this.contract.checkRequest(description, given, this.extra);
      if (!operation) continue;
      const wrong = found.filter(({ at }) => !this.exceptions.some((one) => at === one.at || at.startsWith(`${one.at}/`)));
      complaints.push(...wrong.map(({ at, text }) => `${request.method} ${request.path} ${at}: ${text}`));
      return { description, operation };
    }
    const excused = this.all.length < this.specs.length || this.exceptions.some(({ at }) => at === '/path');
    if (this.all.length > 0 && !excused) complaints.push(`${request.method} ${request.path}: the description has no such operation`);
    return undefined;
  }

  // The answer with the members that the description has and the stand-in has not.
  complete({ description, operation }, { status = 200, body }) {
    const isMap = (value) => value && typeof value === 'object' && !Array.isArray(value);
    if (status > 299 || !isMap(body)) return body;
    if (!this.samples.has(operation)) this.samples.set(operation, description.sample(description.success(operation)?.schema));
    const sample = this.samples.get(operation);
    return isMap(sample) ? { ...sample, ...body } : body;
  }
}

// Undefined: there is none of this service.
export async function descriptionsOf(name) {
  const contract = await load();
  const file = new URL(`${name}.yaml`, manifests);
  if (!contract || !existsSync(file)) return undefined;
  const manifest = contract.yaml.load(readFileSync(file, 'utf8'));
  return manifest.spec ? new Descriptions(contract, manifest) : undefined;
}
