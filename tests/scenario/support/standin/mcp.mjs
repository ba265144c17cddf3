// A server of the Model Context Protocol (2026-07-28) with notes: a tool that writes one, resources to read them, a prompt.
import { Refusal } from './world.mjs';

const text = (words) => [{ type: 'text', text: words }];
const uriOf = (name) => `note://${name}`;

const methods = {
  'tools/list': () => ({ tools: [{ name: 'add_note', description: 'Adds a note', inputSchema: { type: 'object' } }] }),
  'tools/call': ({ store }, { name, arguments: given }) => {
    if (name !== 'add_note') throw new Refusal(400, -32602, 'Unknown tool');
    store.put('notes', given.name, { text: given.text });
    return { content: text('added'), structuredContent: { name: given.name } };
  },
  'resources/list': ({ store }) => ({ resources: Object.keys(store.snapshot().notes ?? {}).map((name) => ({ uri: uriOf(name), name })) }),
  'resources/read': (c, { uri }) => ({ contents: [{ uri, text: c.store.get('notes', uri.slice('note://'.length)).text }] }),
  'prompts/list': () => ({ prompts: [{ name: 'summary' }] }),
  'prompts/get': (c, { name }) => ({ description: name, messages: [{ role: 'user', content: { type: 'text', text: 'Sum up.' } }] }),
};

export const mcp = {
  name: 'mcp',
  secret: 'token',
  base: null,
  settingsOf: (url) => ({ url: `${url}/mcp` }),
  seed(store) { store.put('notes', 'a', { text: 'first' }); },
  allows: ({ headers }) => headers.authorization === 'Bearer secret-of-mcp',
  refuse: ({ status, code, message }) => ({ status, body: typeof code === 'number' ? { jsonrpc: '2.0', id: null, error: { code, message } } : {} }),
  routes: {
    'POST /mcp': (c) => {
      const { id, method, params } = c.body;
      const said = { version: params._meta['io.modelcontextprotocol/protocolVersion'], method, name: params.name ?? params.uri };
      const shown = { version: c.headers['mcp-protocol-version'], method: c.headers['mcp-method'], name: c.headers['mcp-name'] };
      if (JSON.stringify(said) !== JSON.stringify(shown)) throw new Refusal(400, -32020, 'Header mismatch');
      if (!methods[method]) throw new Refusal(404, -32601, 'Method not found');
      return { body: { jsonrpc: '2.0', id, result: { resultType: 'complete', ...methods[method](c, params) } } };
    },
  },
};
