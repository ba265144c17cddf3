// Each service in a network namespace of its own, with nftables between them: cut off wholly or one way,
// every third packet lost, connections reset.
import { setTimeout as sleep } from 'node:timers/promises';
import { after } from 'node:test';
import { chaos } from './support/chaos.mjs';
import { Networks, whyNoNetworks } from './support/machine.mjs';

const SERVICES = ['scheduler', 'gateway', 'tool-adapter'];
const CUT_MS = 3_000; // longer than a lease
const why = whyNoNetworks();
const networks = new Networks(SERVICES);
if (!why) networks.make();
after(() => why || networks.remove());

const url = (name, port) => `tcp://${networks.address(name)}:${port}`;
const admin = (name) => ({ admin: { host: networks.address(name) } });
const config = {
  gateway: { host: networks.address('gateway'), scheduler: url('scheduler', 7082), scheduler_hints: url('scheduler', 7282), tools: url('tool-adapter', 7083), ...admin('gateway') },
  scheduler: { listen: url('scheduler', 7082), hint_listen: url('scheduler', 7282), ...admin('scheduler') },
  tools: {
    listen: url('tool-adapter', 7083), scheduler: url('scheduler', 7082),
    egress: { private_networks: ['10.213.0.0/16'], http_hosts: [networks.host] }, ...admin('tool-adapter'),
  },
  rpc: { token: { secret: 'RPC_TOKEN' } },
};

function prepare(suite) {
  for (const name of SERVICES) {
    suite[name].wrap = ['ip', 'netns', 'exec', networks.space(name)];
    suite[name].host = networks.address(name);
  }
}

const WEATHER = {
  'the scheduler is cut off from the gateway': () => networks.cut('scheduler', 'gateway'),
  'the scheduler is cut off from the worker': () => networks.cut('scheduler', 'tool-adapter'),
  'what the scheduler says does not reach the gateway': () => networks.rule('gateway', 'scheduler', 'drop'),
  'what the worker says does not reach the scheduler': () => networks.rule('scheduler', 'tool-adapter', 'drop'),
  'the scheduler is alone': () => SERVICES.slice(1).forEach((name) => networks.cut('scheduler', name)),
  'every third packet is lost': () => {
    for (const name of SERVICES.slice(1)) {
      networks.rule('scheduler', name, 'numgen random mod 100 < 30 drop');
      networks.rule(name, 'scheduler', 'numgen random mod 100 < 30 drop');
    }
  },
  'connections are reset': () => SERVICES.slice(1).forEach((name) => networks.rule('scheduler', name, 'meta l4proto tcp reject with tcp reset')),
};

chaos('the network between the services fails', { skip: why, host: networks.host, config, prepare }, async (suite, load) => {
  for (const [what, begin] of Object.entries(WEATHER)) {
    begin();
    await sleep(CUT_MS); // that is the fault itself
    networks.mend();
    await load.progress();
    console.log(`# ${what}: ${load.lives} runs so far`);
  }
  networks.cut('scheduler', 'gateway');
  await suite.gateway.kill(); // the other side never hears of it
  networks.mend();
  await suite.gateway.start();
  await load.progress();
});
