// Stands before an upstream, hands everything on, and keeps what was asked.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';

export class Relay {
  static async start(target) {
    const relay = new Relay();
    relay.asked = [];
    relay.server = createServer((request, response) => relay.#hand(target, request, response));
    await new Promise((resolve) => relay.server.listen(0, '127.0.0.1', resolve));
    relay.url = `http://127.0.0.1:${relay.server.address().port}`;
    return relay;
  }

  async #hand(target, request, response) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces).toString();
    this.asked.push({ path: request.url, headers: request.headers, body: JSON.parse(body) });
    const { host, connection, 'content-length': length, 'accept-encoding': encoding, ...headers } = request.headers;
    const answer = await fetch(target + request.url, { method: request.method, headers, body });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type'), ...(answer.headers.get('retry-after') && { 'retry-after': answer.headers.get('retry-after') }) });
    Readable.fromWeb(answer.body).on('error', () => response.destroy()).pipe(response);
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
