// The contract that the gateway serves, and what it does to those who may not come in: every
// operation that needs a key refuses those without one, and every later path says so.
import assert from 'node:assert/strict';
import { checkProblem } from './support/api.mjs';
import { scenario } from './support/suite.mjs';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

async function operationsOf(suite) {
  const contract = await suite.api.ok('GET', '/openapi.json', undefined, { key: null });
  const operations = [];
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const method of METHODS) {
      if (!item[method]) continue;
      operations.push({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path: path.replaceAll(/\{(\w+)\}/g, 'x'),
        isPublic: item[method]['x-tutti-role'] === 'none',
        isLater: item[method]['x-tutti-later'] === true,
        isOpenai: item[method]['x-tutti-media'] === 'opaque' && item[method]['x-tutti-errors'] !== 'problem',
      });
    }
  }
  assert.ok(operations.length > 100);
  return operations;
}

const strangers = {
  'no key': {},
  'no key of ours': { authorization: 'Bearer sk-something' },
  'an unknown key': { authorization: `Bearer tutti_${'a'.repeat(12)}_${'b'.repeat(43)}` },
  'another scheme': { authorization: 'Basic dTpw' },
};

scenario('every operation refuses strangers', { needs: ['scheduler', 'gateway'] }, async (suite) => {
  await suite.api.ok('GET', '/v1/workflows');
  const operations = await operationsOf(suite);
  const [id] = suite.key.match(/tutti_[^_]+/);
  const all = { ...strangers, 'a wrong secret': { authorization: `Bearer ${id}_${'c'.repeat(43)}` } };
  for (const { name, method, path, isPublic, isOpenai } of operations.filter((operation) => !operation.isLater || !operation.isPublic)) {
    if (isPublic) continue;
    for (const [who, headers] of Object.entries(all)) {
      const answer = await suite.api.call(method, path, undefined, { key: null, headers });
      if (isOpenai) {
        assert.equal(answer.status, 401, `${name} with ${who}`);
        const { code, details, status } = answer.body.error; // as OpenAI, Anthropic or Gemini has it
        assert.equal(details?.error_code ?? details?.[0]?.reason ?? code, 'unauthenticated', name);
        if (status) assert.equal(status, 'UNAUTHENTICATED', name);
      } else {
        checkProblem(answer, 401, 'unauthenticated', `${name} with ${who}`);
      }
    }
  }
  // The key itself is good, in each of its three places.
  for (const headers of [{ authorization: `Bearer ${suite.key}` }, { 'x-api-key': suite.key }, { 'x-goog-api-key': suite.key }]) {
    await suite.api.ok('GET', '/v1/workflows', undefined, { key: null, headers });
  }
  // Never in the URL.
  await suite.api.refused('GET', `/v1/workflows?key=${suite.key}`, undefined, 401, 'unauthenticated', { key: null });
});

scenario('paths that are not there yet answer 501', { needs: ['scheduler', 'gateway'], checkNeeds: false }, async (suite) => {
  const later = (await operationsOf(suite)).filter((operation) => operation.isLater);
  assert.ok(later.length > 10);
  for (const { name, method, path } of later) {
    checkProblem(await suite.api.call(method, path), 501, 'not_implemented', name);
  }
});

scenario('unknown paths and methods', { needs: ['scheduler', 'gateway'], checkNeeds: false }, async (suite) => {
  await suite.api.refused('GET', '/v1/nothing', undefined, 404, 'not_found');
  await suite.api.refused('GET', '/', undefined, 404, 'not_found');
  await suite.api.refused('GET', '/v1/runs/../../etc/passwd', undefined, 404, 'not_found');
  for (const [method, path] of [['DELETE', '/v1/runs'], ['PUT', '/v1/version'], ['POST', '/v1/approvals'], ['OPTIONS', '/v1/runs']]) {
    const answer = await suite.api.call(method, path);
    checkProblem(answer, 405, 'method_not_allowed', `${method} ${path}`);
    assert.match(answer.headers.get('allow'), /GET/);
  }
  const head = await suite.api.call('HEAD', '/v1/workflows');
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
});

scenario('public paths need no key', { needs: ['scheduler', 'gateway'], checkNeeds: false }, async (suite) => {
  const key = { key: null };
  assert.match((await suite.api.ok('GET', '/v1/version', undefined, key)).version, /^\d+\.\d+\.\d+$/);
  const health = await suite.until('the suite is healthy', async () => {
    const answer = await suite.api.call('GET', '/health', undefined, key);
    return answer.status === 200 && answer.body;
  });
  assert.equal(health.worker_system.type, 'tutti');
  assert.equal(typeof health.worker_system.queue_length, 'number');
  for (const service of [suite.gateway, suite.scheduler]) {
    for (const kind of ['live', 'ready', 'startup']) assert.ok(await service.health(kind), `${service.name} ${kind}`);
    assert.ok(await service.metric('process_resident_memory_bytes') > 0);
  }
});
