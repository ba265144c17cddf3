// WordPress itself, as Debian has it, in PHP's own server and with a MariaDB of its own.
import { execFile } from 'node:child_process';
import { chmod, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PICTURE } from '../standin/figma.mjs';
import { freePort } from '../ports.mjs';
import { answers, Child } from './child.mjs';
import { unpacked } from './debian.mjs';
import { Passage } from './passage.mjs';

const run = promisify(execFile);
const SETUP = new URL('wordpress.php', import.meta.url).pathname;

const settings = ({ url, socket }) => `<?php
define('DB_NAME', 'site'); define('DB_USER', 'root'); define('DB_PASSWORD', ''); define('DB_HOST', 'localhost:${socket}');
define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_HOME', '${url}'); define('WP_SITEURL', '${url}');
define('WP_ENVIRONMENT_TYPE', 'local'); // application passwords without TLS
define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true); define('WP_AUTO_UPDATE_CORE', false);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
`;
const ROUTER = `<?php
if (is_file($_SERVER['DOCUMENT_ROOT'] . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH))) return false;
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/index.php';
require $_SERVER['DOCUMENT_ROOT'] . '/index.php';
`;

export class WordPress {
  adapter = 'wordpress';

  static async start() {
    const self = new WordPress();
    await self.#start().catch((error) => self.stop().then(() => Promise.reject(error)));
    return self;
  }

  async #start() {
    const root = await unpacked('wordpress', 'php-getid3');
    this.folder = await mkdtemp(join(tmpdir(), 'tutti-wordpress-'));
    this.socket = join(this.folder, 'db.sock');
    this.children = [];
    await this.#startDatabase();
    await this.#startSite(root);
    this.passage = await Passage.start(this.url);
  }

  async #startDatabase() {
    const data = join(this.folder, 'data');
    await run('mariadb-install-db', ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db', `--user=${userInfo().username}`]);
    const words = ['/usr/sbin/mariadbd', '--no-defaults', `--datadir=${data}`, `--socket=${this.socket}`, '--skip-networking', `--user=${userInfo().username}`, '--skip-log-bin'];
    this.children.push(await Child.start(this.folder, 'mariadb', words, () => this.#sql('SELECT 1', '').then(() => true, () => false)));
    await this.#sql('CREATE DATABASE site', '');
  }

  async #sql(text, database = 'site') {
    const { stdout } = await run('mariadb', ['--no-defaults', `--socket=${this.socket}`, '-u', 'root', '-N', '-B', '-r', '-e', text, ...(database ? [database] : [])]);
    return stdout.split('\n').filter(Boolean);
  }

  async #startSite(root) {
    const site = join(this.folder, 'usr/share/wordpress');
    await cp(join(root, 'usr/share'), join(this.folder, 'usr/share'), { recursive: true, verbatimSymlinks: true });
    const port = await freePort([]);
    this.url = `http://127.0.0.1:${port}`;
    await rm(join(site, 'wp-config.php'));
    await writeFile(join(site, 'wp-config.php'), settings(this));
    await writeFile(join(this.folder, 'router.php'), ROUTER);
    this.uploads = join(site, 'wp-content/uploads');
    const { stdout } = await run('php', [SETUP, site]);
    this.password = join(this.folder, 'password');
    await writeFile(this.password, stdout.trim().split('\n').at(-1));
    await chmod(this.password, 0o600);
    this.children.push(await Child.start(this.folder, 'php', ['php', '-S', `127.0.0.1:${port}`, '-t', site, join(this.folder, 'router.php')], () => answers(`${this.url}/wp-json/wp/v2/posts`)));
  }

  get store() { return this.passage; }

  cutChange() { this.passage.cutChange(); }

  async reset() {
    const tables = ['posts', 'postmeta', 'term_relationships'].map((name) => `DELETE FROM wp_${name}; INSERT INTO wp_${name} SELECT * FROM kept_${name};`);
    await rm(this.uploads, { recursive: true, force: true });
    await this.#sql(`${tables.join(' ')} ALTER TABLE wp_posts AUTO_INCREMENT = 31;`);
    this.passage.effects = 0;
  }

  async snapshot() {
    const rows = await this.#sql("SELECT JSON_OBJECT('id', ID, 'type', post_type, 'status', post_status, 'title', post_title, 'content', post_content, 'excerpt', post_excerpt, 'slug', post_name) FROM wp_posts WHERE post_type IN ('post', 'attachment') ORDER BY ID");
    return rows.map((row) => JSON.parse(row)).map((row) => ({ ...row, slug: row.slug.replace(/^[0-9a-f-]{36}$/, 'UUID') }));
  }

  secrets() { return { WORDPRESS_PASSWORD: { file: this.password } }; }

  connection() {
    return { adapter: 'wordpress', allow_private: true, hosts: ['127.0.0.1'], min_gap: { read: '0s', write: '0s' }, rate: '60000/min', burst: 1000, config: { base_url: this.passage.url }, secrets: { password: { secret: 'WORDPRESS_PASSWORD' } } };
  }

  cases() {
    return {
      'wordpress.create_post': { with: { title: 'New', content: '<p>New</p>' }, gives: { id: 31, url: `${this.url}/?p=31`, slug: 'UUID', status: 'draft' } },
      'wordpress.find_posts': { with: { slug: 'post-2' }, like: { items: [{ id: 2, slug: 'post-2', status: 'draft' }] } },
      'wordpress.list_posts': { with: { search: 'Post' }, like: { items: [{ id: 1, title: 'Post 1' }] } },
      'wordpress.get_post': { with: { id: 2 }, like: { id: 2, title: 'Post 2', content: '<p>Old</p>', status: 'draft' } },
      'wordpress.update_post': { with: { id: 1, title: 'Other' }, like: { id: 1, status: 'publish' } },
      'wordpress.publish': { with: { id: 2 }, like: { id: 2, url: `${this.url}/post-2/` } },
      'wordpress.delete_post': { with: { id: 1 }, gives: {} },
      'wordpress.upload_media': { with: { body: { base64: PICTURE.toString('base64') }, name: 'a.png', mime: 'image/png' }, like: { id: 31 } },
      'wordpress.delete_media': { with: { id: 30 }, gives: {} },
    };
  }

  async stop() {
    await this.passage?.stop();
    for (const child of (this.children ?? []).reverse()) await child.stop();
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }
}
