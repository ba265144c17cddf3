// A server that means no good, over plain sockets: what it does is the path that it is asked for.
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';

const BLOCK = Buffer.alloc(64 << 10, 'a');
const BOMB = gzipSync(Buffer.alloc(64 << 20)); // 64 KiB that become 64 MiB
const OK = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n';
const json = (text) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;

// Writes for as long as somebody reads.
function endless(socket, piece) {
  const more = () => { while (!socket.destroyed && socket.write(piece)); };
  socket.on('drain', more);
  more();
}

const deeds = {
  headers: (socket) => { socket.write(OK); endless(socket, `x-more: ${'a'.repeat(1000)}\r\n`); },
  line: (socket) => { socket.write(`${OK}x-long: `); endless(socket, BLOCK); },
  interim: (socket) => endless(socket, 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'),
  body: (socket) => { socket.write(`${OK}content-length: 10737418240\r\n\r\n`); endless(socket, BLOCK); },
  chunks: (socket) => { socket.write(`${OK}transfer-encoding: chunked\r\n\r\n`); endless(socket, Buffer.concat([Buffer.from('10000\r\n'), BLOCK, Buffer.from('\r\n')])); },
  bomb: (socket) => socket.write(Buffer.concat([Buffer.from(`${OK}content-encoding: gzip\r\ncontent-length: ${BOMB.length}\r\n\r\n`), BOMB])),
  slow: (socket) => { socket.write(`${OK}content-length: 100\r\n\r\n`); const timer = setInterval(() => socket.write('a'), 60_000); socket.on('close', () => clearInterval(timer)); },
  silent: () => {},
  garbage: (socket) => socket.end(Buffer.from([0xff, 0, 1, 2, 10, 10, 13])),
  cut: (socket) => socket.end(`${OK}content-length: 100\r\n\r\nabc`),
  deep: (socket) => socket.end(json('['.repeat(100_000))),
  wide: (socket) => socket.end(json(`[${'0,'.repeat(120_000)}0]`)),
  bytes: (socket) => socket.end(Buffer.concat([Buffer.from(`${OK}content-length: 4\r\n\r\n`), Buffer.from([0x61, 0xff, 0xc0, 0x62])])),
  echo: (socket, head) => {
    const text = JSON.stringify({ message: `you sent ${head}` });
    socket.end(`HTTP/1.1 422 No\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  },
  fine: (socket) => socket.end(json('{"well":true}')),
};

export class Hostile {
  static async start() {
    const hostile = new Hostile();
    hostile.most = new Map(); // bytes that were taken by somebody, by path
    hostile.counts = new Map();
    hostile.server = createServer((socket) => {
      let head = '';
      socket.on('error', () => {});
      socket.on('data', (data) => {
        head += data;
        if (!head.includes('\r\n\r\n')) return;
        const [, name] = /^[A-Z]+ \/(\w+)/.exec(head) ?? [];
        hostile.counts.set(name, (hostile.counts.get(name) ?? 0) + 1);
        socket.on('close', () => hostile.most.set(name, Math.max(hostile.most.get(name) ?? 0, socket.bytesWritten)));
        deeds[name]?.(socket, head);
        head = '';
      });
    });
    await new Promise((resolve) => hostile.server.listen(0, '127.0.0.1', resolve));
    hostile.url = `http://127.0.0.1:${hostile.server.address().port}`;
    hostile.sockets = new Set();
    hostile.server.on('connection', (socket) => { hostile.sockets.add(socket); socket.on('close', () => hostile.sockets.delete(socket)); });
    return hostile;
  }

  stop() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
