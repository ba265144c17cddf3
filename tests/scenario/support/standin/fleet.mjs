// The stand-ins of all services that adapters know, and a configuration whose connections lead to them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anything } from './anything.mjs';
import { buffer } from './buffer.mjs';
import { figma } from './figma.mjs';
import { github } from './github.mjs';
import { grafana } from './grafana.mjs';
import { Mailbox } from './mailbox.mjs';
import { mcp } from './mcp.mjs';
import { notion } from './notion.mjs';
import { prometheus } from './prometheus.mjs';
import { qdrant } from './qdrant.mjs';
import { s3 } from './s3.mjs';
import { sendgrid } from './sendgrid.mjs';
import { slack } from './slack.mjs';
import { website } from './website.mjs';
import { wordpress } from './wordpress.mjs';
import { World } from './world.mjs';

const SERVICES = [anything, buffer, figma, github, grafana, mcp, notion, prometheus, qdrant, s3, sendgrid, slack, website, wordpress];

export class Fleet {
  // All of them, and `more`.
  static async start(more = []) {
    const fleet = new Fleet();
    fleet.worlds = Object.fromEntries(await Promise.all([...SERVICES, ...more].map(async (service) => [service.name, await World.start(service)])));
    fleet.worlds.smtp = await Mailbox.start();
    fleet.folder = await mkdtemp(join(tmpdir(), 'tutti-fleet-'));
    fleet.secrets = {};
    await Promise.all(Object.entries(fleet.worlds).map(([name, world]) => fleet.keepSecrets(name, world.service)));
    return fleet;
  }

  async keepSecrets(name, service) {
    const secrets = service.secrets ?? (service.secret ? { [service.secret]: `secret-of-${name}` } : {});
    this.secrets[name] = secrets;
    for (const [key, value] of Object.entries(secrets)) await writeFile(join(this.folder, `${name}-${key}`), value, { mode: 0o600 });
  }

  // What must be found nowhere.
  get planted() {
    return Object.values(this.secrets).flatMap((secrets) => Object.values(secrets));
  }

  config() {
    const connections = {};
    const secrets = {};
    for (const [name, { service, url }] of Object.entries(this.worlds)) {
      const names = Object.keys(this.secrets[name]);
      const nameOf = (key) => `${name}_${key}`.toUpperCase();
      for (const key of names) secrets[nameOf(key)] = { file: join(this.folder, `${name}-${key}`) };
      connections[name] = {
        adapter: name, allow_private: true, hosts: ['127.0.0.2'], min_gap: { read: '0s', write: '0s' }, rate: '60000/min', burst: 1000,
        config: { ...(url && service.base !== null ? { base_url: url + (service.base ?? '') } : {}), ...service.settings, ...service.settingsOf?.(url) },
        secrets: Object.fromEntries(names.map((key) => [key, { secret: nameOf(key) }])),
      };
    }
    return { tools: { connections, egress: { private_networks: ['127.0.0.0/8'], http_hosts: ['127.0.0.1', '127.0.0.2'] } }, secrets };
  }

  async stop() {
    await Promise.all(Object.values(this.worlds).map((world) => world.stop()));
    await rm(this.folder, { recursive: true, force: true });
  }
}
