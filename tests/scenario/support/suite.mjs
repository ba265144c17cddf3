// The four services in a folder of their own, and scenarios: tests that say which of them they need.
// With `schedulers: N` there are N scheduler processes, scheduler-0 and so on: process i owns the
// partitions i, i + N, ... of `scheduler.partitions` (N if the configuration does not say).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Api } from './api.mjs';
import { giveAway } from './nobody.mjs';
import { Planted } from './planted.mjs';
import { Service } from './service.mjs';
import { DeadlineError, until } from './wait.mjs';

export const ALL = ['scheduler', 'gateway', 'llm-proxy', 'tool-adapter'];
const PATIENCE = 60_000; // a condition that holds, holds long before
const PATIENCE_WITHOUT = 2_000; // how long a scenario may try to pass without a process it needs
const LOG_TAIL = 40;

// A key of the documented form; the scheduler takes it as the first one.
function newKey() {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const text = (count) => [...randomBytes(count)].map((byte) => digits[byte % digits.length]).join('');
  return `tutti_${text(12)}_${text(43)}`;
}

function processes(count) {
  return Array.from({ length: count }, (_, i) => `scheduler-${i}`);
}

// What a scheduler process has for itself.
function ownFlags(index, schedulers, partitions, ipc, peers) {
  const owned = Array.from({ length: partitions }, (_, i) => i).filter((i) => i % schedulers === index);
  return [`listen=${ipc(`s${index}`)}`, `hint_listen=${ipc(`h${index}`)}`, `partitions=${partitions}`, `owned=${owned.join(',')}`, `peers=${peers}`]
    .flatMap((setting) => ['--set', `scheduler.${setting}`]);
}

function merge(target, from) {
  for (const [key, value] of Object.entries(from)) {
    const isMap = value && typeof value === 'object' && !Array.isArray(value);
    target[key] = isMap ? merge(target[key] ?? {}, value) : value;
  }
  return target;
}

export class Suite {
  // `config` is laid over the defaults of tests.
  static async create(config = {}, patience = PATIENCE, schedulers = 0) {
    const suite = new Suite();
    suite.names = ALL.flatMap((name) => (name === 'scheduler' && schedulers > 0 ? processes(schedulers) : [name]));
    suite.patience = patience;
    suite.folder = await mkdtemp(join(tmpdir(), 'tutti-'));
    suite.key = newKey();
    const ipc = (name) => `ipc://${suite.folder}/${name}`;
    const each = (name) => (schedulers > 0 ? Array.from({ length: schedulers }, (_, i) => ipc(`${name}${i}`)).join(',') : ipc(name));
    suite.config = merge(
      {
        gateway: { port: 0, scheduler: each('s'), scheduler_hints: each('h'), llm: ipc('l'), tools: ipc('t') },
        scheduler: { listen: ipc('s'), hint_listen: ipc('h'), store: { path: join(suite.folder, 'data'), map_size: '1GiB' }, backup: { path: join(suite.folder, 'backups') } },
        tools: { listen: ipc('t'), scheduler: each('s'), llm: ipc('l'), name: 'tools-1', memory: { path: join(suite.folder, 'memory'), size: '1GiB' }, egress: { private_networks: ['127.0.0.0/8'], http_hosts: ['127.0.0.1'] } },
        llm: {
          scheduler: each('s'), listen: ipc('l'), name: 'llm-1', store: { path: join(suite.folder, 'llm') },
          providers: { demo: { type: 'simulated' } },
          routes: { simulated: { targets: [{ model: 'demo/simulated' }] } },
        },
        auth: { bootstrap_key_file: join(suite.folder, 'key') },
        log: { format: 'json', level: 'info' },
        secrets: { dir: suite.folder },
      },
      config,
    );
    await writeFile(join(suite.folder, 'key'), suite.key, { mode: 0o600 });
    const token = randomBytes(32).toString('hex');
    await writeFile(join(suite.folder, 'RPC_TOKEN'), token, { mode: 0o600 });
    suite.planted = new Planted();
    suite.planted.add('key of the suite', suite.key);
    suite.planted.add('RPC_TOKEN', token);
    await suite.planted.addAll(suite.config);
    await writeFile(join(suite.folder, 'tutti.yaml'), JSON.stringify(suite.config, null, 1));
    const partitions = suite.config.scheduler.partitions ?? schedulers;
    for (const name of suite.names) {
      const [, program, index] = /^(.*?)(?:-(\d+))?$/.exec(name);
      const own = index === undefined ? [] : ownFlags(Number(index), schedulers, partitions, ipc, each('s'));
      suite[name] = new Service(`tutti-${name}`, suite.folder, join(suite.folder, 'tutti.yaml'), `tutti-${program}`, own);
    }
    suite.api = new Api(suite);
    return suite;
  }

  get services() {
    return this.names.map((name) => this[name]);
  }

  get url() {
    return `http://${this.gateway.host}:${this.gateway.port}`;
  }

  runAs(user) {
    giveAway(user, this.folder);
    for (const service of this.services) service.wrap = user.wrap;
  }

  async start(names = this.names) {
    await Promise.all(names.map((name) => this[name].start()));
  }

  async ready(names = this.names) {
    await Promise.all(names.map((name) => this[name].ready()));
  }

  until(what, probe) {
    return until(what, probe, this.patience);
  }

  // A power failure of the only scheduler; it is there again when this has ended.
  async killScheduler() {
    await this.scheduler.kill();
    await this.scheduler.start();
    await this.until('the gateway reaches it again', () => this.api.call('GET', '/v1/queues').then((answer) => answer.status === 200));
  }

  // Ends everything as an operator would, and looks for what must not be in the logs.
  async stop() {
    const failures = [];
    const schedulers = this.names.filter((name) => name.startsWith('scheduler'));
    for (const name of ['gateway', 'tool-adapter', 'llm-proxy', ...schedulers]) {
      await this[name].stop().catch((error) => failures.push(error));
      await this[name].kill();
      await this[name].checkLog(this.planted).catch((error) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  async remove() {
    await Promise.all(this.services.map((service) => service.kill()));
    await rm(this.folder, { recursive: true, force: true });
  }

  async printLogs() {
    for (const service of this.services) {
      const lines = await service.lines();
      if (lines.length > 0) console.error(`--- ${service.name}\n${lines.slice(-LOG_TAIL).join('\n')}`);
    }
  }

  // Registers the workflow of a file or text.
  async apply(definition) {
    const text = definition.includes('\n') ? definition : await readFile(definition, 'utf8');
    const name = /\bname:\s*['"]?([a-z0-9-]+)/.exec(text)[1];
    return this.api.ok('PUT', `/v1/workflows/${name}`, text, { headers: { 'content-type': 'application/yaml' } });
  }

  // Starts a run and returns it as it was answered.
  startRun(workflow, input = {}, more = {}) {
    return this.api.ok('POST', '/v1/runs', { workflow, input, ...more });
  }

  // Waits for the end of a run, also while services are away; its status must be `status`.
  async runEnds(id, status = 'completed') {
    const run = await this.until(`run ${id} ends`, async () => {
      const seen = await this.api.patient('GET', `/v1/runs/${id}?wait=${Math.min(5, this.patience / 1000)}s`);
      return ['completed', 'faulted', 'cancelled', 'terminated'].includes(seen.status) && seen;
    });
    assert.equal(run.status, status, `run ${id}: ${JSON.stringify(run.error ?? run.output)}`);
    return run;
  }

  async history(id) {
    return (await this.api.ok('GET', `/v1/runs/${id}/history?page_size=500`)).items;
  }
}

// Runs `body` against a suite, and prints the logs if it fails.
export async function withSuite(config, patience = PATIENCE, body, schedulers = 0) {
  const suite = await Suite.create(config, patience, schedulers);
  try {
    await body(suite);
    await suite.stop();
  } catch (error) {
    if (patience !== PATIENCE_WITHOUT) await suite.printLogs();
    throw error;
  } finally {
    await suite.remove();
  }
}

// A test of several processes. `needs` names the ones it cannot do without: only they are started,
// and for each of them the scenario runs once more without it and must fail. `user` of nobody.mjs runs them;
// `wraps` says by what some of them are run below that.
export function scenario(name, { needs, config = {}, schedulers = 0, timeout = 180_000, checkNeeds = true, user, wraps = {} }, body) {
  test(name, { timeout }, () =>
    withSuite(config, PATIENCE, async (suite) => {
      if (user) suite.runAs(user);
      for (const [service, words] of Object.entries(wraps)) suite[service].wrap = [...suite[service].wrap, ...words];
      await suite.start(needs);
      await suite.ready(needs);
      await body(suite);
    }, schedulers));
  // Side by side: all they do is wait in vain.
  if (!checkNeeds) return;
  test(`${name}: not without`, { timeout, concurrency: true }, (t) =>
    Promise.all(needs.map((missing) =>
      t.test(missing, { timeout }, () =>
        assert.rejects(
          withSuite(config, PATIENCE_WITHOUT, async (suite) => {
            suite[missing].isAbsent = true;
            await suite.start(needs);
            await body(suite);
          }, schedulers),
          (error) => error instanceof DeadlineError || error.isRefusal === true || error.isUnreachable === true,
        )))));
}
