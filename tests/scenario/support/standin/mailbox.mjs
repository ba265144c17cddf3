// A mail server of another make, as a stand-in: what arrived is its state.
import { loadSmtpServer } from '../packages.mjs';
import { anonymous } from './store.mjs';

const service = { name: 'smtp', secret: 'password' };

export class Mailbox {
  static async start() {
    const { SMTPServer } = loadSmtpServer();
    const box = new Mailbox();
    box.service = service;
    box.complaints = [];
    box.reset();
    box.server = new SMTPServer({
      authMethods: ['PLAIN', 'LOGIN'], allowInsecureAuth: true, hideSTARTTLS: true, disableReverseLookup: true,
      onAuth: (auth, session, done) => (auth.password === 'secret-of-smtp' ? done(null, { user: auth.username }) : done(Object.assign(new Error('no'), { responseCode: 535 }))),
      onData: (stream, session, done) => {
        const chunks = [];
        stream.on('data', (chunk) => chunks.push(chunk));
        stream.on('end', () => box.take(session, Buffer.concat(chunks).toString(), done));
      },
    });
    box.server.on('error', () => {}); // connections that are cut
    await new Promise((resolve) => box.server.listen(0, '127.0.0.1', resolve));
    service.settings = { host: '127.0.0.1', port: box.server.server.address().port, tls: 'none', user: 'shop', from: 'shop@example.com' };
    return box;
  }

  // The mail is taken; with a cut nobody hears of it.
  take(session, text, done) {
    const [, subject] = /^Subject: (.*)\r$/m.exec(text) ?? [];
    this.store.mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), subject, text });
    this.store.effects++;
    if (!this.isCutting) return done(null, 'taken');
    this.isCutting = false;
    for (const connection of this.server.connections) connection._socket.destroy();
    return undefined;
  }

  reset() {
    this.store = { mails: [], effects: 0 };
    this.isCutting = false;
  }

  cutChange() {
    this.isCutting = true;
  }

  snapshot() {
    return anonymous(this.store.mails.map(({ to, subject }) => ({ to, subject })));
  }

  stop() {
    return new Promise((resolve) => this.server.close(resolve));
  }
}
