// API keys: made, used, rotated and revoked, also when the scheduler dies in between.
import assert from 'node:assert/strict';
import { scenario } from './support/suite.mjs';

const NEEDS = ['scheduler', 'gateway'];

const asks = `
document: { dsl: '1.0.3', namespace: default, name: asks, version: '1.0.0' }
do:
  - ask:
      listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '\${ $workflow.id }' } } } } }
      metadata: { tutti: { approval: { title: Go?, approvers: [ 'team:leads' ] } } }
`;

const statusWith = async (suite, key, path = '/v1/runs') => (await suite.api.call('GET', path, undefined, { key })).status;

// Within the time that a gateway keeps what it has looked up.
const becomes = (suite, key, status) => suite.until(`the key gets ${status}`, async () => (await statusWith(suite, key)) === status);

scenario('a key that was made is there after kill -9, and one that was revoked is not', { needs: NEEDS }, async (suite) => {
  const dev = await suite.api.ok('POST', '/v1/api-keys', { name: 'dev', roles: ['developer'], labels: { team: 'blue' } });
  const gone = await suite.api.ok('POST', '/v1/api-keys', { name: 'gone', roles: ['viewer'] });
  assert.match(dev.key, /^tutti_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}$/);
  assert.deepEqual([dev.status, dev.namespace, dev.roles, dev.labels], ['active', 'default', ['developer'], { team: 'blue' }]);
  assert.equal(await statusWith(suite, dev.key), 200);
  assert.equal(await statusWith(suite, gone.key), 200);
  await suite.api.refused('GET', '/v1/api-keys', undefined, 403, 'forbidden', { key: dev.key });
  assert.equal((await suite.api.call('DELETE', `/v1/api-keys/${gone.id}`)).status, 204);
  assert.equal(await statusWith(suite, gone.key), 401, 'at once where it was revoked');

  await suite.scheduler.kill();
  await suite.scheduler.start();
  const list = await suite.api.patient('GET', '/v1/api-keys');
  assert.deepEqual(list.items.map((one) => [one.name, one.status]).sort(), [['bootstrap', 'active'], ['dev', 'active'], ['gone', 'revoked']]);
  assert.ok(!JSON.stringify(list).includes(dev.key.slice(20)), 'no secret is shown again');
  assert.equal((await suite.api.patient('GET', `/v1/api-keys/${dev.id}`)).created_by, suite.key.split('_')[1]);
  await becomes(suite, dev.key, 200);
  await becomes(suite, gone.key, 401);
  await suite.api.refused('POST', `/v1/api-keys/${gone.id}/rotate`, {}, 409, 'key_revoked');
  await suite.api.refused('DELETE', `/v1/api-keys/${suite.key.split('_')[1]}`, undefined, 409, 'last_admin_key');
});

scenario('a rotated key has two secrets for the overlap, and the first key may go when there is another admin', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const made = await suite.api.ok('POST', '/v1/api-keys', { name: 'ops', roles: ['admin'], namespace: '*' });
  const twice = await suite.api.ok('POST', `/v1/api-keys/${made.id}/rotate`, { overlap: '1h' });
  assert.equal(twice.id, made.id);
  assert.ok(twice.previous_secret_until);
  for (const key of [made.key, twice.key]) assert.equal(await statusWith(suite, key), 200);
  const once = await suite.api.ok('POST', `/v1/api-keys/${made.id}/rotate`, { overlap: '0s' });
  for (const key of [made.key, twice.key]) assert.equal(await statusWith(suite, key), 401);

  // Repeated, it is the same key; its secret was shown.
  const headers = { 'idempotency-key': 'once' };
  const body = { name: 'x', roles: ['viewer'] };
  const first = await suite.api.ok('POST', '/v1/api-keys', body, { headers });
  const again = await suite.api.ok('POST', '/v1/api-keys', body, { headers });
  assert.equal(again.id, first.id);
  assert.ok(first.key && !again.key);

  // The first key, whose file is still there, does not come back with the scheduler.
  const bootstrap = suite.key;
  suite.key = once.key;
  assert.equal((await suite.api.call('DELETE', `/v1/api-keys/${bootstrap.split('_')[1]}`)).status, 204);
  await suite.scheduler.kill();
  await suite.scheduler.start();
  await becomes(suite, once.key, 200);
  await becomes(suite, bootstrap, 401);
});

scenario('keys stay in their namespace, expire, and have a budget', { needs: NEEDS, checkNeeds: false }, async (suite) => {
  const acme = await suite.api.ok('POST', '/v1/api-keys', { name: 'acme', roles: ['admin'], namespace: 'acme', budget: { usd: '5', period: 'day' } });
  const by = { key: acme.key };
  const budget = await suite.api.ok('GET', `/v1/budgets/${acme.budget}`, undefined, by);
  assert.deepEqual([budget.scope, budget.usd, budget.period], [{ key: acme.id }, '5', 'day']);
  await suite.api.refused('POST', '/v1/api-keys', { name: 'x', roles: ['admin'], namespace: '*' }, 403, 'forbidden', by);
  await suite.api.refused('POST', '/v1/api-keys', { name: 'x', roles: ['admin'], namespace: '*', budget: { usd: '5' } }, 400, 'invalid_request');
  await suite.api.refused('POST', '/v1/api-keys', { name: 'x', roles: ['viewer'], budget: {} }, 422, 'input_invalid');
  await suite.api.refused('POST', '/v1/api-keys', { name: 'x', roles: ['god'] }, 400, 'invalid_request');
  await suite.api.refused('DELETE', `/v1/api-keys/${suite.key.split('_')[1]}`, undefined, 404, 'not_found', by);
  const { items } = await suite.api.ok('GET', '/v1/api-keys', undefined, by);
  assert.deepEqual(items.map((one) => one.id), [acme.id]);
  const short = await suite.api.ok('POST', '/v1/api-keys', { name: 'short', roles: ['viewer'], expires_in: '500ms' });
  await becomes(suite, short.key, 401);
  assert.equal((await suite.api.ok('GET', `/v1/api-keys/${short.id}`)).status, 'expired');
  // Pages are whole.
  let token = '';
  const seen = [];
  do {
    const page = await suite.api.ok('GET', `/v1/api-keys?page_size=1${token && `&page_token=${token}`}`);
    seen.push(...page.items.map((one) => one.id));
    token = page.next_page_token;
  } while (token);
  assert.equal(new Set(seen).size, seen.length);
  assert.equal(seen.length, 3);
});

scenario('with four eyes another key approves, if its labels name it', { needs: NEEDS, checkNeeds: false, config: { approvals: { four_eyes: true } } }, async (suite) => {
  const roles = ['developer', 'approver'];
  const maker = await suite.api.ok('POST', '/v1/api-keys', { name: 'maker', roles, labels: { team: 'leads' } });
  const lead = await suite.api.ok('POST', '/v1/api-keys', { name: 'lead', roles, labels: { team: 'leads' } });
  const other = await suite.api.ok('POST', '/v1/api-keys', { name: 'other', roles, labels: { team: 'blue' } });
  await suite.apply(asks);
  const run = await suite.api.ok('POST', '/v1/runs', { workflow: 'asks' }, { key: maker.key });
  const approval = await suite.until('the approval is asked for', async () => (await suite.api.ok('GET', `/v1/approvals?run=${run.id}`)).items[0]);
  const path = `/v1/approvals/${approval.id}/approve`;
  await suite.api.refused('POST', path, {}, 403, 'self_approval', { key: maker.key });
  await suite.api.refused('POST', path, {}, 403, 'not_assignee', { key: other.key });
  const decided = await suite.api.ok('POST', path, { comment: 'fine' }, { key: lead.key });
  assert.deepEqual([decided.status, decided.decided_by], ['approved', 'lead']);
  await suite.runEnds(run.id);
});
