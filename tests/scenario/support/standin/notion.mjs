// Notion: pages with properties and blocks, and data sources. What is deleted goes to the trash.
import { pageOf } from './store.mjs';
import { Refusal } from './world.mjs';

export const ROOT = '195de922-1179-449f-ab80-75a27c979105';
export const SOURCE = '248104cd-477e-80af-bc30-000bd28de8f9';
const idOf = (kind, n) => `${kind === 'page' ? 'aaaaaaaa' : 'bbbbbbbb'}-0000-4000-8000-${String(n).padStart(12, '0')}`;
const found = (row) => { if (!row) throw new Refusal(404, 'object_not_found', 'Could not find object.'); return row; };

// A property as it is answered: it says its type.
const typed = (properties) => Object.fromEntries(Object.entries(properties).map(([name, value]) => {
  const type = Object.keys(value).find((key) => key !== 'id' && key !== 'type');
  return [name, { id: name, type, ...value }];
}));
const pageBody = (row) => ({ object: 'page', url: `https://notion.test/${row.id}`, in_trash: false, archived: false, ...row });

function paged(c, all) {
  const { items, next } = pageOf(all, Number(c.body?.start_cursor ?? 0), Math.min(c.body?.page_size ?? 100, 2));
  return { body: { object: 'list', results: items, next_cursor: next === undefined ? null : String(next), has_more: next !== undefined } };
}

function addBlocks(store, parent, children) {
  return children.map((child) => {
    const id = idOf('block', store.next('block'));
    return store.put('blocks', id, { object: 'block', id, parent, in_trash: false, ...child });
  });
}

const titleOf = ({ properties }) => Object.values(properties).flatMap(({ title }) => title ?? []).map(({ text }) => text.content).join('');

export const notion = {
  name: 'notion',
  secret: 'token',
  shown: { pages: (row) => (row.in_trash ? undefined : row), blocks: (row) => (row.in_trash ? undefined : row) },
  seed(store) {
    const title = (content) => ({ title: { title: [{ text: { content } }] } });
    store.put('pages', ROOT, { id: ROOT, parent: { workspace: true }, in_trash: false, properties: typed({ ...title('Research of commuters'), Done: { checkbox: false } }) });
    for (const content of ['Bikes', 'Trains', 'Trams']) {
      const id = idOf('page', store.next('page'));
      store.put('pages', id, { id, parent: { data_source_id: SOURCE }, in_trash: false, properties: typed({ ...title(content), Done: { checkbox: content === 'Trains' } }) });
    }
    const gone = idOf('page', store.next('page'));
    store.put('pages', gone, { id: gone, parent: { page_id: ROOT }, in_trash: true, properties: typed(title('Gone')) });
    addBlocks(store, ROOT, [{ type: 'paragraph', paragraph: { rich_text: [{ type: 'text', text: { content: 'Hello' } }] } }]);
  },
  allows: ({ headers }) => headers.authorization === 'Bearer secret-of-notion' && headers['notion-version'] === '2025-09-03',
  refuse: ({ status, code, message }) => ({ status, body: { object: 'error', status, code, message, request_id: 'r1' } }),
  routes: {
    'POST /v1/search': (c) => paged(c, c.store.list('pages', (row) => !row.in_trash && titleOf(row).toLowerCase().includes((c.body.query ?? '').toLowerCase())).map(pageBody)),
    'POST /v1/data_sources/:id/query': (c) => {
      const { filter } = c.body;
      const fits = ({ properties }) => !filter || properties[filter.property]?.checkbox === filter.checkbox.equals;
      return paged(c, c.store.list('pages', (row) => row.parent.data_source_id === c.params.id && !row.in_trash && fits(row)).map(pageBody));
    },
    'POST /v1/pages': (c) => {
      const { parent, properties, children = [] } = c.body;
      if (parent.page_id) found(c.store.get('pages', parent.page_id));
      const id = idOf('page', c.store.next('page'));
      const row = c.store.put('pages', id, { id, parent, in_trash: false, properties: typed(properties) });
      addBlocks(c.store, id, children);
      return { body: pageBody(row) };
    },
    'GET /v1/pages/:id': (c) => ({ body: pageBody(found(c.store.get('pages', c.params.id))) }),
    'GET /v1/pages/:id/markdown': (c) => {
      found(c.store.get('pages', c.params.id));
      const text = c.store.list('blocks', ({ parent, in_trash }) => parent === c.params.id && !in_trash).map(({ type, ...block }) => block[type].rich_text.map(({ text: { content } }) => content).join(''));
      return { body: { object: 'page_markdown', id: c.params.id, markdown: text.join('\n\n'), truncated: false, unknown_block_ids: [] } };
    },
    'PATCH /v1/pages/:id': (c) => {
      const row = found(c.store.get('pages', c.params.id));
      const { properties = {}, in_trash = row.in_trash } = c.body;
      return { body: pageBody(c.store.put('pages', row.id, { ...row, in_trash, properties: { ...row.properties, ...typed(properties) } })) };
    },
    'PATCH /v1/blocks/:id/children': (c) => {
      found(c.store.get('pages', c.params.id) ?? c.store.get('blocks', c.params.id));
      return { body: { object: 'list', results: addBlocks(c.store, c.params.id, c.body.children), next_cursor: null, has_more: false } };
    },
    'DELETE /v1/blocks/:id': (c) => ({ body: c.store.put('blocks', c.params.id, { ...found(c.store.get('blocks', c.params.id)), in_trash: true }) }),
  },
};
