// A program of somebody else: started, waited for, stopped by its pid.
import { spawn } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../wait.mjs';

const PATIENCE = 60_000;

export class Child {
  // Its words go to NAME.log in `folder`; it is there when `probe` says so.
  static async start(folder, name, [program, ...args], probe) {
    const child = new Child();
    const log = join(folder, `${name}.log`);
    const out = openSync(log, 'a');
    child.process = spawn(program, args, { cwd: folder, stdio: ['ignore', out, out] });
    closeSync(out);
    child.exited = new Promise((resolve) => {
      child.process.once('exit', resolve);
      child.process.once('error', resolve);
    });
    let isOver = false;
    void child.exited.then(() => { isOver = true; });
    await until(`${name} serves`, async () => {
      if (isOver) throw new Error(`${name} has ended: ${readFileSync(log, 'utf8').slice(-2000)}`);
      return await probe();
    }, PATIENCE);
    return child;
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.exited;
  }
}

// Whether a server answers there at all.
export const answers = (url) => fetch(url).then(({ status }) => status < 500, () => false);
