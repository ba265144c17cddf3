// Slack: messages, threads, reactions, scheduled messages and files. Whatever happens the status is 200, and `ok` says it.
import { pageOf } from './store.mjs';
import { Refusal } from './world.mjs';

const no = (code) => new Refusal(200, code);
const idOf = (channel, ts) => `${channel} ${ts}`;
const find = (c, channel, ts) => {
  const row = c.store.get('messages', idOf(channel, ts));
  if (!row) throw no('message_not_found');
  return row;
};
const channelOf = (c, id) => { if (!c.store.get('channels', id)) throw no('channel_not_found'); return id; };

function post(store, row) {
  const ts = `${Math.floor(Date.now() / 1000)}.${String(store.next('ts')).padStart(6, '0')}`;
  return store.put('messages', idOf(row.channel, ts), { ...row, ts });
}

// Newest first, as Slack lists them.
function listed(c, test) {
  const from = (name) => c.query.get(name) ?? undefined;
  const inside = ({ ts }) => {
    const isInclusive = from('inclusive') === 'true';
    const late = from('latest') === undefined || Number(ts) < Number(from('latest')) || (isInclusive && ts === from('latest'));
    const early = from('oldest') === undefined || Number(ts) > Number(from('oldest')) || (isInclusive && ts === from('oldest'));
    return late && early;
  };
  const hasMetadata = from('include_all_metadata') === 'true';
  const all = c.store.list('messages', (row) => row.channel === from('channel') && test(row)).filter((row) => inside(row) || row.ts === from('ts'));
  const shown = all.sort((a, b) => Number(b.ts) - Number(a.ts)).map(({ metadata, reactions, channel, ...row }) => ({ type: 'message', ...row, ...(hasMetadata ? { metadata } : {}) })); // eslint-disable-line
  return paged(c, 'messages', shown);
}

function paged(c, name, all) {
  const { items, next } = pageOf(all, Number(c.query.get('cursor') ?? 0), Math.min(Number(c.query.get('limit') ?? 100), 2));
  return { body: { ok: true, [name]: items, has_more: next !== undefined, response_metadata: { next_cursor: next === undefined ? '' : String(next) } } };
}

export const slack = {
  name: 'slack',
  secret: 'token',
  base: '/api',
  seed(store) {
    for (const name of ['general', 'reviews', 'random']) store.put('channels', `C${name}`, { id: `C${name}`, name });
    store.put('messages', 'Cgeneral 1700000000.000100', { channel: 'Cgeneral', ts: '1700000000.000100', text: 'old', blocks: undefined, reactions: [] });
    store.put('messages', 'Cgeneral 1700000000.000200', { channel: 'Cgeneral', ts: '1700000000.000200', thread_ts: '1700000000.000100', text: 'a reply', reactions: ['tada'] });
    store.put('messages', 'Cgeneral 1600000000.000050', { channel: 'Cgeneral', ts: '1600000000.000050', text: 'older', reactions: [] });
    store.put('scheduled', 'Q0', { channel: 'Cgeneral', text: 'later', post_at: 4000000000 });
    store.put('files', 'F0', { filename: 'old.txt', content: Buffer.from('x'), channel: 'Cgeneral', title: 'old.txt' });
  },
  allows: ({ headers, path }) => path.startsWith('/upload/') === (headers.authorization === undefined) && (path.startsWith('/upload/') || headers.authorization === 'Bearer secret-of-slack'),
  refuse: ({ status, code }) => ({ status: status === 401 ? 200 : status, body: { ok: false, error: status === 401 ? 'invalid_auth' : status === 404 ? 'unknown_method' : code } }),
  // A slot for a file that nothing came into is nothing yet.
  shown: { slots: () => undefined },
  routes: {
    'POST /api/chat.postMessage': (c) => {
      const { channel, text, blocks, thread_ts, metadata } = c.body;
      if (!text && !blocks) throw no('no_text');
      const row = post(c.store, { channel: channelOf(c, channel), text, blocks, thread_ts, metadata, reactions: [] });
      return { body: { ok: true, channel, ts: row.ts, message: { text } } };
    },
    'POST /api/chat.update': (c) => {
      const { channel, ts, text, blocks } = c.body;
      const row = find(c, channelOf(c, channel), ts);
      c.store.put('messages', idOf(channel, ts), { ...row, text: text ?? row.text, blocks });
      return { body: { ok: true, channel, ts, text } };
    },
    'POST /api/chat.delete': (c) => {
      find(c, c.body.channel, c.body.ts);
      c.store.delete('messages', idOf(c.body.channel, c.body.ts));
      return { body: { ok: true, channel: c.body.channel, ts: c.body.ts } };
    },
    'GET /api/conversations.history': (c) => listed(c, (row) => !row.thread_ts),
    'GET /api/conversations.replies': (c) => {
      const asked = find(c, channelOf(c, c.query.get('channel')), c.query.get('ts'));
      const parent = asked.thread_ts ?? asked.ts;
      return listed(c, (row) => row.ts === parent || row.thread_ts === parent);
    },
    'GET /api/conversations.list': (c) => paged(c, 'channels', c.store.list('channels')),
    'POST /api/chat.scheduleMessage': (c) => {
      if (c.body.post_at < Date.now() / 1000) throw no('time_in_past');
      const id = `Q${c.store.next('scheduled')}`;
      c.store.put('scheduled', id, c.body);
      return { body: { ok: true, channel: channelOf(c, c.body.channel), scheduled_message_id: id, post_at: c.body.post_at } };
    },
    'POST /api/chat.deleteScheduledMessage': (c) => {
      if (!c.store.delete('scheduled', c.body.scheduled_message_id)) throw no('invalid_scheduled_message_id');
      return { body: { ok: true } };
    },
    'GET /api/auth.test': () => ({ body: { ok: true, user_id: 'U1', team_id: 'T1', bot_id: 'B1' } }),
    'GET /api/reactions.get': (c) => {
      const { ts, reactions } = find(c, c.query.get('channel'), c.query.get('timestamp'));
      const shown = reactions.map((name) => ({ name, users: ['U1'], count: 1 }));
      return { body: { ok: true, type: 'message', message: { ts, reactions: [...shown, { name: 'heart', users: ['U2'], count: 1 }] } } };
    },
    'POST /api/reactions.add': (c) => {
      const { channel, timestamp, name } = c.body;
      const { reactions } = find(c, channel, timestamp);
      if (reactions.includes(name)) throw no('already_reacted');
      c.store.change('messages', idOf(channel, timestamp), { reactions: [...reactions, name] });
      return { body: { ok: true } };
    },
    'POST /api/reactions.remove': (c) => {
      const { channel, timestamp, name } = c.body;
      const { reactions } = find(c, channel, timestamp);
      if (!reactions.includes(name)) throw no('no_reaction');
      c.store.change('messages', idOf(channel, timestamp), { reactions: reactions.filter((one) => one !== name) });
      return { body: { ok: true } };
    },
    'GET /api/files.getUploadURLExternal': (c) => {
      const id = `F${c.store.next('file')}`;
      c.store.put('slots', id, { filename: c.query.get('filename'), length: Number(c.query.get('length')) });
      return { body: { ok: true, upload_url: `${c.elsewhere}/upload/${id}`, file_id: id } };
    },
    'POST /upload/:id': (c) => {
      const slot = c.store.get('slots', c.params.id);
      if (!slot || c.raw.length !== slot.length) throw new Refusal(400, 'wrong_length');
      c.store.change('slots', c.params.id, { content: c.raw });
      return { text: `OK - ${slot.length}` };
    },
    'POST /api/files.completeUploadExternal': (c) => {
      for (const { id, title } of c.body.files) {
        const { filename, content } = c.store.get('slots', id) ?? {};
        if (!content) throw no('file_not_found');
        c.store.put('files', id, { filename, content, title, channel: c.body.channel_id });
      }
      return { body: { ok: true, files: c.body.files } };
    },
    'POST /api/files.delete': (c) => {
      if (!c.store.delete('files', c.body.file)) throw no('file_not_found');
      return { body: { ok: true } };
    },
  },
};
