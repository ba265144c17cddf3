// The checker of the chaos lane (tests/chaos) can find fault: a small history that is right, and for each
// invariant one that is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyOf, faultsOf, INVARIANTS, tableOf } from '../chaos/support/invariants.mjs';

const at = (second) => `2026-11-22T10:00:${String(second).padStart(2, '0')}.000Z`;
const numbered = (events) => events.map((event, index) => ({ sequence: index + 1, time: at(index), ...event }));

// A run that waits, is signalled and approved and does a job; and one that is undone.
function good() {
  const life = numbered([
    { type: 'run.started' },
    { type: 'signal.received', data: { event: { id: 'event' } } },
    { type: 'task.started', task: '/nap', data: { due_at: at(3) } },
    { type: 'task.completed', task: '/nap' },
    { type: 'task.started', task: '/ask' },
    { type: 'approval.decided', task: '/ask', data: { id: 'approval' } },
    { type: 'task.completed', task: '/ask' },
    { type: 'task.started', task: '/own' },
    { type: 'job.scheduled', task: '/own', job: 'job' },
    { type: 'job.completed', task: '/own', job: 'job' },
    { type: 'task.completed', task: '/own' },
    { type: 'run.completed' },
  ]);
  const trip = numbered([
    { type: 'run.started' },
    { type: 'task.started', task: '/a' },
    { type: 'task.completed', task: '/a' },
    { type: 'task.started', task: '/b' },
    { type: 'task.completed', task: '/b' },
    { type: 'compensation.begun' },
    { type: 'compensation.started', task: '/b' },
    { type: 'compensation.completed', task: '/b' },
    { type: 'compensation.started', task: '/a' },
    { type: 'compensation.completed', task: '/a' },
    { type: 'run.faulted' },
  ]);
  const answered = { asked: 100, acked: 101 };
  return {
    waitMs: 200,
    starts: [{ ...answered, run: 'L', client: 'life0', workflow: 'life' }, { ...answered, run: 'T', client: 'trip1', workflow: 'trip' }],
    signals: [{ ...answered, run: 'L', event: 'event' }],
    decisions: [{ ...answered, run: 'L', approval: 'approval' }],
    repeats: [{ key: 'k', first: { run: 'L' }, again: { run: 'L' } }],
    leases: [{ job: 'job', run: 'L', token: 'old', at: 200, key: 'x' }, { job: 'job', run: 'L', token: 'new', at: 300, key: 'x' }],
    completions: [{ job: 'job', run: 'L', token: 'old', asked: 310, answered: 320, status: 409 }, { job: 'job', run: 'L', token: 'new', asked: 310, answered: 320, status: 200 }],
    epochs: [{ partition: 0, epoch: 1 }, { partition: 1, epoch: 3 }, { partition: 0, epoch: 1 }],
    drains: [{ asked: 400, ended: 500 }],
    requests: [{ path: '/life0/0', key: 'a', at: 100 }, { path: '/life0/0', key: 'a', at: 110 }, { path: '/life0/1', key: 'b', at: 400 }, { path: '/trip1/undo0', key: 'c', at: 500 }],
    runs: { L: { events: life }, T: { events: trip } },
    streams: [{ run: 'L', after: 6, seen: [7, 8, 9, 10, 11, 12] }],
    queues: [{ name: 'load', depth: 0, running: 0, delayed: 0, held: 0 }],
    verified: { code: 0, err: '', runs: 2, events: 23, open_jobs: 0, timers: 0, faults: [] },
  };
}

const swap = (list, a, b) => ([list[a], list[b]] = [list[b], list[a]]);
const SPOILED = {
  I1: [
    (it) => it.runs.L.events.splice(1, 1),
    (it) => it.starts.push({ ...it.starts[0], run: 'other' }),
    (it) => (it.decisions[0].approval = 'another'),
    (it) => it.runs.L.events.push(it.runs.L.events[9]),
    (it) => (it.runs.X = { events: [] }),
  ],
  I2: [(it) => (it.runs.L.events[3].sequence = 5), (it) => (it.runs.L.events[3].time = at(0))],
  I3: [(it) => (it.verified.code = 1), (it) => it.verified.faults.push('a run is two'), (it) => it.verified.runs--],
  I4: [(it) => it.runs.L.events.push({ sequence: 13, time: at(20), type: 'task.started' }), (it) => it.runs.L.events.pop()],
  I5: [(it) => (it.runs.L.events[3].type = 'x'), (it) => (it.runs.L.events[9].type = 'x')],
  I6: [(it) => swap(it.runs.T.events, 6, 8), (it) => (it.runs.T.events[7].type = 'x')],
  I7: [(it) => (it.runs.L.events[2].data.due_at = at(4)), (it) => (it.requests[2].at = 298)],
  I8: [(it) => (it.completions[0].status = 200), (it) => (it.completions[1].token = 'old'), (it) => (it.leases[1].key = 'y')],
  I9: [(it) => (it.repeats[0].again.run = 'T')],
  I10: [(it) => (it.epochs[2].epoch = 0)],
  I11: [(it) => (it.queues[0].running = 1), (it) => (it.verified.open_jobs = 1)],
  I12: [(it) => it.streams[0].seen.shift(), (it) => it.streams[0].seen.push(12)],
  I13: [(it) => delete it.runs.T, (it) => (it.runs.L.events[9].type = 'x')],
  key: [(it) => (it.requests[1].key = 'b'), (it) => swap(it.requests, 0, 2)],
};

test('a history that is right has no fault, and everything is looked at', () => {
  assert.deepEqual(faultsOf(good()), []);
  assert.deepEqual(emptyOf(good()), []);
  assert.equal(tableOf(good()).length, Object.keys(INVARIANTS).length);
});

for (const [name, ways] of Object.entries(SPOILED)) {
  test(`${name} is found to be broken`, () => {
    for (const spoil of ways) {
      const record = good();
      spoil(record);
      assert.ok(faultsOf(record).some((fault) => fault.startsWith(`${name}: `)), `${spoil}`);
    }
  });
}

test('every invariant is shown to fail', () => assert.deepEqual(Object.keys(SPOILED), Object.keys(INVARIANTS)));
