// Programs of Debian's packages, unpacked into build/ and not installed: nothing is started, and no port of the machine is taken.
import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const FOLDER = new URL('../../../../build/debian/', import.meta.url).pathname;

export class Missing extends Error {}

async function fetchInto(folder, names) {
  await mkdir(join(folder, 'packages'), { recursive: true });
  const fetched = run('apt-get', ['download', '-qq', ...names], { cwd: join(folder, 'packages'), timeout: 120_000 });
  await fetched.catch(({ stderr, message }) => { throw new Missing(`${names.join(', ')} cannot be had from Debian: ${(stderr || message).trim().split('\n').at(-1)}`); });
  for (const file of await readdir(join(folder, 'packages'))) await run('dpkg-deb', ['-x', join(folder, 'packages', file), folder]);
  await rm(join(folder, 'packages'), { recursive: true });
}

// The folder that packages are unpacked in, as a root: usr/bin/... Missing, with apt's own words, if they cannot be had.
export async function unpacked(...names) {
  const folder = join(FOLDER, names.join('+'));
  if (await stat(folder).catch(() => null)) return folder;
  const fresh = `${folder}.${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await fetchInto(fresh, names);
  await rename(fresh, folder).catch(() => rm(fresh, { recursive: true })); // somebody was faster
  return folder;
}
