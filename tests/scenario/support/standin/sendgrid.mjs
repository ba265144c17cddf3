// SendGrid: mails, also those that wait for their time, campaigns and contacts.
import { Refusal } from './world.mjs';

const found = (row) => { if (!row) throw new Refusal(404, 'not_found', 'resource not found'); return row; };
const now = () => Math.floor(Date.now() / 1000);

export const sendgrid = {
  name: 'sendgrid',
  secret: 'api_key',
  settings: { from: 'shop@example.com' },
  // A mail that was cancelled before its time is never sent; a batch is a name for mails.
  shown: { batches: () => undefined, cancelled: () => undefined, campaigns: ({ updated_at, ...row }) => row }, // eslint-disable-line
  seed(store) {
    store.put('campaigns', 'c1', { id: 'c1', name: 'Spring', status: 'draft', email_config: { subject: 'Hi' } });
    store.put('campaigns', 'c2', { id: 'c2', name: 'Summer', status: 'scheduled', send_at: '2099-01-02T10:00:00Z' });
    store.put('contacts', 'ada@example.com', { id: 'p1', email: 'ada@example.com', first_name: 'Ada' });
    store.last.set('contact', 1);
    store.put('batches', 'b0', { status: 'open' });
    store.put('mails', 'm0', { batch_id: 'b0', to: ['old@example.com'], send_at: 4000000000 });
  },
  allows: ({ headers }) => headers.authorization === 'Bearer secret-of-sendgrid',
  refuse: ({ status, message }) => ({ status, body: { errors: [{ message, field: null, help: null }] } }),
  headers: ({ journal }) => ({ 'x-ratelimit-limit': '600', 'x-ratelimit-remaining': String(599 - journal.length), 'x-ratelimit-reset': String(now() + 60) }),
  routes: {
    'POST /v3/mail/batch': (c) => {
      const id = `b${c.store.next('batch')}`;
      c.store.put('batches', id, { status: 'open' });
      return { status: 201, body: { batch_id: id } };
    },
    'POST /v3/mail/send': (c) => {
      const { personalizations, send_at, batch_id, ...mail } = c.body;
      if (batch_id) found(c.store.get('batches', batch_id));
      if (send_at && send_at > now() + 72 * 3600) throw new Refusal(400, 'bad_request', 'send_at is more than 72 hours ahead');
      const id = `m${c.store.next('mail')}`;
      c.store.put('mails', id, { ...mail, to: personalizations.flatMap(({ to }) => to.map(({ email }) => email)), waits: send_at > now(), batch_id });
      return { status: 202, headers: { 'x-message-id': id } };
    },
    'POST /v3/user/scheduled_sends': (c) => {
      const { batch_id, status } = c.body;
      if (c.store.get('cancelled', batch_id)) throw new Refusal(400, 'bad_request', 'a cancel or pause for this batch_id already exists');
      c.store.put('cancelled', batch_id, { status });
      for (const [id, row] of c.store.table('mails')) if (row.batch_id === batch_id) c.store.delete('mails', id);
      return { status: 201, body: { batch_id, status } };
    },
    'POST /v3/marketing/singlesends': (c) => {
      const id = `s${c.store.next('campaign')}`;
      return { status: 201, body: c.store.put('campaigns', id, { id, status: 'draft', ...c.body }) };
    },
    'GET /v3/marketing/singlesends/:id': (c) => ({ body: found(c.store.get('campaigns', c.params.id)) }),
    'DELETE /v3/marketing/singlesends/:id': (c) => { if (!c.store.delete('campaigns', c.params.id)) found(); return { status: 204 }; },
    'PUT /v3/marketing/singlesends/:id/schedule': (c) => {
      const row = found(c.store.get('campaigns', c.params.id));
      c.store.put('campaigns', row.id, { ...row, status: 'scheduled', send_at: c.body.send_at });
      return { status: 201, body: { status: 'scheduled', send_at: c.body.send_at } };
    },
    'DELETE /v3/marketing/singlesends/:id/schedule': (c) => {
      const { send_at, ...row } = found(c.store.get('campaigns', c.params.id)); // eslint-disable-line
      c.store.put('campaigns', row.id, { ...row, status: 'draft' });
      return { status: 204 };
    },
    'POST /v3/marketing/contacts/search/emails': (c) => {
      const hits = c.body.emails.map((email) => email.toLowerCase()).filter((email) => c.store.get('contacts', email));
      if (hits.length === 0) throw new Refusal(404, 'not_found', 'no contacts found');
      return { body: { result: Object.fromEntries(hits.map((email) => [email, { contact: c.store.get('contacts', email) }])) } };
    },
    'PUT /v3/marketing/contacts': (c) => {
      for (const contact of c.body.contacts) {
        const email = contact.email.toLowerCase();
        const id = c.store.get('contacts', email)?.id ?? `p${c.store.next('contact')}`;
        c.store.put('contacts', email, { ...c.store.get('contacts', email), ...contact, email, id });
      }
      return { status: 202, body: { job_id: `j${c.store.next('job')}` } };
    },
    'DELETE /v3/marketing/contacts': (c) => {
      const ids = c.query.get('ids').split(',');
      for (const [email, row] of c.store.table('contacts')) if (ids.includes(row.id)) c.store.delete('contacts', email);
      return { status: 202, body: { job_id: `j${c.store.next('job')}` } };
    },
    'GET /v3/marketing/stats/singlesends/:id': (c) => { found(c.store.get('campaigns', c.params.id)); return { body: { results: [{ id: c.params.id, stats: { opens: 3 } }], _metadata: {} } }; },
  },
};
