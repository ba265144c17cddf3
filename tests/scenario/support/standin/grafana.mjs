// Grafana: dashboards with versions, folders, annotations and alert rules.
import { Refusal } from './world.mjs';

const found = (row, what) => { if (!row) throw new Refusal(404, 'not_found', `${what} not found`); return row; };
const pathOf = (uid, title) => `/d/${uid}/${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;

export const grafana = {
  name: 'grafana',
  secret: 'token',
  // A dashboard that was put back has a later version.
  shown: { dashboards: ({ version, ...row }) => row }, // eslint-disable-line
  seed(store) {
    store.put('folders', 'f1', { uid: 'f1', title: 'Shop' });
    store.put('dashboards', 'd1', { uid: 'd1', model: { uid: 'd1', title: 'Sales', panels: [{ type: 'text' }] }, folder: 'f1', version: 3 });
    store.put('annotations', 1, { text: 'old' });
    store.last.set('annotation', 1);
    store.put('rules', 'r0', { uid: 'r0', title: 'Old', folderUID: 'f1' });
  },
  allows: ({ headers }) => headers.authorization === 'Bearer secret-of-grafana',
  refuse: ({ status, code, message }) => ({ status, body: { message, status: code } }),
  routes: {
    'POST /api/dashboards/db': (c) => {
      const { dashboard, folderUid, overwrite } = c.body;
      const { uid, title, ...more } = dashboard;
      const old = c.store.get('dashboards', uid);
      if (!title) throw new Refusal(400, 'empty-name', 'Dashboard title cannot be empty');
      if (folderUid) found(c.store.get('folders', folderUid), 'folder');
      if (old && !overwrite) throw new Refusal(412, 'name-exists', 'A dashboard with the same uid already exists');
      const version = (old?.version ?? 0) + 1;
      c.store.put('dashboards', uid, { uid, model: { uid, title, ...more }, folder: folderUid, version });
      return { body: { id: 1, uid, url: pathOf(uid, title), status: 'success', version, slug: 's' } };
    },
    'GET /api/dashboards/uid/:uid': (c) => {
      const { model, folder, version } = found(c.store.get('dashboards', c.params.uid), 'Dashboard');
      return { body: { dashboard: { id: 1, ...model, version }, meta: { folderUid: folder, url: pathOf(model.uid, model.title) } } };
    },
    'DELETE /api/dashboards/uid/:uid': (c) => { if (!c.store.delete('dashboards', c.params.uid)) found(undefined, 'Dashboard'); return { body: { message: 'deleted' } }; },
    'GET /api/search': (c) => ({ body: c.store.list('dashboards', ({ model }) => model.title.toLowerCase().includes((c.query.get('query') ?? '').toLowerCase())).map(({ uid, model, folder }) => ({ id: 1, uid, title: model.title, url: pathOf(uid, model.title), type: 'dash-db', folderUid: folder })) }),
    'POST /api/folders': (c) => {
      if (c.store.get('folders', c.body.uid)) throw new Refusal(412, 'name-exists', 'a folder with the same uid already exists');
      c.store.put('folders', c.body.uid, c.body);
      return { body: { ...c.body, url: `/dashboards/f/${c.body.uid}/${c.body.title}` } };
    },
    'GET /api/folders/:uid': (c) => { const row = found(c.store.get('folders', c.params.uid), 'folder'); return { body: { ...row, url: `/dashboards/f/${row.uid}/${row.title}` } }; },
    'DELETE /api/folders/:uid': (c) => {
      found(c.store.get('folders', c.params.uid), 'folder');
      if (c.store.list('rules', ({ folderUID }) => folderUID === c.params.uid).length > 0) throw new Refusal(400, 'folder-not-empty', 'folder contains alert rules');
      for (const [uid, row] of c.store.table('dashboards')) if (row.folder === c.params.uid) c.store.delete('dashboards', uid);
      c.store.delete('folders', c.params.uid);
      return { body: { message: 'Folder deleted' } };
    },
    'POST /api/annotations': (c) => {
      const id = c.store.next('annotation');
      const { time, ...row } = c.body; // eslint-disable-line
      c.store.put('annotations', id, row);
      return { body: { message: 'Annotation added', id } };
    },
    'DELETE /api/annotations/:id': (c) => { if (!c.store.delete('annotations', Number(c.params.id))) found(undefined, 'annotation'); return { body: { message: 'Annotation deleted' } }; },
    'POST /api/v1/provisioning/alert-rules': (c) => {
      if (c.store.get('rules', c.body.uid)) throw new Refusal(409, 'conflict', 'an alert rule with this uid exists');
      found(c.store.get('folders', c.body.folderUID), 'folder');
      return { status: 201, body: c.store.put('rules', c.body.uid, c.body) };
    },
    'GET /api/v1/provisioning/alert-rules/:uid': (c) => ({ body: found(c.store.get('rules', c.params.uid), 'rule') }),
    'DELETE /api/v1/provisioning/alert-rules/:uid': (c) => { c.store.delete('rules', c.params.uid); return { status: 204 }; },
  },
};
