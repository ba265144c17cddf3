// What must be true of a history, whatever went wrong while it was made. Each invariant is a function
// of the record alone, so that a changed checker can judge old records again; it returns how much it
// has looked at, and what is wrong. checker.test.mjs shows that each of them can fail.
const FINAL = new Set(['run.completed', 'run.faulted', 'run.cancelled', 'run.terminated']);
const TASK_ENDS = new Set(['task.completed', 'task.faulted', 'task.cancelled', 'task.skipped']);
const LATE_MS = 1; // times are written in milliseconds

// Collects: `fault` says what is wrong, `seen` counts.
class Finding {
  constructor() {
    this.checked = 0;
    this.faults = [];
  }

  expect(isTrue, text) {
    this.checked++;
    if (!isTrue) this.faults.push(text);
  }
}

const runsOf = (record) => Object.entries(record.runs);
const eventsOf = (record, run, type) => (record.runs[run]?.events ?? []).filter((event) => event.type === type);

function acknowledged(record, finding) {
  const clients = new Map();
  for (const { run, client } of record.starts) {
    clients.set(client, (clients.get(client) ?? new Set()).add(run));
    finding.expect(eventsOf(record, run, 'run.started').length === 1, `the start of run ${run} was acknowledged and is not in a journal once`);
  }
  for (const [client, runs] of clients) finding.expect(runs.size === 1, `${client} was started ${runs.size} times`);
  finding.expect(runsOf(record).length === clients.size, `${runsOf(record).length} runs, ${clients.size} were asked for`);
  for (const { run, event } of record.signals) {
    const same = eventsOf(record, run, 'signal.received').filter(({ data }) => data.event.id === event);
    finding.expect(same.length === 1, `signal ${event} of run ${run} was acknowledged and is ${same.length} times in its journal`);
  }
  for (const { run, approval } of record.decisions) {
    const same = eventsOf(record, run, 'approval.decided').filter(({ data }) => data.id === approval);
    finding.expect(same.length === 1, `decision ${approval} of run ${run} was acknowledged and is ${same.length} times in its journal`);
  }
  for (const { run, job, status } of record.completions) {
    if (status !== 200) continue;
    const same = eventsOf(record, run, 'job.completed').filter((event) => event.job === job);
    finding.expect(same.length === 1, `the completion of job ${job} was acknowledged and is ${same.length} times in the journal`);
  }
}

function numbered(record, finding) {
  for (const [id, { events }] of runsOf(record)) {
    finding.expect(events.every((event, index) => event.sequence === index + 1), `run ${id} has a gap in its numbers`);
    finding.expect(events.every((event, index) => index === 0 || event.time >= events[index - 1].time), `run ${id} has an event older than the one before`);
  }
}

function folded(record, finding) {
  finding.checked += record.verified.events ?? 0;
  if (record.verified.code !== 0) finding.faults.push(`\`tutti backup verify\` ended with ${record.verified.code}: ${record.verified.err}`);
  for (const fault of record.verified.faults ?? []) finding.faults.push(typeof fault === 'string' ? fault : JSON.stringify(fault));
  finding.expect(record.verified.runs === runsOf(record).length, `${record.verified.runs} runs in the files, ${runsOf(record).length} in the lists`);
}

function endedOnce(record, finding) {
  for (const [id, { events }] of runsOf(record)) {
    const ends = events.filter((event) => FINAL.has(event.type));
    const last = events.findLast((event) => event.type !== 'run.charged'); // what a cancelled call had used is heard later
    finding.expect(ends.length === 1 && last === ends[0], `run ${id} ended ${ends.length} times, and then came ${events.at(-1)?.type}`);
  }
}

function nothingOpen(record, finding) {
  for (const [id, { events }] of runsOf(record)) {
    const open = new Map();
    const count = (key, by) => open.set(key, (open.get(key) ?? 0) + by);
    for (const event of events) {
      const task = `${event.task} ${event.iteration ?? ''}`;
      if (event.type === 'task.started') count(task, 1);
      if (TASK_ENDS.has(event.type)) count(task, -1);
      if (event.type === 'job.scheduled') count(`job ${event.job}`, 1);
      if (/^job\.(completed|failed|dead|cancelled)$/.test(event.type)) count(`job ${event.job}`, -1);
    }
    const left = [...open].filter(([, number]) => number !== 0).map(([key]) => key);
    finding.expect(left.length === 0, `run ${id} ended with these open: ${left.join(', ')}`);
  }
}

function undone(record, finding) {
  for (const [id, { events }] of runsOf(record)) {
    if (!events.some((event) => event.type === 'compensation.begun')) continue;
    const of = (type) => events.filter((event) => event.type === type).map((event) => event.task);
    const begun = events.findIndex((event) => event.type === 'compensation.begun');
    const completed = events.slice(0, begun).filter((event) => event.type === 'task.completed').map((event) => event.task);
    finding.expect(of('compensation.started').join() === completed.toReversed().join(), `run ${id} was undone in another order than the reverse`);
    finding.expect(of('compensation.completed').join() === of('compensation.started').join(), `run ${id}: a compensation has not one completion`);
  }
}

function notEarly(record, finding) {
  for (const [id, { events }] of runsOf(record)) {
    for (const started of events.filter((event) => event.data?.due_at && event.type === 'task.started')) {
      const ended = events.find((event) => event.task === started.task && event.type === 'task.completed' && event.sequence > started.sequence);
      finding.expect(!ended || ended.time >= started.data.due_at, `run ${id}: ${started.task} was due at ${started.data.due_at} and over at ${ended?.time}`);
    }
  }
  // The same from outside: between the last request before the wait and the first behind it.
  if (record.clockWasSet) return;
  const first = new Map();
  for (const { path, at } of record.requests) if (!first.has(path)) first.set(path, at);
  for (const { client, workflow } of record.starts) {
    const [before, behind] = [first.get(`/${client}/0`), first.get(`/${client}/1`)];
    if (workflow === 'life' && behind) finding.expect(behind - before >= record.waitMs - LATE_MS, `${client} waited ${behind - before} ms, not ${record.waitMs}`);
  }
}

function oneLease(record, finding) {
  const accepted = new Map();
  for (const one of record.completions) if (one.status === 200) accepted.set(one.job, [...(accepted.get(one.job) ?? []), one]);
  for (const [job, list] of accepted) {
    finding.expect(list.length === 1, `job ${job} was completed ${list.length} times`);
    const leases = record.leases.filter((lease) => lease.job === job);
    const mine = leases.findIndex((lease) => lease.token === list[0].token);
    const newer = leases.slice(mine + 1).find((lease) => lease.at < list[0].asked);
    finding.expect(mine >= 0 && !newer, `job ${job} was completed with a token that was not the newest`);
  }
  const keys = new Map();
  for (const { job, key } of record.leases) {
    finding.expect(!keys.has(job) || keys.get(job) === key, `job ${job} was handed out with two keys`);
    keys.set(job, key);
  }
}

function sameAnswer(record, finding) {
  for (const { key, first, again } of record.repeats) {
    const isSame = Object.entries(again).every(([name, value]) => first[name] === value);
    finding.expect(isSame, `${key} was answered ${JSON.stringify(first)} and then ${JSON.stringify(again)}`);
  }
}

function epochsRise(record, finding) {
  const last = new Map();
  for (const { partition, epoch } of record.epochs) {
    finding.expect(epoch >= (last.get(partition) ?? 0), `the epoch of partition ${partition} fell from ${last.get(partition)} to ${epoch}`);
    last.set(partition, epoch);
  }
}

function counted(record, finding) {
  for (const queue of record.queues) {
    const open = queue.depth + queue.running + queue.delayed + queue.held;
    finding.expect(open === 0, `queue ${queue.name} counts ${open} open jobs when nothing is open`);
  }
  finding.expect(record.verified.open_jobs === 0 && record.verified.timers === 0, `the files hold ${record.verified.open_jobs} jobs and ${record.verified.timers} timers`);
}

function followed(record, finding) {
  for (const { run, after, seen } of record.streams) {
    const wanted = record.runs[run].events.filter((event) => event.sequence > after && /^(run|task|job)\./.test(event.type)).map((event) => event.sequence);
    finding.expect(seen.join() === wanted.join(), `run ${run} followed from ${after}: ${seen.join()} came, ${wanted.join()} is in the journal`);
  }
}

function drained(record, finding) {
  for (const { asked } of record.drains) {
    for (const { run, acked } of [...record.starts, ...record.signals, ...record.decisions]) {
      if (acked <= asked) finding.expect(record.runs[run] !== undefined, `run ${run} was acknowledged before a drain and is lost`);
    }
    for (const { job, run, answered, status } of record.completions) {
      if (status !== 200 || answered > asked) continue;
      finding.expect(eventsOf(record, run, 'job.completed').some((event) => event.job === job), `the completion of job ${job} was acknowledged before a drain and is lost`);
    }
  }
}

// Not an invariant of the journal alone: the outside world is the witness. It sees a request of step
// k + 1 only after the completion of step k was committed.
function notAgain(record, finding) {
  const seen = new Map();
  for (const { path, key } of record.requests) {
    const [, client, step] = path.split('/');
    const one = seen.get(client) ?? { furthest: -1, keys: {} };
    seen.set(client, one);
    one.keys[step] ??= key;
    finding.expect(key && one.keys[step] === key, `${path} came with the keys ${one.keys[step]} and ${key}`);
    const number = Number(step);
    if (Number.isNaN(number)) continue; // an undoing: I6
    finding.expect(number >= one.furthest, `${path} was completed and is executed again`);
    one.furthest = Math.max(one.furthest, number);
  }
}

export const INVARIANTS = {
  I1: { text: 'acknowledged is in the journal, once', check: acknowledged },
  I2: { text: 'events are numbered 1..n and only added', check: numbered },
  I3: { text: 'journal, snapshot, heads and timers are one state', check: folded },
  I4: { text: 'a run ends once, and nothing follows', check: endedOnce },
  I5: { text: 'every task and job that started has ended', check: nothingOpen },
  I6: { text: 'undone in reverse order, each accepted once', check: undone },
  I7: { text: 'no timer fires early', check: notEarly, elsewhere: 'how late: tests/simulator, check_timers' },
  I8: { text: 'one accepted completion, by the newest lease', check: oneLease, elsewhere: 'no two leases at once: tests/simulator, workers_leased' },
  I9: { text: 'the same key, the same answer', check: sameAnswer },
  I10: { text: 'epochs do not fall', check: epochsRise, elsewhere: 'old leases after a restore: unit.scheduler.backup_test' },
  I11: { text: 'queues count what there is', check: counted, elsewhere: 'counted anew under load: tests/simulator, check_queues' },
  I12: { text: 'a stream from any place is the rest of the journal', check: followed },
  I13: { text: 'a drain loses nothing', check: drained },
  key: { text: 'one key for a call, and nothing completed is done again', check: notAgain },
};

function findingsOf(record) {
  return Object.entries(INVARIANTS).map(([name, { text, check, elsewhere }]) => {
    const finding = new Finding();
    check(record, finding);
    return { name, text, elsewhere, ...finding };
  });
}

export const faultsOf = (record) => findingsOf(record).flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`));

// What no record of a real load may lack: a check that looked at nothing has shown nothing.
export const emptyOf = (record) => findingsOf(record).filter(({ checked }) => checked === 0).map(({ name }) => name);

export function tableOf(record) {
  return findingsOf(record).map(({ name, text, elsewhere, checked, faults }) =>
    `${name.padEnd(4)} ${text.padEnd(58)} ${String(checked).padStart(6)} checked  ${faults.length === 0 ? 'ok' : `${faults.length} FAULTS`}${elsewhere ? `  (${elsewhere})` : ''}`);
}
