// Makes services/llm-proxy/prices.json of the dated public facts of genai-prices (data_slim.json, MIT).
//
//   node convert.mjs data_slim.json 2026-08-21 'genai-prices 47df840a' > ../prices.json
//
// What is carried over are facts: names of models, dollars per million tokens, tiers, dates. A fact that
// our table cannot express ends the script, so that nothing is left out in silence.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

// Where the vendors' own APIs are. Hosts of others that speak OpenAI's protocol have no entries here.
const VENDORS = {
  anthropic: { name: 'anthropic', hosts: ['api.anthropic.com'] },
  azure: { name: 'azure', hosts: ['*.openai.azure.com', '*.cognitiveservices.azure.com'] },
  cerebras: { name: 'cerebras', hosts: ['api.cerebras.ai'] },
  cohere: { name: 'cohere', hosts: ['api.cohere.com', 'api.cohere.ai'] },
  deepseek: { name: 'deepseek', hosts: ['api.deepseek.com'] },
  fireworks: { name: 'fireworks', hosts: ['api.fireworks.ai'] },
  google: { name: 'gemini', hosts: ['generativelanguage.googleapis.com'] },
  groq: { name: 'groq', hosts: ['api.groq.com'] },
  minimax: { name: 'minimax', hosts: ['api.minimax.io', 'api.minimaxi.com'] },
  mistral: { name: 'mistral', hosts: ['api.mistral.ai'] },
  moonshotai: { name: 'moonshotai', hosts: ['api.moonshot.ai', 'api.moonshot.cn'] },
  novita: { name: 'novita', hosts: ['api.novita.ai'] },
  openai: { name: 'openai', hosts: ['api.openai.com'] },
  openrouter: { name: 'openrouter', hosts: ['openrouter.ai'] },
  ovhcloud: { name: 'ovhcloud', hosts: ['oai.endpoints.kepler.ai.cloud.ovh.net'] },
  perplexity: { name: 'perplexity', hosts: ['api.perplexity.ai'] },
  together: { name: 'together', hosts: ['api.together.xyz'] },
  voyageai: { name: 'voyageai', hosts: ['api.voyageai.com'] },
  'x-ai': { name: 'x-ai', hosts: ['api.x.ai'] },
  zhipuai: { name: 'zhipuai', hosts: ['open.bigmodel.cn'] },
};

const MEMBERS = {
  input_mtok: 'input', output_mtok: 'output', cache_read_mtok: 'cache_read', cache_write_mtok: 'cache_write',
  input_audio_mtok: 'input_audio', output_audio_mtok: 'output_audio', cache_audio_read_mtok: 'cache_read_audio',
};

const fail = (text) => { throw new Error(text); };

// To six decimals, which are pico-dollars per token; a few facts are quotients such as 1/12.
export function decimal(number) {
  if (!(number >= 0 && number < 1e6)) fail(`${number} is no price`);
  return number.toFixed(6).replace(/\.?0+$/, '');
}

const escapeless = (regex) => {
  const match = /^\^((?:[A-Za-z0-9/-]|\\\.)+)(\\d(?:\{(\d+)\})?)?(\$?)$/.exec(regex) ?? fail(`the pattern ${regex} is not known here`);
  const [, literal, digits, count, end] = match;
  return literal.replaceAll('\\.', '.') + '#'.repeat(digits ? Number(count ?? 1) : 0) + (end ? '' : '*');
};

// `*` stands for any text, `#` for one digit.
export function names(match) {
  if (match.or) return match.or.flatMap(names);
  if (match.equals !== undefined) return [match.equals];
  if (match.starts_with !== undefined) return [`${match.starts_with}*`];
  if (match.ends_with !== undefined) return [`*${match.ends_with}`];
  if (match.contains !== undefined) return [`*${match.contains}*`];
  if (match.regex !== undefined) return [escapeless(match.regex)];
  return fail(`the match ${JSON.stringify(match)} is not known here`);
}

const at = (price, start) => {
  if (typeof price === 'number') return price;
  return price.tiers.filter((tier) => tier.start <= start).sort((a, b) => b.start - a.start)[0]?.price ?? price.base;
};

function rates(prices, start) {
  const mtok = {};
  for (const [member, name] of Object.entries(MEMBERS)) {
    if (prices[member] !== undefined) mtok[name] = decimal(at(prices[member], start));
  }
  return mtok;
}

export function period(prices, constraint) {
  const unknown = Object.keys(prices).find((key) => !MEMBERS[key] && key !== 'requests_kcount');
  if (unknown) fail(`the price ${unknown} is not known here`);
  const result = {};
  for (const [key, value] of Object.entries(constraint ?? {})) {
    if (key === 'start_date') result.from = value;
    else if (key === 'start_time') result.utc_from = /^(\d\d:\d\d):00Z$/.exec(value)?.[1] ?? fail(`the time ${value}`);
    else if (key === 'end_time') result.utc_to = /^(\d\d:\d\d):00Z$/.exec(value)?.[1] ?? fail(`the time ${value}`);
    else fail(`the constraint ${key} is not known here`);
  }
  result.usd_per_mtok = rates(prices, 0);
  if (prices.requests_kcount !== undefined) result.usd_per_1k = { requests: decimal(prices.requests_kcount) };
  const starts = [...new Set(Object.values(prices).flatMap((price) => price.tiers ?? []).map((tier) => tier.start))].sort((a, b) => a - b);
  if (starts.length > 0) result.above = starts.map((start) => ({ input_tokens: start, usd_per_mtok: rates(prices, start) }));
  return result;
}

export function convert(providers, asOf, source) {
  const hosts = {};
  const models = [];
  for (const provider of providers) {
    const vendor = VENDORS[provider.id];
    if (!vendor) continue;
    hosts[vendor.name] = vendor.hosts;
    const taken = new Set(); // the first entry that claims a name has it, as in the source
    for (const model of provider.models) {
      const list = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
      const match = names(model.match).filter((name) => name !== model.id && !taken.has(name.toLowerCase()));
      [model.id, ...match].forEach((name) => taken.add(name.toLowerCase()));
      models.push({
        provider: vendor.name, id: model.id,
        ...(match.length > 0 ? { match: [...new Set(match)] } : {}),
        ...(model.context_window ? { context: model.context_window } : {}),
        prices: list.map((one) => period(one.prices, one.constraint)),
      });
    }
  }
  return { as_of: asOf, source, hosts, models };
}

export function print({ models, ...head }) {
  const rest = JSON.stringify(head, null, 1).slice(0, -2);
  return `${rest},\n "models": [\n${models.map((model) => `  ${JSON.stringify(model)}`).join(',\n')}\n ]\n}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [file, asOf, source] = process.argv.slice(2);
  if (!source) fail('usage: node convert.mjs data_slim.json DATE SOURCE');
  process.stdout.write(print(convert(JSON.parse(readFileSync(file, 'utf8')), asOf, source)));
}
