// A user without any right, for what root must not do: Chromium has no sandbox as root.
import { spawnSync } from 'node:child_process';
import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BIN } from './service.mjs';

const ID = 65534;
const WRAP = ['setpriv', `--reuid=${ID}`, `--regid=${ID}`, '--clear-groups'];

// Who may start a browser with its sandbox: this user if it is not root, else nobody. `why`: none may here.
export function unprivileged() {
  const wrap = process.getuid() === 0 ? WRAP : [];
  const [program, ...words] = [...wrap, 'unshare', '--user', join(BIN, 'tutti'), '--version'];
  const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status === 0) return { wrap };
  return { wrap: [], why: `no user namespace for who is not root, or ${BIN} is closed to others: ${error?.message ?? stderr.trim()}` };
}

// What runs a program under the seccomp profile of containers with a browser. `why`: nothing can here.
export function confined() {
  const wrap = [join(BIN, 'confine'), new URL('../../../compose/seccomp/browser.json', import.meta.url).pathname];
  const { status, stderr, error } = spawnSync(wrap[0], [...wrap.slice(1), '/bin/true'], { encoding: 'utf8' });
  return status === 0 ? { wrap } : { wrap: [], why: `no profile is loaded here (libseccomp-dev was there when the tests were built?): ${error?.message ?? stderr.trim()}` };
}

// Gives it a folder with what is in there.
export function giveAway({ wrap }, folder) {
  if (wrap.length === 0) return;
  chownSync(folder, ID, ID);
  for (const entry of readdirSync(folder)) chownSync(join(folder, entry), ID, ID);
}
