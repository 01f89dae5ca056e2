import { startClients } from './clients.mjs';
import { figure } from './figure.mjs';
import { startHost } from './serving-host.mjs';

/**
 * The same endpoint behind nginx and behind haproxy, at the same time on the same host: requests lost over connections that
 * clients keep open, while both go from one instance to two and back.
 */

const PORTS = { nginx: 8004, haproxy: 8005 };
const EVENTS = 200;
/** Between two events at least: as often as reloads are made. */
const PACE_MS = 1_000;
const PER_SECOND = 500;
const ATTEMPTS = 5;
/** What one busy client keeps open. */
const CONNECTIONS = 32;

export async function measure(say) {
  const host = await startHost();
  try {
    for (const [kind, port] of Object.entries(PORTS))
      await host.deploy(kind, { port, min: 2, scaling: 'scale_down_delay=0', loadBalancer: kind });
    say(`${EVENTS} scale events of two endpoints under load`);
    const clients = Object.entries(PORTS).map(([kind, port]) => [
      kind,
      startClients(`http://127.0.0.1:${port}/`, PER_SECOND, CONNECTIONS),
    ]);
    try {
      for (let event = 0; event < EVENTS; event++) {
        const pace = new Promise((resolve) => setTimeout(resolve, PACE_MS));
        await Promise.all(Object.keys(PORTS).map((kind) => scale(host, kind, 1 + (event % 2))));
        await pace;
      }
    } finally {
      for (const [, each] of clients) each.end();
    }
    const lost = {};
    for (const [kind, each] of clients) {
      const { sent, ok, failures } = await each.result;
      lost[kind] = sent - ok;
      say(`${kind}: ${sent - ok} of ${sent} requests lost ${JSON.stringify(failures)}`);
    }
    return [
      figure({
        id: 'P7',
        name: `lost in ${EVENTS} scale events at ${PER_SECOND} keep-alive requests/s, haproxy`,
        unit: 'requests',
        ours: lost.haproxy,
        peer: { name: 'nginx', value: lost.nginx },
        targets: [{ of: 'ours', op: '<=', limit: 0 }],
      }),
    ];
  } finally {
    await host.stop();
  }
}

async function scale(host, name, count) {
  const bounds = count === 1 ? { min_instances: 1, max_instances: 1 } : { max_instances: 2, min_instances: 2 };
  // A machine that is busy answers late: what is measured is what clients lose, not how soon the API answers.
  for (let attempt = 1; ; attempt++) {
    try {
      await host.set(name, bounds);
      return await host.untilReady(name, count);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}
