// Shows JSON of the command line as text: demo.sh pipes it in. Needs nothing but Node.
import { readFileSync } from 'node:fs';

const text = readFileSync(0, 'utf8');
const shortName = (task = '') => task.split('/').at(-1);
const seconds = (ms) => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;

function wrap(paragraph, width = 92) {
  let line = ' ';
  const lines = [];
  for (const word of paragraph.split(/\s+/)) {
    if (line.length + word.length > width) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

// One line per call: what it was, how long it took with its attempts, tokens and cost.
function history() {
  const events = text.trim().split('\n').map((line) => JSON.parse(line));
  const calls = new Map();
  for (const event of events) {
    if (!event.job) continue;
    const call = calls.get(event.job) ?? { task: event.task, iteration: event.iteration, attempts: 1 };
    calls.set(event.job, call);
    call.attempts = Math.max(call.attempts, event.attempt ?? 1);
    if (event.type === 'job.scheduled') call.from ??= Date.parse(event.time);
    if (event.type === 'job.completed') Object.assign(call, { to: Date.parse(event.time), usage: event.data?.usage ?? {}, model: event.data?.output?.model });
  }
  console.log('  call               duration  attempts  tokens in   out  cost (USD)  model');
  for (const { task, iteration, from, to, attempts, usage = {}, model } of calls.values()) {
    const name = shortName(task) + (iteration ? `[${iteration}]` : '');
    const cost = usage.cost_usd ?? 'unknown';
    console.log(`  ${name.padEnd(18)} ${(to ? seconds(to - from) : '-').padStart(8)}  ${String(attempts).padStart(8)}  ${String(usage.input_tokens ?? '-').padStart(9)} ${String(usage.output_tokens ?? '-').padStart(5)}  ${String(cost).padStart(10)}  ${model ?? ''}`);
  }
}

function articles() {
  const run = JSON.parse(text);
  const isWhole = run.output.failures.length === 0; // then they stand in the order of the assistants
  run.output.articles.forEach((article, index) => {
    const by = isWhole ? ` (by ${run.input.assistants[index].name})` : '';
    console.log(`\n  ${index + 1}. ${article.title}${by}\n     ${article.description}\n`);
    console.log(wrap(article.body));
  });
  for (const { assistant, error } of run.output.failures) console.log(`\n  ${assistant} failed: ${error}`);
  console.log();
}

function totals() {
  const { usage, status, started_at: from, ended_at: to } = JSON.parse(text);
  const cost = usage.cost_usd === null ? 'unknown (no price for this model)' : `$${usage.cost_usd}`;
  console.log(`\n  ${status} after ${seconds(Date.parse(to) - Date.parse(from))}: ${usage.input_tokens} tokens in, ${usage.output_tokens} out, cost ${cost}${usage.simulated ? ' (simulated)' : ''}`);
}

const views = {
  articles,
  history,
  totals,
  status: () => console.log(JSON.parse(text || '{}').status),
  endpoint: () => console.log(JSON.parse(text)[process.argv[3]][process.argv[4]]),
};
views[process.argv[2]]();
