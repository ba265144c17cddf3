// What an action of an adapter must show at a service that keeps state, be that a stand-in or the real one: it does what it says, its undo
// leaves the service as it was, and an answer that is lost after the change was made does not make it twice.
//
// A world is the service: `reset()` makes it what it was on the first day, `snapshot()` says what is there, `store.effects` how many changes it
// has made; if answers can be lost there, `cutChange(which)` loses that of the next change, and if changes can be refused, `refuseChanges(from)`.
import assert from 'node:assert/strict';
import { anonymous } from './standin/store.mjs';

const flowName = (name) => name.replace(/[._]/g, '-');

// A workflow of one call; with `fail` the run fails after it and takes it back.
const flowOf = ({ name }, args) => `
document: { dsl: '1.0.3', namespace: default, name: ${flowName(name)}, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
  - work:
      call: ${name}
      with: ${JSON.stringify(args)}
      metadata: { tutti: { retry: { delay: PT0.02S, limit: { attempt: { count: 3 } } } } }
  - broken:
      if: $workflow.input.fail
      raise: { error: { type: 'https://campaign.test/broken', status: 500 } }
output: { as: '\${ $steps.work }' }
`;

// What `part` names must be in `whole`; lists may be longer.
export function includes(whole, part, what) {
  if (part === null || typeof part !== 'object') return assert.deepEqual(whole, part, what);
  assert.ok(whole !== null && typeof whole === 'object', `${what}: ${JSON.stringify(whole)}`);
  for (const [key, value] of Object.entries(part)) includes(whole[key], value, `${what}.${key}`);
  return undefined;
}

export class Proof {
  constructor(suite, action, given, world) {
    this.suite = suite;
    this.action = action;
    this.given = given;
    this.world = world;
    this.isRead = action.effect === 'read';
    this.isOnce = action.idempotency === 'none' || this.given.none === true; // never repeated by itself
  }

  say(what) {
    return `${this.action.name}: ${what}`;
  }

  async run(status, { fail = false, isCut = false, isHalf = false } = {}) {
    await this.world.reset();
    this.start = await this.world.snapshot();
    if (isCut) this.world.cutChange(this.given.cut);
    if (isHalf) this.world.refuseChanges(this.given.half);
    const { id } = await this.suite.startRun(flowName(this.action.name), { fail });
    return this.suite.runEnds(id, status).catch((error) => Promise.reject(new Error(this.say(error.message))));
  }

  checkOutput(output, what) {
    if (this.given.gives) assert.deepEqual(anonymous(output), this.given.gives, this.say(what));
    else includes(output, this.given.like, this.say(what));
  }

  // It does what it says, once.
  async works() {
    const run = await this.run('completed');
    this.checkOutput(run.output, 'output');
    this.done = await this.world.snapshot();
    this.effects = this.world.store.effects;
    if (this.given.reads) assert.deepEqual(await this.given.reads(run.output), this.given.finds, this.say('what it gives'));
    const isSame = JSON.stringify(this.done) === JSON.stringify(this.start);
    assert.equal(isSame, this.isRead || this.given.changes === false, this.say(isSame ? 'it has changed nothing' : `it has changed ${JSON.stringify(this.done)}`));
  }

  // A run that fails after it leaves what was there before.
  async isUndone(more = {}) {
    const run = await this.run('faulted', { fail: true, ...more });
    assert.equal(run.error.type, 'https://campaign.test/broken', this.say(JSON.stringify(run.error)));
    const left = await this.world.snapshot();
    for (const name of this.given.leaves ?? []) {
      delete left[name];
      delete this.start[name];
    }
    assert.deepEqual(left, this.start, this.say(`undone${more.isCut ? ' after its answer was lost' : ''}`));
  }

  // Its answer is lost: it is there once, and the run says so, or that nobody knows.
  async isDoneOnce() {
    const run = await this.run(this.isOnce ? 'faulted' : 'completed', { isCut: true });
    if (this.isOnce) assert.equal(run.error.type, 'https://tutti.dev/errors/unknown-outcome', this.say(JSON.stringify(run.error)));
    else this.checkOutput(run.output, 'output after its answer was lost');
    const takesBack = this.isOnce && this.given.half; // whatever came of the last step
    assert.deepEqual(await this.world.snapshot(), takesBack ? this.start : this.done, this.say('its answer was lost'));
    if (takesBack) assert.equal(run.compensation.failed, 0, this.say('nothing is left to be undone by hand'));
    else if (this.isOnce || ['lookup', 'compare', 'key'].includes(this.action.idempotency)) assert.equal(this.world.store.effects, this.effects, this.say('it was done again'));
  }

  // A step fails for good when others are done: those are gone again.
  async isUndoneHalfWay() {
    const run = await this.run('faulted', { isHalf: true });
    assert.equal(run.error.type, 'https://tutti.dev/errors/unknown-outcome', this.say(JSON.stringify(run.error)));
    assert.match(run.error.detail, /(is|are) done, and then/, this.say('what is done is named'));
    assert.ok(this.world.journal.some(({ status }) => status === 400), this.say('nothing was refused'));
    assert.deepEqual(await this.world.snapshot(), this.start, this.say('undone when it stopped half-way'));
    assert.equal(run.compensation?.failed ?? 0, 0, this.say('nothing is left to be undone by hand'));
  }

  async all() {
    await this.suite.apply(flowOf(this.action, this.given.with));
    await this.works();
    if (this.isRead) return;
    const canCut = this.world.cutChange && this.given.changes !== false;
    assert.ok(this.action.undo || this.action.irreversible || ['update', 'delete'].includes(this.action.effect), this.say('neither an undo nor a reason'));
    if (this.action.undo) await this.isUndone();
    if (canCut) await this.isDoneOnce();
    if (this.given.half) await this.isUndoneHalfWay();
    if (canCut && this.action.undo && !this.isOnce) await this.isUndone({ isCut: true });
  }
}
