// Users and a worker of theirs, who go on whatever happens, and write down what they asked and what
// they were told: the history that the checker looks at. Everything that changes something carries an
// Idempotency-Key and is asked again until it is answered.
import { setTimeout as sleep } from 'node:timers/promises';

const LIVES_AT_ONCE = 6;
const WAIT_MS = 200; // of the task `nap`
const REQUEST_MS = 5_000; // then it is asked again
const NAP_OF_WORKER_MS = 50;

const post = (path) => `{ call: http, with: { method: post, endpoint: '\${ "\\($workflow.input.url)/\\($workflow.input.key)/${path}" }', body: {} }, metadata: { tutti: { retry: lost } } }`;
const head = (name, more = '') => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0'${more} }
use:
  retries:
    lost: { delay: { milliseconds: 50 }, limit: { attempt: { count: 500 } } }
do:`;

export const LIFE = `${head('life')}
  - before: ${post(0)}
  - nap: { wait: { milliseconds: ${WAIT_MS} } }
  - behind: ${post(1)}
  - hear: { listen: { to: { one: { with: { type: go } } } }, output: { as: '.[0]' } }
  - ask:
      listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 }, correlate: { run: { from: .subject, expect: '\${ $workflow.id }' } } } } }
      output: { as: '.[0]' }
      metadata: { tutti: { approval: { title: Go on? } } }
  - own: { call: worker.load, with: { key: '\${ $workflow.input.key }' }, metadata: { tutti: { queue: load, retry: lost } } }
  - last: ${post(2)}
output: { as: '{ heard: $steps.hear.number, comment: $steps.ask.comment, own: $steps.own.key }' }
`;
export const TRIP_STEPS = 3;
export const TRIP = `${head('trip', ', metadata: { tutti: { saga: true } }')}
${Array.from({ length: TRIP_STEPS }, (_, step) => `  - book${step}:
      call: http
      with: { method: post, endpoint: '\${ "\\($workflow.input.url)/\\($workflow.input.key)/${step}" }', body: {} }
      metadata: { tutti: { retry: lost, compensate: [ { cancel: ${post(`undo${step}`)} } ] } }`).join('\n')}
  - broke: { raise: { error: { type: 'https://shop.test/errors/broke', status: 402 } } }
`;

export class Load {
  constructor(suite, upstream, random) {
    Object.assign(this, { suite, upstream, random });
    this.record = {
      waitMs: WAIT_MS, starts: [], signals: [], decisions: [], repeats: [], leases: [], completions: [], epochs: [], drains: [], requests: [],
    };
    this.isEnding = false; // no new lives
    this.isOver = false;
    this.failure = null;
    this.count = 0;
    this.padding = ''; // goes with each start
  }

  get lives() {
    return this.record.starts.length;
  }

  // Waits until so many more have been acknowledged: whatever happens, somebody is served.
  async progress(more = 5) {
    const from = this.lives;
    await this.suite.until(`${more} more runs start`, () => this.failure || this.lives >= from + more);
    if (this.failure) throw this.failure;
  }

  async begin() {
    await this.suite.apply(LIFE);
    await this.suite.apply(TRIP);
    const guard = (work) => work.catch((error) => (this.failure ??= error));
    this.users = Array.from({ length: LIVES_AT_ONCE }, () => guard(this.#user()));
    this.others = [guard(this.#worker()), guard(this.#watch())];
  }

  // What was begun comes to its end; throws if something did not.
  async end() {
    this.isEnding = true;
    await Promise.all(this.users);
    this.isOver = true;
    await Promise.all(this.others);
    this.record.requests = this.upstream.requests.map(({ path, headers, at }) => ({ path, key: headers['idempotency-key'], at }));
    if (this.failure) throw this.failure;
  }

  async #user() {
    while (!this.isEnding && !this.failure) {
      const number = this.count++;
      await (number % 4 === 3 ? this.#trip(number) : this.#life(number));
    }
  }

  // A request that is asked until it is answered, and at times once more: the answer is the same (I9).
  async #ask(list, path, body, key, about) {
    const options = { ms: REQUEST_MS, headers: { 'idempotency-key': key } };
    const asked = Date.now();
    const answer = await this.suite.api.patient('POST', path, body, options);
    const entry = { key, asked, acked: Date.now(), ...about(answer) };
    list.push(entry);
    if (this.random() < 0.2) {
      const again = await this.suite.api.patient('POST', path, body, options);
      this.record.repeats.push({ key, first: entry, again: about(again) });
    }
    return answer;
  }

  #start(workflow, key) {
    const body = { workflow, input: { url: this.upstream.url, key, padding: this.padding } };
    return this.#ask(this.record.starts, '/v1/runs', body, `start-${key}`, (run) => ({ run: run.id, workflow, client: key }));
  }

  async #life(number) {
    const key = `life${number}`;
    const run = await this.#start('life', key);
    await this.#ask(this.record.signals, `/v1/runs/${run.id}/signals/go`, { number }, `signal-${key}`, (answer) => ({ run: run.id, event: answer.event_id }));
    const approval = await this.suite.until(`${run.id} asks`, async () =>
      this.failure ? 'nobody' : (await this.suite.api.patient('GET', `/v1/approvals?status=pending&run=${run.id}`, undefined, { ms: REQUEST_MS })).items[0]);
    if (this.failure) return;
    await this.#ask(this.record.decisions, `/v1/approvals/${approval.id}/approve`, { comment: key }, `decision-${key}`, (answer) => ({ run: run.id, approval: answer.id, status: answer.status }));
    const ended = await this.suite.runEnds(run.id);
    const wanted = JSON.stringify({ heard: number, comment: key, own: key });
    if (JSON.stringify(ended.output) !== wanted) throw new Error(`run ${run.id} gave ${JSON.stringify(ended.output)}, ${wanted} was to come`);
  }

  async #trip(number) {
    const run = await this.#start('trip', `trip${number}`);
    await this.suite.runEnds(run.id, 'faulted');
  }

  // Leases, completes, and sometimes falls silent, or completes twice.
  async #worker() {
    const { api } = this.suite;
    while (!this.isOver) {
      const answer = await api.call('POST', '/v1/queues/load/poll', { worker: 'load', wait: '1s', max: 4 }, { ms: REQUEST_MS }).catch(() => null);
      if (answer?.status !== 200) await sleep(20);
      for (const job of answer?.body?.jobs ?? []) {
        this.record.leases.push({ job: job.id, run: job.run, token: job.lease_token, at: Date.now(), attempt: job.attempt, key: job.idempotency_key });
        if (this.random() < 0.1) continue;
        this.#complete(job).catch((error) => (this.failure ??= error));
      }
    }
  }

  async #complete(job) {
    await sleep(this.random() * NAP_OF_WORKER_MS);
    const times = this.random() < 0.2 ? 2 : 1;
    for (let i = 0; i < times; i++) {
      const asked = Date.now();
      const answer = await this.suite.api.call('POST', `/v1/jobs/${job.id}/complete`, { lease_token: job.lease_token, output: { key: job.input.key } }, { ms: REQUEST_MS }).catch(() => null);
      const isKnown = answer && answer.status < 500;
      this.record.completions.push({ job: job.id, run: job.run, token: job.lease_token, asked, answered: Date.now(), status: isKnown ? answer.status : 0 });
      if (!isKnown && !this.isOver) {
        await sleep(50);
        i--;
      }
    }
  }

  async #watch() {
    while (!this.isOver) {
      const answer = await this.suite.api.call('GET', '/v1/system/status', undefined, { ms: REQUEST_MS }).catch(() => null);
      for (const one of answer?.body?.components?.scheduler?.partitions ?? []) {
        if (one.epoch !== undefined) this.record.epochs.push({ at: Date.now(), partition: one.partition, epoch: one.epoch });
      }
      await sleep(200);
    }
  }
}
