// Secrets that a configuration names, as they could be seen somewhere: as they are, in URLs, and inside of something in base64, such as
// the user and password of `Authorization: Basic`.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const SHORTEST = 8; // bytes; what is shorter is found anywhere

// The base64 of a secret that begins at each of the three places of a group, without what its neighbours decide.
function insideBase64(secret) {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), secret]).toString('base64').replace(/=+$/, '');
    const end = (before + secret.length) % 3 === 0 ? text.length : text.length - 1;
    return text.slice(before === 0 ? 0 : before + 1, end);
  });
}

function formsOf(secret) {
  const inside = insideBase64(Buffer.from(secret));
  return [secret, encodeURIComponent(secret), ...inside, ...inside.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))];
}

export class Planted {
  constructor() {
    this.forms = new Map(); // form to name
  }

  add(name, secret) {
    const text = secret.trim();
    if (text.length < SHORTEST) return;
    for (const form of formsOf(text)) if (form.length >= SHORTEST) this.forms.set(form, name);
  }

  // What the section `secrets` of a configuration names.
  async addAll({ secrets = {} }) {
    for (const [name, where] of Object.entries(secrets)) {
      if (name === 'dir' || typeof where !== 'object') continue;
      const value = where.file ? await readFile(where.file, 'utf8').catch(() => '') : (process.env[where.env] ?? '');
      this.add(name, value);
    }
  }

  // It is an identifier, and outputs may show it.
  forget(name) {
    for (const [form, owner] of this.forms) if (owner === name) this.forms.delete(form);
  }

  // The name of a secret that is in `text`.
  find(text) {
    for (const [form, name] of this.forms) if (text.includes(form)) return name;
    return undefined;
  }

  check(text, where) {
    const name = this.find(text);
    if (name) throw new Error(`the secret ${name} is in ${where}`);
  }
}
