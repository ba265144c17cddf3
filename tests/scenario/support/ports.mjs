// TCP ports for services that need numbers known beforehand.
import { createServer } from 'node:net';

const FIRST = 10_000; // below the range that systems give out by themselves
const LAST = 30_000;

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

// A port that is free together with its neighbours at `offsets`.
export async function freePort(offsets) {
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    const free = await Promise.all([0, ...offsets].map((offset) => isFree(port + offset)));
    if (free.every(Boolean)) return port;
  }
  throw new Error('no free ports');
}
