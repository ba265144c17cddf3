// A reader of server-sent events that remembers where it stands, as a browser does.
import { request } from 'node:http';

export class EventStream {
  constructor(suite, path) {
    this.suite = suite;
    this.path = path;
    this.lastId = null;
    this.events = []; // all of them, over all connections
    this.connections = 0;
  }

  // Follows until the server ends the stream. Resolves to 'end' (an end event, or 204: nothing is
  // left) or 'lost' (the connection broke: connect again).
  connect() {
    return new Promise((resolve, reject) => {
      const url = new URL(this.suite.url + this.path);
      const headers = { authorization: `Bearer ${this.suite.key}`, accept: 'text/event-stream' };
      if (this.lastId !== null) headers['last-event-id'] = this.lastId;
      const outgoing = request(url, { headers }, (answer) => {
        if (answer.statusCode === 204) return answer.resume().on('end', () => resolve('end'));
        if (answer.statusCode !== 200) {
          answer.resume();
          return answer.statusCode >= 500 ? resolve('lost') : reject(new Error(`${this.path}: ${answer.statusCode}`));
        }
        this.connections++;
        let text = '';
        let isOver = false;
        answer.setEncoding('utf8');
        answer.on('data', (chunk) => {
          text += chunk;
          const secret = this.suite.planted?.find(text); // whole, so that none is missed between two pieces
          if (secret) return reject(new Error(`the secret ${secret} is in the events of ${this.path}`));
          for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
            isOver = this.#take(text.slice(0, at)) || isOver;
            text = text.slice(at + 2);
          }
        });
        answer.on('error', () => resolve(isOver ? 'end' : 'lost'));
        answer.on('close', () => resolve(isOver ? 'end' : 'lost'));
      });
      outgoing.on('error', () => resolve('lost'));
      outgoing.end();
    });
  }

  #take(block) {
    const event = { event: 'message', data: '' };
    for (const line of block.split('\n')) {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === 'id') event.id = this.lastId = value;
      if (name === 'event') event.event = value;
      if (name === 'data') event.data += value;
    }
    if (event.data === '') return false;
    event.data = JSON.parse(event.data);
    this.events.push(event);
    return event.event === 'end';
  }
}
