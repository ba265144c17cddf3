// A site of WordPress with a MariaDB of its own, of Debian's packages.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../scenario/support/ports.mjs';
import { Program, ROOT, env } from './debian.mjs';

const OWN = new URL('./wordpress', import.meta.url).pathname;
const EXTENSIONS = ['mysqlnd', 'mysqli', 'ctype', 'tokenizer', 'fileinfo', 'exif', 'iconv'];

// The socket takes somebody.
const listens = (path) => new Promise((resolve) => {
  const socket = connect(path, () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

function phpOf() {
  const version = readdirSync(join(ROOT, 'usr/lib/php')).find((name) => /^20\d{6}$/.test(name));
  const name = readdirSync(join(ROOT, 'usr/bin')).find((one) => /^php\d/.test(one));
  const args = ['-n', '-d', `extension_dir=${join(ROOT, 'usr/lib/php', version)}`, ...EXTENSIONS.flatMap((one) => ['-d', `extension=${one}`])];
  return { path: join('usr/bin', name), args };
}

// The files of the packages; links of Debian's lead out of the folder that they are unpacked in.
function install(folder) {
  const site = join(folder, 'site');
  cpSync(join(ROOT, 'usr/share/wordpress'), site, { recursive: true, verbatimSymlinks: true, filter: (from) => !from.endsWith('wp-includes/ID3') });
  cpSync(join(ROOT, 'usr/share/php/getid3'), join(site, 'wp-includes/ID3'), { recursive: true });
  mkdirSync(join(site, 'wp-content/uploads'), { recursive: true });
  copyFileSync(join(OWN, 'wp-config.php'), join(site, 'wp-config.php'));
  return site;
}

export class Site {
  static async start() {
    const site = new Site();
    site.folder = mkdtempSync(join(tmpdir(), 'wordpress-'));
    try {
      await site.#start();
    } catch (error) {
      await site.stop();
      throw error;
    }
    return site;
  }

  async #start() {
    const socket = join(this.folder, 'db.sock');
    const data = join(this.folder, 'data');
    mkdirSync(join(data, 'wordpress'), { recursive: true }); // a database is a folder
    const share = join(ROOT, 'usr/share/mysql');
    this.database = await Program.start('usr/sbin/mariadbd', [
      '--no-defaults', '--user=root', `--basedir=${join(ROOT, 'usr')}`, `--datadir=${data}`, `--lc-messages-dir=${share}`, `--character-sets-dir=${share}/charsets`,
      '--innodb-buffer-pool-size=16M', '--innodb-log-file-size=8M', '--skip-grant-tables', '--skip-networking', `--socket=${socket}`, `--pid-file=${join(this.folder, 'db.pid')}`,
    ], { isUp: () => listens(socket) });
    const address = `127.0.0.1:${await freePort([])}`;
    const php = phpOf();
    const more = { SITE: address, DATABASE: socket, WORDPRESS: install(this.folder) };
    this.password = execFileSync(join(ROOT, php.path), [...php.args, join(OWN, 'setup.php')], { env: env(more), encoding: 'utf8', timeout: 120_000 });
    if (!/^[A-Za-z0-9]{24}$/.test(this.password)) throw new Error(`WordPress is not set up: ${this.password.slice(0, 2000)}`);
    this.url = `http://${address}`;
    this.server = await Program.start(php.path, [...php.args, '-S', address, '-t', more.WORDPRESS, join(OWN, 'router.php')], { more, isUp: () => fetch(`${this.url}/wp-json/`).then((answer) => answer.ok) });
  }

  // What its own API says of itself, without the adapter.
  async read(path) {
    const authorization = `Basic ${Buffer.from(`tutti:${this.password}`).toString('base64')}`;
    const answer = await fetch(`${this.url}/wp-json/wp/v2${path}`, { headers: { authorization } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async stop() {
    await this.server?.stop();
    await this.database?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
