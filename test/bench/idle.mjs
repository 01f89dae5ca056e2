import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { figure } from './figure.mjs';
import { memoryOf, processorSecondsOf } from './process-cost.mjs';
import { startHost } from './serving-host.mjs';

/** What a reactord costs that has nothing to do: one endpoint, two instances, no request. */

const SETTLE_MS = 5_000;
const SECONDS = 20;

export async function measure(say) {
  const host = await startHost();
  const node = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    await host.deploy('web', { port: 8001, min: 2 });
    await sleep(SETTLE_MS);
    say(`watching it for ${SECONDS} s`);
    const dockerd = Number(readFileSync(host.dockerPid, 'latin1'));
    const daemon = host.reactor.pid();
    const used = await processorShares([daemon, dockerd], SECONDS);
    return [
      figure({
        id: 'P9',
        name: 'idle reactord, resident memory',
        unit: 'MB',
        ours: memoryOf(daemon) / 1e6,
        peer: { name: 'idle node', value: memoryOf(node.pid) / 1e6 },
        targets: [{ of: 'ours', op: '<=', limit: 100 }],
      }),
      figure({
        id: 'P9',
        name: 'idle reactord, of a core',
        unit: '%',
        ours: used[0],
        peer: { name: 'dockerd beside it', value: used[1] },
        targets: [{ of: 'ours', op: '<=', limit: 1.5 }],
      }),
    ];
  } finally {
    node.kill('SIGKILL');
    await host.stop();
  }
}

/** Per cent of a core of each process over so many seconds. */
async function processorShares(pids, seconds) {
  const before = pids.map(processorSecondsOf);
  const startedMs = performance.now();
  await sleep(seconds * 1000);
  const elapsed = (performance.now() - startedMs) / 1000;
  return pids.map((pid, index) => ((processorSecondsOf(pid) - before[index]) / elapsed) * 100);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
