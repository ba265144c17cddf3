// What this machine lets a test do to it, and the doing: system calls that fail, networks, memory,
// disks. Where something is not permitted, the scenario is skipped and says why.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { within } from '../../scenario/support/wait.mjs';

const ATTACH_MS = 10_000;
const LOOK_MS = 1_000;
const LOOKS_MAX = 5;
const CGROUPS = '/sys/fs/cgroup';

export function sh(command, ...words) {
  return execFileSync(command, words, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

// False if `probe` works, else why not: the reason of a skipped test.
function whyNot(what, probe) {
  try {
    probe();
    return false;
  } catch (error) {
    const text = (error.stderr?.toString() || error.message).trim().split('\n').at(-1);
    return `${what} is not possible on this machine: ${text}`;
  }
}

/* --- system calls that fail ---------------------------------------------------------------------- */

export const whyNoStrace = () => whyNot('strace', () => sh('strace', '-qq', '-o', '/dev/null', '-e', 'inject=fdatasync:error=EIO:when=1', 'true'));

// Makes calls of a running process fail: `calls` by strace's names, in each thread from the `nth` one on
// (or only the nth), with `error`. Returns how to let go of it.
export async function injectInto(pid, calls, error, nth, isLasting = false) {
  const when = isLasting ? `${nth}+` : `${nth}`;
  const tracer = spawn('strace', ['-f', '-p', String(pid), '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}:when=${when}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => tracer.once('exit', resolve));
  let text = '';
  const attached = new Promise((resolve, reject) => {
    tracer.stderr.on('data', (bytes) => {
      text += bytes;
      if (/attached/.test(text)) resolve();
    });
    tracer.once('exit', () => reject(new Error(`strace ended at once: ${text}`)));
  });
  await within('strace has it', ATTACH_MS, attached);
  const watch = setInterval(leftBehind(pid, tracer), LOOK_MS);
  ended.then(() => clearInterval(watch));
  return async () => {
    tracer.kill('SIGTERM'); // it lets go of the process, which lives on
    await ended;
  };
}

// Words that run a program so that all its calls of a name fail from its first moment on.
export const failingFromTheStart = (call, error) => ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:error=${error}`];

// The states of a process' threads that wait for their tracer: all that have ended, and those that stand still.
function waiting(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).filter((thread) => /^State:\s+[Zt]/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')));
  } catch {
    return []; // it is gone
  }
}

// A look at a traced process, again and again. Now and then strace 6.1 on a busy machine sleeps through the end or the stop of a thread, for
// ever: then it goes, and the process goes on, or its parent hears that it has ended.
function leftBehind(pid, tracer) {
  let before = [];
  let looks = 0;
  return () => {
    const now = waiting(pid);
    looks = now.some((thread) => before.includes(thread)) ? looks + 1 : 0;
    before = now;
    if (looks < LOOKS_MAX) return;
    console.log(`# strace has left ${now.length} threads behind`);
    tracer.kill('SIGKILL');
  };
}

// Kills what a process runs, and then itself.
export function killWithChildren(pid) {
  for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)) process.kill(Number(child), 'SIGKILL');
  process.kill(pid, 'SIGKILL');
}

/* --- memory -------------------------------------------------------------------------------------- */

// A memory limit by control groups, version 2 or 1.
function memoryGroup(name) {
  const isV2 = existsSync(`${CGROUPS}/cgroup.controllers`);
  const folder = isV2 ? `${CGROUPS}/${name}` : `${CGROUPS}/memory/${name}`;
  mkdirSync(folder);
  const group = {
    limit: (bytes) => writeFileSync(`${folder}/${isV2 ? 'memory.max' : 'memory.limit_in_bytes'}`, String(bytes < 0 && isV2 ? 'max' : bytes)),
    add: (pid) => writeFileSync(`${folder}/cgroup.procs`, String(pid)),
    used: () => Number(readFileSync(`${folder}/${isV2 ? 'memory.current' : 'memory.usage_in_bytes'}`, 'utf8')),
    // How often the limit was in the way.
    hits: () => Number(isV2 ? /^max (\d+)/m.exec(readFileSync(`${folder}/memory.events`, 'utf8'))[1] : readFileSync(`${folder}/memory.failcnt`, 'utf8')),
    remove: () => rmdirSync(folder),
  };
  return group;
}

export const newMemoryGroup = () => memoryGroup(`tutti-chaos-${process.pid}`);
export const whyNoMemoryGroup = () => whyNot('a control group', () => {
  const group = memoryGroup(`tutti-probe-${process.pid}`);
  try {
    group.limit(1 << 30);
    group.used();
  } finally {
    group.remove();
  }
});

/* --- disks --------------------------------------------------------------------------------------- */

export function mountDisk(folder, bytes) {
  mkdirSync(folder, { recursive: true });
  sh('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tutti-chaos', folder);
}
export const resizeDisk = (folder, bytes) => sh('mount', '-o', `remount,size=${bytes}`, folder);
export const unmountDisk = (folder) => sh('umount', '-l', folder);
export const whyNoMount = () => whyNot('a file system of its own', () => {
  const folder = `/tmp/tutti-probe-${process.pid}`;
  mountDisk(folder, 1 << 20);
  unmountDisk(folder);
  rmdirSync(folder);
});

/* --- networks ------------------------------------------------------------------------------------ */

// Network namespaces around one bridge: each name has an address of its own, this process has `host`.
export class Networks {
  static #count = 0;

  constructor(names) {
    this.id = `${process.pid % 100_000}x${Networks.#count++}`;
    this.net = `10.213.${process.pid % 250}`;
    this.host = `${this.net}.1`;
    this.bridge = `tb${this.id}`;
    this.names = names;
  }

  make() {
    sh('ip', 'link', 'add', 'name', this.bridge, 'type', 'bridge');
    sh('ip', 'addr', 'add', `${this.host}/24`, 'dev', this.bridge);
    sh('ip', 'link', 'set', this.bridge, 'up');
    for (const [index, name] of this.names.entries()) {
      const space = this.space(name);
      sh('ip', 'netns', 'add', space);
      sh('ip', 'link', 'add', `tv${index}${this.id}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
      sh('ip', 'link', 'set', `tv${index}${this.id}`, 'master', this.bridge, 'up');
      this.in(name, 'ip', 'addr', 'add', `${this.address(name)}/24`, 'dev', 'eth0');
      this.in(name, 'ip', 'link', 'set', 'eth0', 'up');
      this.in(name, 'ip', 'link', 'set', 'lo', 'up');
      this.in(name, 'nft', 'add table inet chaos');
      for (const hook of ['input', 'output']) this.in(name, 'nft', `add chain inet chaos ${hook} { type filter hook ${hook} priority 0; }`);
    }
    return this;
  }

  space(name) {
    return `tutti-${this.id}-${name}`;
  }

  address(name) {
    return `${this.net}.${10 + this.names.indexOf(name)}`;
  }

  in(name, ...words) {
    return sh('ip', 'netns', 'exec', this.space(name), ...words);
  }

  // A rule of nft about what reaches `name` from `other`: drop; numgen random mod 100 < 30 drop; ...
  rule(name, other, what) {
    this.in(name, 'nft', `add rule inet chaos input ip saddr ${this.address(other)} ${what}`);
  }

  cut(name, other) {
    this.rule(name, other, 'drop');
    this.rule(other, name, 'drop');
  }

  mend() {
    for (const name of this.names) this.in(name, 'nft', 'flush table inet chaos');
  }

  remove() {
    const gone = (...words) => whyNot('removing', () => sh('ip', ...words));
    for (const name of this.names) gone('netns', 'del', this.space(name));
    gone('link', 'del', this.bridge);
  }
}

export const whyNoNetworks = () => whyNot('a network of its own', () => {
  const networks = new Networks(['probe', 'other']);
  try {
    networks.make();
    networks.rule('probe', 'other', 'meta l4proto tcp numgen random mod 100 < 30 drop');
    networks.rule('probe', 'other', 'meta l4proto tcp reject with tcp reset');
  } finally {
    networks.remove();
  }
});
