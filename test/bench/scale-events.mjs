import { join } from 'node:path';
import { startBareNginx } from './bare-nginx.mjs';
import { startClients } from './clients.mjs';
import { figure } from './figure.mjs';
import { startHost } from './serving-host.mjs';

/** Requests lost while an endpoint goes from one instance to two and back, against what nginx loses by reloading alone. */

const PORT = 8001;
const BARE_PORT = 8002;
const EVENTS = 50;
const BARE_RELOADS = 25;
/** Between two events at least: as often as reloads are made. */
const PACE_MS = 1_000;
const PER_SECOND = 500;
/** What one busy client keeps open. */
const CONNECTIONS = 32;

export async function measure(say) {
  const host = await startHost();
  try {
    await host.deploy('web', { port: PORT, min: 2, scaling: 'scale_down_delay=0' });
    const backends = await host.client.ips('web');
    say(`${BARE_RELOADS} reloads of a bare nginx under load`);
    const peer = await bareReloads(host, backends);
    say(`${EVENTS} scale events under load`);
    const ours = await scaleEvents(host);
    tellFailures(say, 'bare', peer);
    tellFailures(say, 'ours', ours);
    const lost = ({ sent, ok }) => ((sent - ok) / sent) * 100;
    const name = `lost in ${EVENTS} scale events at ${PER_SECOND} requests/s`;
    return [
      figure({
        id: 'P7',
        name: `${name}, a connection each`,
        unit: '%',
        ours: lost(ours.single),
        peer: { name: `${BARE_RELOADS} bare reloads`, value: lost(peer.single) },
        targets: [{ of: 'ours', op: '<=', limit: 0 }],
      }),
      figure({
        id: 'P7',
        name: `${name}, keep-alive`,
        unit: '%',
        ours: lost(ours.keepAlive),
        peer: { name: `${BARE_RELOADS} bare reloads`, value: lost(peer.keepAlive) },
        targets: [{ of: 'ours', op: '<=', limit: 0.02 }],
      }),
    ];
  } finally {
    await host.stop();
  }
}

function tellFailures(say, whose, loads) {
  for (const [kind, { sent, ok, failures }] of Object.entries(loads)) {
    if (ok < sent) say(`${whose}, ${kind}: ${sent - ok} of ${sent} requests: ${JSON.stringify(failures)}`);
  }
}

/** Both kinds of clients at once. */
async function underLoad(url, work) {
  const single = startClients(url, PER_SECOND, 0);
  const keepAlive = startClients(url, PER_SECOND, CONNECTIONS);
  try {
    await work();
  } finally {
    single.end();
    keepAlive.end();
  }
  return { single: await single.result, keepAlive: await keepAlive.result };
}

async function scaleEvents(host) {
  return underLoad(`http://127.0.0.1:${PORT}/`, async () => {
    for (let event = 0; event < EVENTS; event++) {
      const count = 1 + (event % 2);
      const pace = new Promise((resolve) => setTimeout(resolve, PACE_MS));
      if (count === 1) await host.set('web', { min_instances: 1, max_instances: 1 });
      else await host.set('web', { max_instances: 2, min_instances: 2 });
      await host.untilReady('web', count);
      await pace;
    }
  });
}

async function bareReloads(host, backends) {
  const nginx = await startBareNginx({ directory: join(host.directory, 'bare-nginx'), port: BARE_PORT, backends });
  try {
    return await underLoad(nginx.url, async () => {
      for (let reload = 0; reload < BARE_RELOADS; reload++) {
        const pace = new Promise((resolve) => setTimeout(resolve, PACE_MS));
        await nginx.reload(backends.slice(0, 1 + (reload % 2)));
        await pace;
      }
    });
  } finally {
    nginx.stop();
  }
}
