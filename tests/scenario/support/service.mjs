// One process of the suite: start, stop, kill, and what it has logged.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until, within } from './wait.mjs';

export const BIN = process.env.TUTTI_BIN ?? new URL('../../../build/dev/bin', import.meta.url).pathname;
const SUPPRESSIONS = new URL('../../support/lsan.supp', import.meta.url).pathname;

// What no log may ever hold.
const TROUBLE = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|assertion|ASSERT|backtrace|crashed by signal/;

export class Service {
  // `program` with the flags `more`; several of one program need a name each.
  constructor(name, folder, config, program = name, more = []) {
    this.name = name;
    this.program = program;
    this.more = more;
    this.config = config;
    this.log = join(folder, `${name}.log`);
    this.child = null;
    this.port = 0; // once known it is kept over restarts
    this.adminPort = 0;
    this.isAbsent = false; // for the proof that a scenario needs it: it is never started
    this.host = '127.0.0.1'; // where it listens, as this process sees it
    this.wrap = []; // words before the program's: what runs it
    this.env = {}; // more of it
  }

  get isRunning() {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  // Resolves as soon as the process says that it serves.
  async start(ms = 20_000) {
    if (this.isAbsent) return;
    const flags = ['--config', this.config, ...this.more];
    const section = { 'tutti-gateway': 'gateway', 'tutti-scheduler': 'scheduler', 'tutti-tool-adapter': 'tools', 'tutti-llm-proxy': 'llm' };
    flags.push('--set', `${section[this.program]}.admin.port=${this.adminPort}`);
    if (this.program === 'tutti-gateway') flags.push('--set', `gateway.port=${this.port}`);
    const out = createWriteStream(this.log, { flags: 'a' });
    const words = [...this.wrap, join(BIN, this.program), ...flags];
    const child = spawn(words[0], words.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        UBSAN_OPTIONS: 'print_stacktrace=1',
        LSAN_OPTIONS: `suppressions=${SUPPRESSIONS}:print_suppressions=0`,
        ...this.env,
      },
    });
    this.child = child;
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
    let text = '';
    const serving = new Promise((resolve) => {
      child.stdout.on('data', (bytes) => {
        if (text === null) return;
        text += bytes;
        const line = text.split('\n').slice(0, -1).map(parse).find((entry) => entry.admin_port);
        if (!line) return;
        this.adminPort = line.admin_port;
        if (line.port) this.port = line.port;
        text = null;
        resolve();
      });
    });
    child.stdout.pipe(out, { end: false });
    child.stderr.pipe(out, { end: false });
    const end = await within(`${this.name} serves`, ms, Promise.race([serving, this.exited]));
    if (end !== undefined) throw new Error(`${this.name} ended at its start with ${end}`);
  }

  // As an operator does it; the exit code must be 0.
  async stop(ms = 30_000) {
    if (!this.isRunning) return;
    this.child.kill('SIGTERM');
    const end = await within(`${this.name} drains`, ms, this.exited);
    if (end !== 0) throw new Error(`${this.name} ended with ${end} after SIGTERM, not with 0`);
  }

  // As a power failure does it.
  async kill() {
    if (!this.isRunning) return;
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async health(kind) {
    try {
      const answer = await fetch(`http://${this.host}:${this.adminPort}/health/${kind}`);
      await answer.text();
      return answer.status === 200;
    } catch {
      return false;
    }
  }

  async ready(ms = 20_000) {
    await until(`${this.name} is ready`, () => this.health('ready'), ms);
  }

  // The sum of a metric's series whose labels hold all of `labels`.
  async metric(name, labels = '') {
    const text = await (await fetch(`http://${this.host}:${this.adminPort}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(name) && /[ {]/.test(line[name.length]) && line.includes(labels));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async lines() {
    return (await readFile(this.log, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  }

  // Throws if the log shows a crash, a sanitizer's finding or one of the secrets that are `planted`.
  async checkLog(planted) {
    const lines = await this.lines();
    planted?.check(lines.join('\n'), `the log of ${this.name}`);
    const bad = lines.findIndex((line) => TROUBLE.test(line));
    if (bad >= 0) throw new Error(`${this.name} has logged:\n${lines.slice(bad, bad + 40).join('\n')}`);
  }
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}
