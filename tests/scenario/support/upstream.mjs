// An HTTP server of the outside world that counts what reaches it.
import { createServer } from 'node:http';

export class Upstream {
  // `handle(request, count)` gets {method, path, query, headers, body} and how many times this path was
  // asked for, this one included; it returns {status, headers, body} or nothing for 200 {}; `text` goes out as it is, each of `parts` (may be async) when it is there, `silent` never; `cut` ends the connection instead.
  static async start(handle = () => {}, host = '127.0.0.1') {
    const upstream = new Upstream();
    upstream.requests = [];
    upstream.counts = new Map();
    upstream.server = createServer((message, answer) => {
      const chunks = [];
      message.on('data', (chunk) => chunks.push(chunk));
      message.on('end', async () => {
        const url = new URL(message.url, 'http://x');
        const count = (upstream.counts.get(url.pathname) ?? 0) + 1;
        upstream.counts.set(url.pathname, count);
        const request = { method: message.method, path: url.pathname, query: url.searchParams, headers: message.headers, body: Buffer.concat(chunks).toString(), at: Date.now() };
        upstream.requests.push(request);
        const result = (await handle(request, count)) ?? {};
        if (result.silent) {
          message.socket.once('close', () => { request.isGone = true; });
          return;
        }
        if (result.cut) {
          message.socket.destroy();
          return;
        }
        answer.writeHead(result.status ?? 200, { 'content-type': 'application/json', ...result.headers });
        for await (const part of result.parts ?? []) answer.write(part);
        answer.end(result.text ?? (result.parts ? '' : JSON.stringify(result.body ?? {})));
      });
    });
    await new Promise((resolve) => upstream.server.listen(0, host, resolve));
    upstream.url = `http://${host}:${upstream.server.address().port}`;
    return upstream;
  }

  count(path) {
    return this.counts.get(path) ?? 0;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
