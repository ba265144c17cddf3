// Programs of Debian as fetch.sh unpacks them, and what stands between them and an adapter.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { until } from '../scenario/support/wait.mjs';

export const ROOT = new URL('../../build/counterparts/root', import.meta.url).pathname;
const PATIENCE_MS = 60_000;

// Why a counterpart is not here; false: it is.
export const absent = (name) => !existsSync(join(ROOT, `.has-${name}`)) && `tests/counterparts/fetch.sh ${name} has not brought it`;

// The folders with libraries of Debian's architectures.
export const env = (more = {}) => {
  const folder = join(ROOT, 'usr/lib');
  const libraries = existsSync(folder) ? readdirSync(folder).filter((name) => name.includes('-linux-')).map((name) => join(folder, name)) : [];
  return { PATH: process.env.PATH, LD_LIBRARY_PATH: libraries.join(':'), ...more };
};

export class Program {
  static async start(path, args, { more = {}, isUp }) {
    const program = new Program();
    program.said = '';
    program.child = spawn(join(ROOT, path), args, { stdio: ['ignore', 'pipe', 'pipe'], env: env(more) });
    program.ended = once(program.child, 'exit');
    for (const stream of [program.child.stdout, program.child.stderr]) stream.on('data', (part) => { program.said += part; });
    try {
      await until(`${path} is up`, async () => {
        if (program.child.exitCode !== null) throw new Error(`${path}: ${program.said.slice(-2000)}`);
        return isUp().catch(() => false);
      }, PATIENCE_MS);
    } catch (error) {
      await program.stop();
      throw error;
    }
    return program;
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    await this.ended;
  }
}

// Hands requests on as they are; an answer can be lost on its way back.
export class Wire {
  static async start(target) {
    const wire = new Wire();
    wire.asked = [];
    wire.cutAt = undefined; // whose answer is lost: a test of {method, url}
    wire.server = createServer((from, to) => wire.#hand(target, from, to));
    await new Promise((resolve) => wire.server.listen(0, '127.0.0.1', resolve));
    wire.url = `http://127.0.0.1:${wire.server.address().port}`;
    return wire;
  }

  #hand(target, from, to) {
    const { host, ...headers } = from.headers;
    this.asked.push(`${from.method} ${from.url}`);
    const call = request(target + from.url, { method: from.method, headers }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('end', () => {
        if (this.cutAt?.(from)) {
          this.cutAt = undefined;
          from.socket.destroy();
          return;
        }
        const { 'transfer-encoding': chunked, connection, ...given } = answer.headers;
        to.writeHead(answer.statusCode, given);
        to.end(Buffer.concat(pieces));
      });
    });
    call.on('error', () => from.socket.destroy());
    from.pipe(call);
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

// A workflow of one call, which with `fail` is taken back.
export const flowOf = (name, call, args) => `
document: { dsl: '1.0.3', namespace: default, name: ${name}, version: '1.0.0', metadata: { tutti: { saga: true } } }
do:
  - work: { call: ${call}, with: ${JSON.stringify(args)}, metadata: { tutti: { retry: { delay: PT0.02S, limit: { attempt: { count: 3 } } } } } }
  - broken: { if: $workflow.input.fail, raise: { error: { type: 'https://example.org/broken', status: 500 } } }
output: { as: '\${ $steps.work }' }
`;
