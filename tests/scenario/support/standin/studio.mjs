// What makes pictures and texts for a campaign: a renderer of HTML, and a model that answers in the shape it is asked for.
import { Upstream } from '../upstream.mjs';
import { PICTURE } from './figma.mjs';

// The adapter `browser` of renderer/browser.yaml.
export const renderer = {
  name: 'browser',
  seed() {},
  allows: () => true,
  refuse: ({ status, message }) => ({ status, body: { error: message } }),
  routes: { 'POST /render': () => ({ raw: PICTURE, headers: { 'content-type': 'image/png' } }) },
};

export const COPY = { headline: 'Wheels', subjects: { a: 'Roll', b: 'Turn' }, email: '<p>Roll with us</p>', post: 'Roll!', article: 'A long text about wheels.' };

function embedding(text) {
  const vector = new Array(8).fill(0.01);
  for (const byte of Buffer.from(text)) vector[byte % 8] += 1;
  return vector;
}

// A provider that speaks as OpenAI does.
export function startModel(key) {
  return Upstream.start(({ path, body, headers }) => {
    if (headers.authorization !== `Bearer ${key}`) return { status: 401, body: { error: { message: 'Incorrect API key provided' } } };
    const { input } = JSON.parse(body);
    if (path.endsWith('/embeddings')) {
      return { body: { object: 'list', model: 'letters', data: input.map((text, index) => ({ object: 'embedding', index, embedding: embedding(text) })), usage: { prompt_tokens: 1, total_tokens: 1 } } };
    }
    const message = { role: 'assistant', content: JSON.stringify(COPY) };
    return { body: { id: 'c1', object: 'chat.completion', created: 1, model: 'writer', choices: [{ index: 0, message, finish_reason: 'stop' }], usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 } } };
  });
}
