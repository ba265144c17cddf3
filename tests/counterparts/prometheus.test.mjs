// The adapter `prometheus` on Debian's Prometheus and push gateway: what is pushed can be asked for, is taken back, and is there once though
// its answer is lost.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../scenario/support/ports.mjs';
import { withSuite } from '../scenario/support/suite.mjs';
import { knows } from '../scenario/support/tools.mjs';
import { Program, Wire, absent, flowOf } from './debian.mjs';

const json = (url) => fetch(url).then((answer) => answer.json());
const isFine = (url) => fetch(url).then((answer) => answer.ok);
const LABELS = { run: 'r/1?' };

async function pushes(suite, { gateway, wire }) {
  const groups = async () => (await json(`${gateway}/api/v1/metrics`)).data.map(({ labels }) => labels);
  const invoke = (action, args) => suite.api.call('POST', `/v1/tools/prometheus.${action}/invoke`, { arguments: args });
  const reads = async (action, args) => {
    const { status, text, body } = await invoke(action, args);
    assert.equal(status, 200, text);
    return body.output;
  };
  await suite.apply(flowOf('push', 'prometheus.push', { job: 'campaign', labels: LABELS, metrics: 'sent 12\n' }));
  const run = async (input, status) => suite.runEnds((await suite.startRun('push', input)).id, status);

  // Taken back; and lost on its way back, pushed once more, which is the same.
  await run({ fail: true }, 'faulted');
  assert.deepEqual(await groups(), []);
  wire.cutAt = ({ method }) => method === 'PUT';
  await run({});
  assert.deepEqual(wire.asked.map((one) => one.split(' ')[0]), ['PUT', 'DELETE', 'PUT', 'PUT']);
  const [group, ...more] = await groups();
  assert.deepEqual([more.length, group.job, group.run], [0, 'campaign', LABELS.run]);

  const sample = await suite.until('it has been scraped', async () => (await reads('query', { query: 'sent{job="campaign"}' })).result[0]);
  assert.deepEqual([sample.metric.run, sample.value[1]], [LABELS.run, '12']);
  const range = { query: 'sent', start: Math.floor(Date.now() / 1000) - 60, step: '1s' }; // up to the second in which it is asked
  const series = await suite.until('it is in the past', async () => (await reads('query_range', range)).result[0]);
  assert.equal(series.values.at(-1)[1], '12');
  assert.deepEqual((await reads('series', { match: ['sent'] })).items.map((one) => one.job), ['campaign']);
  const alert = await suite.until('the rule has been looked at', async () => (await reads('alerts', {})).items.find(({ state }) => state === 'firing'));
  assert.equal(alert.labels.alertname, 'Sent');

  // What they refuse is said in their words.
  const wrong = await invoke('query', { query: 'sent{' });
  assert.equal(wrong.status, 422, wrong.text);
  assert.match(wrong.body.detail, /parse error/);
  const cut = await invoke('push', { job: 'campaign', metrics: 'sent 12' });
  assert.equal(cut.status, 422, cut.text);
  await reads('delete_group', { job: 'campaign', labels: LABELS });
  assert.deepEqual(await groups(), []);
}

test('metrics are pushed to Prometheus, asked for, and taken back', { skip: absent('prometheus'), timeout: 180_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  const started = [];
  try {
    const ports = [await freePort([1])];
    const at = (port) => `http://127.0.0.1:${port}`;
    const [gateway, server] = [at(ports[0]), at(ports[0] + 1)];
    writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: [{ name: 'all', rules: [{ alert: 'Sent', expr: 'sent > 1' }] }] }));
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' }, rule_files: [join(folder, 'rules.yml')],
      scrape_configs: [{ job_name: 'pushed', honor_labels: true, static_configs: [{ targets: [new URL(gateway).host] }] }],
    }));
    started.push(await Program.start('usr/bin/prometheus-pushgateway', [`--web.listen-address=${new URL(gateway).host}`], { isUp: () => isFine(`${gateway}/-/ready`) }));
    started.push(await Program.start('usr/bin/prometheus', [
      `--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${new URL(server).host}`,
    ], { isUp: () => isFine(`${server}/-/ready`) }));
    const wire = await Wire.start(gateway);
    started.push(wire);
    const config = { tools: { connections: { prometheus: { adapter: 'prometheus', config: { base_url: server, pushgateway: wire.url }, hosts: ['127.0.0.1'], allow_private: true } } } };
    const names = ['scheduler', 'gateway', 'tool-adapter'];
    await withSuite(config, undefined, async (suite) => {
      await suite.start(names);
      await suite.ready(names);
      await knows(suite, 'prometheus.push', 'prometheus.query');
      await pushes(suite, { gateway, wire });
    });
  } finally {
    await Promise.all(started.map((one) => one.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
});
