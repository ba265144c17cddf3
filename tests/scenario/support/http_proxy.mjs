// A forward proxy: tunnels by CONNECT for https, whole addresses for http (RFC 9110, sections 7.6 and 9.3.6). With `user` it wants a password.
import { createServer, request } from 'node:http';
import { connect } from 'node:net';

export class HttpProxy {
  static async start({ user } = {}) {
    const proxy = new HttpProxy();
    proxy.seen = []; // "CONNECT localhost:443", "GET http://127.0.0.1:80/x"
    proxy.refused = 0;
    const sockets = new Set();
    const isKnown = ({ headers }) => !user || headers['proxy-authorization'] === `Basic ${Buffer.from(user).toString('base64')}`;
    proxy.server = createServer((message, answer) => {
      if (!isKnown(message)) {
        proxy.refused++;
        answer.writeHead(407, { 'proxy-authenticate': 'Basic realm="proxy"' }).end();
        return;
      }
      proxy.seen.push(`${message.method} ${message.url}`);
      const { 'proxy-authorization': _, ...headers } = message.headers;
      const onward = request(message.url, { method: message.method, headers }, (from) => { answer.writeHead(from.statusCode, from.headers); from.pipe(answer); });
      onward.on('error', () => answer.writeHead(502).end());
      message.pipe(onward);
    });
    proxy.server.on('connect', (message, socket, head) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      if (!isKnown(message)) {
        proxy.refused++;
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="proxy"\r\ncontent-length: 0\r\n\r\n');
        return;
      }
      proxy.seen.push(`CONNECT ${message.url}`);
      const { hostname, port } = new URL(`http://${message.url}`);
      const onward = connect(port || 80, hostname, () => { socket.write('HTTP/1.1 200 Connected\r\nx-proxy: yes\r\n\r\n'); onward.write(head); socket.pipe(onward).pipe(socket); });
      onward.on('error', () => socket.destroy());
      socket.on('close', () => onward.destroy());
    });
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    proxy.address = `127.0.0.1:${proxy.server.address().port}`;
    proxy.end = () => { for (const socket of sockets) socket.destroy(); };
    return proxy;
  }

  async stop() {
    this.end();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
