// What is there when everything has come to its end: journals, streams, queues, and the files.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { BIN } from '../../scenario/support/service.mjs';
import { EventStream } from '../../scenario/support/sse.mjs';

const STREAMS = 8; // runs that are followed from several places

async function all(suite, path) {
  const items = [];
  let token = '';
  do {
    const page = await suite.api.patient('GET', `${path}${path.includes('?') ? '&' : '?'}page_size=500${token && `&page_token=${encodeURIComponent(token)}`}`);
    items.push(...page.items);
    token = page.next_page_token ?? '';
  } while (token);
  return items;
}

async function follow(suite, id, after) {
  const stream = new EventStream(suite, `/v1/runs/${id}/events`);
  if (after > 0) stream.lastId = String(after);
  await suite.until('the stream ends', async () => (await stream.connect()) === 'end');
  return { run: id, after, seen: stream.events.filter((event) => /^(run|task|job)\./.test(event.event)).map((event) => Number(event.id)) };
}

// `tutti backup verify` of a scheduler's data: each journal is folded and held against what is stored.
function verify(folder) {
  const child = spawn(join(BIN, 'tutti'), ['--json', 'backup', 'verify', folder], { env: { PATH: process.env.PATH, ASAN_OPTIONS: 'detect_leaks=0' } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, err, ...(out.trim() ? JSON.parse(out) : {}) })));
}

// Adds to the record; the scheduler is stopped afterwards.
export async function observe(suite, record) {
  const runs = await all(suite, '/v1/runs');
  record.runs = {};
  for (const { id, status, workflow } of runs) record.runs[id] = { status, workflow, events: await all(suite, `/v1/runs/${id}/history`) };
  record.streams = [];
  for (const id of Object.keys(record.runs).slice(0, STREAMS)) {
    const { length } = record.runs[id].events;
    for (const after of [0, 1, Math.floor(length / 2), length - 1]) record.streams.push(await follow(suite, id, after));
  }
  record.queues = (await suite.api.patient('GET', '/v1/queues')).items;
  await suite.scheduler.stop();
  record.verified = await verify(suite.config.scheduler.store.path);
}
