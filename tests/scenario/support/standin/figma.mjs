// Figma: one file with components, comments and variables; its pictures lie at an address of their own.
import { Refusal } from './world.mjs';

export const PICTURE = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const file = (c) => { if (c.params.file !== 'AbC123') throw new Refusal(404, 'not_found', 'Not found'); };

export const figma = {
  name: 'figma',
  secret: 'token',
  seed(store) {
    store.put('components', '1:2', { key: 'k1', file_key: 'AbC123', node_id: '1:2', name: 'Banner', description: 'wide' });
    store.put('comments', '1', { id: '1', message: 'Nice', user: { id: 'u1', handle: 'ada', img_url: '' }, created_at: '2026-01-01T00:00:00Z', resolved_at: null });
    store.last.set('comment', 1);
    store.put('variables', 'VariableID:1:2', { id: 'VariableID:1:2', name: 'accent', valuesByMode: { '1:0': 'old', '1:1': 'dark' } });
  },
  allows: ({ headers, path }) => (path.startsWith('/pictures/') ? headers['x-figma-token'] === undefined : headers['x-figma-token'] === 'secret-of-figma'),
  refuse: ({ status, message }) => ({ status: status === 401 ? 403 : status, body: { status, err: message } }),
  routes: {
    'GET /v1/images/:file': (c) => {
      file(c);
      const ids = c.query.get('ids').split(',');
      const address = (id) => (c.store.get('components', id) ? `${c.elsewhere}/pictures/${encodeURIComponent(id)}.${c.query.get('format')}` : null);
      return { body: { err: null, images: Object.fromEntries(ids.map((id) => [id, address(id)])) } };
    },
    'GET /pictures/:name': () => ({ raw: PICTURE, headers: { 'content-type': 'image/png' } }),
    'GET /v1/files/:file/components': (c) => { file(c); return { body: { status: 200, error: false, meta: { components: c.store.list('components') } } }; },
    'GET /v1/files/:file/nodes': (c) => {
      file(c);
      const nodes = Object.fromEntries(c.query.get('ids').split(',').map((id) => [id, c.store.get('components', id) ? { document: { id, name: c.store.get('components', id).name, type: 'COMPONENT' } } : null]));
      return { body: { name: 'Shop', version: '7', nodes } };
    },
    'GET /v1/files/:file/comments': (c) => { file(c); return { body: { comments: c.store.list('comments') } }; },
    'POST /v1/files/:file/comments': (c) => {
      file(c);
      if (c.body.comment_id && !c.store.get('comments', c.body.comment_id)) throw new Refusal(404, 'not_found', 'Not found');
      const id = String(c.store.next('comment'));
      return { body: c.store.put('comments', id, { id, ...c.body, user: { id: 'u2', handle: 'tutti' }, created_at: '2026-01-02T00:00:00Z' }) };
    },
    'DELETE /v1/files/:file/comments/:id': (c) => {
      file(c);
      if (!c.store.delete('comments', c.params.id)) throw new Refusal(404, 'not_found', 'Not found');
      return { body: { status: 200, error: false } };
    },
    'GET /v1/files/:file/variables/local': (c) => { file(c); return { body: { status: 200, error: false, meta: { variables: Object.fromEntries(c.store.table('variables')), variableCollections: {} } } }; },
    'POST /v1/files/:file/variables': (c) => {
      file(c);
      for (const { variableId, modeId, value } of c.body.variableModeValues) {
        const variable = c.store.get('variables', variableId);
        if (variable?.valuesByMode[modeId] === undefined) throw new Refusal(400, 'invalid', 'Invalid variable or mode');
        c.store.change('variables', variableId, { valuesByMode: { ...variable.valuesByMode, [modeId]: value } });
      }
      return { body: { status: 200, error: false, meta: { tempIdToRealId: {} } } };
    },
  },
};
