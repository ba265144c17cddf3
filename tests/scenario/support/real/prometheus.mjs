// Prometheus and its push gateway themselves, as Debian has them.
import { rm, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../ports.mjs';
import { until } from '../wait.mjs';
import { answers, Child } from './child.mjs';
import { unpacked } from './debian.mjs';
import { Passage } from './passage.mjs';

const PATIENCE = 60_000;
const settings = (gateway) => `
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [ rules.yml ]
scrape_configs: [ { job_name: gateway, honor_labels: true, static_configs: [ { targets: [ "${gateway}" ] } ] } ]
`;
const RULES = 'groups: [ { name: g, rules: [ { alert: Always, expr: vector(1), labels: { severity: page } } ] } ]\n';

export class Prometheus {
  adapter = 'prometheus';

  static async start() {
    const self = new Prometheus();
    await self.#start().catch((error) => self.stop().then(() => Promise.reject(error)));
    return self;
  }

  async #start() {
    const root = await unpacked('prometheus', 'prometheus-pushgateway');
    const bin = (name) => join(root, 'usr/bin', name);
    this.folder = await mkdtemp(join(tmpdir(), 'tutti-prometheus-'));
    const port = await freePort([1]);
    this.url = `http://127.0.0.1:${port}`;
    this.pushes = `http://127.0.0.1:${port + 1}`;
    await writeFile(join(this.folder, 'prometheus.yml'), settings(`127.0.0.1:${port + 1}`));
    await writeFile(join(this.folder, 'rules.yml'), RULES);
    this.children = [];
    const keep = (child) => this.children.push(child);
    await Promise.all([
      Child.start(this.folder, 'pushgateway', [bin('prometheus-pushgateway'), `--web.listen-address=127.0.0.1:${port + 1}`], () => answers(`${this.pushes}/-/ready`)).then(keep),
      Child.start(this.folder, 'prometheus', [bin('prometheus'), '--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=127.0.0.1:${port}`], () => answers(`${this.url}/-/ready`)).then(keep),
    ]);
    this.passage = await Passage.start(this.pushes);
    const ask = async (path) => (await (await fetch(this.url + path)).json()).data;
    const second = () => Math.floor(Date.now() / 1000); // what was seen in this one is not yet in a range of whole seconds
    await until('it has seen its gateway, and an alert', async () => (await ask(`/api/v1/query?query=up==1&time=${second()}`)).result.length > 0 && (await ask('/api/v1/alerts')).alerts.some(({ state }) => state === 'firing'), PATIENCE);
  }

  get store() { return this.passage; }

  cutChange() { this.passage.cutChange(); }

  async #groups() {
    return (await (await fetch(`${this.pushes}/api/v1/metrics`)).json()).data ?? [];
  }

  async reset() {
    for (const { labels } of await this.#groups()) {
      const path = Object.entries(labels).sort(([a]) => (a === 'job' ? -1 : 1)).map(([key, value]) => `${key}@base64/${Buffer.from(value).toString('base64url')}`).join('/');
      await fetch(`${this.pushes}/metrics/${path}`, { method: 'DELETE' });
    }
    await fetch(`${this.pushes}/metrics/job/shop`, { method: 'PUT', body: 'open 1\n' });
    this.passage.effects = 0;
  }

  // Each group as what was pushed, without when.
  async snapshot() {
    const known = new Set(['labels', 'last_push_successful', 'push_failure_time_seconds', 'push_time_seconds']);
    const metrics = (group) => Object.entries(group).filter(([name]) => !known.has(name)).map(([name, { metrics: all }]) => [name, all]);
    return (await this.#groups()).map((group) => ({ labels: group.labels, metrics: metrics(group) })).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }

  connection() {
    return { adapter: 'prometheus', allow_private: true, hosts: ['127.0.0.1'], min_gap: { read: '0s', write: '0s' }, rate: '60000/min', burst: 1000, config: { base_url: this.url, pushgateway: this.passage.url } };
  }

  cases() {
    const since = Math.floor(Date.now() / 1000) - 60;
    const own = 'up{job="gateway"}';
    return {
      'prometheus.query': { with: { query: own }, like: { type: 'vector', result: [{ metric: { __name__: 'up', job: 'gateway' } }] } },
      'prometheus.query_range': { with: { query: own, start: since, step: '1s' }, like: { type: 'matrix', result: [{ metric: { job: 'gateway' } }] } },
      'prometheus.series': { with: { match: [own, 'nobody'] }, like: { items: [{ __name__: 'up', job: 'gateway' }] } },
      'prometheus.alerts': { with: {}, like: { items: [{ labels: { alertname: 'Always', severity: 'page' }, state: 'firing' }] } },
      'prometheus.push': { with: { job: 'campaign', labels: { run: 'r/1?' }, metrics: 'sent 12\n' }, gives: {}, reads: () => this.snapshot(), finds: [
        { labels: { job: 'campaign', run: 'r/1?' }, metrics: [['sent', [{ labels: { instance: '', job: 'campaign', run: 'r/1?' }, value: '12' }]]] },
        { labels: { job: 'shop' }, metrics: [['open', [{ labels: { instance: '', job: 'shop' }, value: '1' }]]] },
      ] },
      'prometheus.delete_group': { with: { job: 'shop' }, gives: {} },
    };
  }

  async stop() {
    await this.passage?.stop();
    await Promise.all((this.children ?? []).map((child) => child.stop()));
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }
}
