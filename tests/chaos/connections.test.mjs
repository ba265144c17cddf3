// Connections between the services go through a proxy that delays, falls silent, drips, tears and flips
// bits. What cannot be read is thrown away and asked again; nothing wrong is believed.
import { setTimeout as sleep } from 'node:timers/promises';
import { after } from 'node:test';
import { freePort } from '../scenario/support/ports.mjs';
import { randomOf } from '../scenario/support/wait.mjs';
import { chaos, SEED } from './support/chaos.mjs';
import { BAD_MODES, Proxy } from './support/proxy.mjs';

const BAD_MS = 3_000; // longer than a lease
const LONG = 100; // from a port to that of the calls that wait
const PROXIES = ['gateway', 'tools'];

const port = () => freePort([LONG]);
const [scheduler, hints] = [await port(), await port()];
const [gateway, gatewayHints, tools] = [await port(), await port(), await port()]; // what they take for the scheduler's
const url = (port) => `tcp://127.0.0.1:${port}`;
const config = {
  gateway: { scheduler: url(gateway), scheduler_hints: url(gatewayHints) },
  scheduler: { listen: url(scheduler), hint_listen: url(hints) },
  tools: { scheduler: url(tools) },
  rpc: { token: { secret: 'RPC_TOKEN' } },
};

const proxies = { gateway: [], tools: [] };
async function prepare() {
  const between = async (name, from, to) => proxies[name].push(await Proxy.start(from, to, randomOf(SEED + from)));
  for (const more of [0, LONG]) {
    await between('gateway', gateway + more, scheduler + more);
    await between('tools', tools + more, scheduler + more);
  }
  await between('gateway', gatewayHints, hints);
}
after(() => Promise.all(Object.values(proxies).flat().map((proxy) => proxy.stop())));

chaos('connections between the services are treated badly', { config, prepare }, async (suite, load) => {
  for (const name of PROXIES) {
    for (const mode of BAD_MODES) {
      for (const proxy of proxies[name]) proxy.set(mode);
      await sleep(BAD_MS); // that is the fault itself
      for (const proxy of proxies[name]) proxy.set('pass');
      await load.progress();
      console.log(`# ${name}, ${mode}: ${load.lives} runs so far`);
    }
    for (const proxy of proxies[name]) proxy.cut();
    await load.progress();
  }
});
