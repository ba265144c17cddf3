// Processes stand still for seconds, as a virtual machine that is moved or a debugger makes them: the
// others must not take them for more than slow, and what they do when they wake must be void where
// somebody else has done it.
import { setTimeout as sleep } from 'node:timers/promises';
import { chaos } from './support/chaos.mjs';

const PAUSE_MS = 3_000; // longer than a lease
const SERVICES = ['scheduler', 'gateway', 'tool-adapter', 'llm-proxy'];

chaos('every service stands still for a while', { needs: SERVICES, config: { llm: { lease: '2s' } } }, async (suite, load) => {
  for (const name of SERVICES) {
    suite[name].child.kill('SIGSTOP');
    await sleep(PAUSE_MS); // that is the fault itself
    suite[name].child.kill('SIGCONT');
    await load.progress();
  }
  // Two at once, one of them killed while it stands.
  suite.scheduler.child.kill('SIGSTOP');
  suite['tool-adapter'].child.kill('SIGSTOP');
  await sleep(PAUSE_MS);
  await suite['tool-adapter'].kill();
  suite.scheduler.child.kill('SIGCONT');
  await suite['tool-adapter'].start();
  await load.progress();
});
