import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { whyUnavailable } from '../../packages/agent/dist/index.js';
import { createNginx } from '../../packages/nginx/dist/index.js';
import { aNginxConfig } from '../../packages/testkit/dist/builders.js';
import { startBareNginx } from './bare-nginx.mjs';
import { figure } from './figure.mjs';
import { alternate, median, timed } from './sample.mjs';
import { startHost } from './serving-host.mjs';

/** Our nginx against one written by hand: requests per second to the same two containers, and taking a change up. */

const PORT = 8001;
const BARE_PORT = 8002;
const CHANGES_PORT = 8003;
const ROUNDS = 4;
const WRK = { seconds: 3, connections: 64 };
const CHANGES = 7;
/** Reloads are paced to one per second, which is not what is measured. */
const PACE_MS = 1_100;
const BURST = 10;

export async function measure(say) {
  const host = await startHost();
  try {
    await host.deploy('web', { port: PORT, min: 2 });
    const backends = await host.client.ips('web');
    const bare = await startBareNginx({ directory: join(host.directory, 'bare-nginx'), port: BARE_PORT, backends });
    try {
      return [...(await throughput(host, bare, say)), ...(await changes(host, bare, backends, say))];
    } finally {
      bare.stop();
    }
  } finally {
    await host.stop();
  }
}

/** Three ways in turn: ours as it is, ours with the daemon (which reads the log) held still, and by hand. */
async function throughput(host, bare, say) {
  const ours = `http://127.0.0.1:${PORT}/`;
  say(`wrk, ${ROUNDS} x ${WRK.seconds} s each`);
  await wrk(ours, say);
  await wrk(bare.url, say);
  const whole = [];
  const still = [];
  const byHand = [];
  for (let round = 0; round < ROUNDS; round++) {
    whole.push(await wrk(ours, say));
    byHand.push(await wrk(bare.url, say));
    process.kill(host.reactor.pid(), 'SIGSTOP');
    try {
      still.push(await wrk(ours, say));
    } finally {
      process.kill(host.reactor.pid(), 'SIGCONT');
    }
  }
  const peer = { name: 'nginx.conf by hand, no log', value: median(byHand) };
  return [
    figure({
      id: 'P11',
      name: 'through the rendered nginx to 2 instances',
      unit: 'requests/s',
      ours: median(still),
      peer,
      targets: [{ of: 'ratio', op: '>=', limit: 0.97 }],
    }),
    figure({
      id: 'P11',
      name: 'the same while the daemon reads the log on the same cores',
      unit: 'requests/s',
      ours: median(whole),
      peer,
      targets: [],
    }),
  ];
}

/** Requests per second; failed ones are told. */
function wrk(url, say) {
  return new Promise((resolve, reject) => {
    const child = spawn('wrk', ['-t1', `-c${WRK.connections}`, `-d${WRK.seconds}s`, url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (part) => {
      text += part;
    });
    child.once('error', reject);
    child.once('close', () => {
      const rate = Number(/^Requests\/sec:\s+([\d.]+)/m.exec(text)?.[1]);
      const problem = /^.*(?:Non-2xx|Socket errors).*$/m.exec(text)?.[0];
      if (problem !== undefined) say(`wrk ${url}: ${problem.trim()}`);
      if (rate > 0) resolve(rate);
      else reject(new Error(`wrk ${url}: ${text}`));
    });
  });
}

async function changes(host, bare, backends, say) {
  let reloads = 0;
  const meter = {
    add: (metric) => {
      if (metric === 'reactor_reloads_total') reloads += 1;
    },
    set: () => {},
    observe: () => {},
  };
  const directory = join(host.directory, 'changing-nginx');
  const nginx = createNginx({
    mode: { kind: 'own', directory, user: null, workers: 0 },
    certificates: join(directory, 'certificates'),
    binary: '/usr/sbin/nginx',
    logLimitBytes: 64 * 1024 * 1024,
    portProblem: whyUnavailable,
    meter,
    log: (level, message) => level !== 'info' && say(message),
  });
  await nginx.open();
  try {
    await nginx.apply(serviceOf(backends));
    say(`${CHANGES} changes of backends`);
    const pace = () => new Promise((resolve) => setTimeout(resolve, PACE_MS));
    const some = (change) => backends.slice(0, 1 + (change % 2));
    const samples = await alternate(
      CHANGES,
      async (change) => {
        await pace();
        return timed(() => nginx.apply(serviceOf(some(change))));
      },
      (change) => bare.reloadAcknowledged(some(change)),
    );
    await pace();
    reloads = 0;
    await Promise.all(Array.from({ length: BURST }, (_, change) => nginx.apply(serviceOf(some(change + CHANGES + 1)))));
    return [changeFigure(samples), burstFigure(reloads)];
  } finally {
    await nginx.close();
    process.kill(Number(readFileSync(join(directory, 'nginx.pid'), 'latin1')), 'SIGTERM');
  }
}

const changeFigure = (samples) =>
  figure({
    id: 'P6',
    name: 'change of backends to acknowledged',
    unit: 'ms',
    ours: median(samples.ours),
    peer: { name: 'bare SIGHUP until acknowledged', value: median(samples.peer) },
    targets: [{ of: 'ours', op: '<=', limit: 150 }],
  });

const burstFigure = (reloads) =>
  figure({
    id: 'P6',
    name: `a burst of ${BURST} changes`,
    unit: 'reloads',
    ours: reloads,
    peer: { name: 'one per change', value: BURST },
    targets: [{ of: 'ours', op: '<=', limit: 1 }],
  });

function serviceOf(addresses) {
  const backends = addresses.map((address, index) => {
    const [host, port] = address.split(':');
    return { id: `i${index}`, host, port: Number(port), weight: 1 };
  });
  const nginx = aNginxConfig();
  return [
    {
      endpoint: 'changing',
      url: { scheme: 'http', host: null, port: CHANGES_PORT, path: '/' },
      backends,
      redirect: null,
      nginx,
      windowMs: 10_000,
    },
  ];
}
