#!/usr/bin/env node
// A worker in JavaScript without an SDK: TUTTI_URL, TUTTI_API_KEY, and node worker.mjs [QUEUE].
const url = process.env.TUTTI_URL ?? 'http://127.0.0.1:8080';
const queue = process.argv[2] ?? 'words';

const functions = {
  'worker.count': ({ text }) => ({ count: text.split(/\s+/).filter(Boolean).length }),
  'worker.shout': ({ text }) => ({ text: text.toUpperCase() }),
};

async function post(path, body) {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${process.env.TUTTI_API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status === 204) return null;
  if (answer.status === 409) return null; // the lease is lost: somebody else does it
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function work(job) {
  const mine = { lease_token: job.lease_token };
  // Every third of a lease of 180 s.
  const beat = setInterval(() => post(`/v1/jobs/${job.id}/heartbeat`, mine).catch(console.error), 60_000);
  try {
    const output = await functions[job.function](job.input);
    await post(`/v1/jobs/${job.id}/complete`, { ...mine, output });
  } catch (problem) {
    await post(`/v1/jobs/${job.id}/fail`, { ...mine, error: { detail: String(problem) } });
  } finally {
    clearInterval(beat);
  }
}

for (;;) {
  const polled = await post(`/v1/queues/${queue}/poll`, {
    worker: `node-${process.pid}`, functions: Object.keys(functions), wait: '30s', max: 10, slots: 10,
  });
  await Promise.all((polled?.jobs ?? []).map(work));
}
