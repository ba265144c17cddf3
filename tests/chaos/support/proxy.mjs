// A TCP proxy that treats what goes through it badly: one mode at a time, for all of its connections.
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const MODES = {
  pass: { each: (chunk) => chunk },
  // Each piece later by a random time; the order within a connection stays, between connections it does not.
  delay: { each: (chunk, random) => sleep(random() * 200, chunk) },
  // The other side's words never arrive, and nobody is told.
  silent: { each: () => new Promise(() => {}) },
  slow: { each: (chunk) => sleep(chunk.length / 20, chunk) }, // 20 bytes a millisecond
  // Now and then one bit of a call is another; calls are signed. Answers are not: TCP's sums and TLS are there for them.
  flip: {
    each: (chunk, random, isCall) => {
      if (isCall && random() < 0.05) chunk[Math.floor(random() * chunk.length)] ^= 1 << Math.floor(random() * 8);
      return chunk;
    },
  },
  // Ends in the middle of a message.
  tear: { each: (chunk, random) => (random() < 0.05 ? { torn: chunk.subarray(0, chunk.length / 2) } : chunk) },
};
export const BAD_MODES = Object.keys(MODES).filter((name) => name !== 'pass');

export class Proxy {
  // Listens at `port` and passes on to the port `target`; both of 127.0.0.1.
  static async start(port, target, random) {
    const proxy = new Proxy();
    Object.assign(proxy, { target, random, mode: 'pass', pairs: new Set() });
    proxy.server = createServer((near) => proxy.#join(near));
    await new Promise((resolve, reject) => proxy.server.once('error', reject).listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  #join(near) {
    const far = connect(this.target, '127.0.0.1');
    const pair = { near, far };
    this.pairs.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      this.pairs.delete(pair);
    };
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay(true);
      from.on('error', end).on('close', end);
      let last = Promise.resolve();
      from.on('data', (chunk) => {
        from.pause(); // one piece at a time keeps them in order
        last = last.then(async () => {
          const piece = await MODES[this.mode].each(chunk, this.random, from === near);
          if (from.destroyed || to.destroyed) return;
          if (piece.torn) {
            to.write(piece.torn, end);
            return;
          }
          to.write(piece);
          from.resume();
        });
      });
    }
  }

  // From now on so. What went silent is cut when the mode changes: the connection has lost bytes.
  set(mode) {
    if (this.mode === 'silent') this.cut();
    this.mode = mode;
  }

  cut() {
    for (const { near, far } of [...this.pairs]) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  async stop() {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
