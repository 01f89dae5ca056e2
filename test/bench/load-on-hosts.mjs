import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { figure } from './figure.mjs';

const PER_SECOND = 500;
const CLIENT = fileURLToPath(new URL('./steady-client.mjs', import.meta.url));

/**
 * The load, spread over the hosts, each part in a process of its own and every request on a connection of its own. Resolves when
 * it flows: what breaks then finds connections open between load balancers and instances, as it would any day.
 */
export async function startClients(hosts) {
  const clients = hosts.map(({ url }) => {
    const child = spawn(process.execPath, [CLIENT, url, String(PER_SECOND / hosts.length), '0'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    const flows = new Promise((resolve) => child.stdout.once('data', resolve));
    const result = new Promise((resolve) => child.once('close', () => resolve(JSON.parse(output))));
    return { child, flows, result };
  });
  await Promise.all(clients.map(({ flows }) => flows));
  return {
    stop: async () => {
      for (const { child } of clients) child.stdin.end();
      const results = await Promise.all(clients.map(({ result }) => result));
      const failures = results.flatMap((result) => Object.entries(result.failures));
      for (const [reason, count] of failures) console.error(`bench: cluster: ${count} x ${reason}`);
      return {
        sent: results.reduce((sum, { sent }) => sum + sent, 0),
        failed: results.reduce((sum, { sent, ok }) => sum + sent - ok, 0),
      };
    },
  };
}

/** What of it failed. */
export const lost = (name, { sent, failed }) =>
  figure({
    id: 'F',
    name: `failed at ${PER_SECOND} requests/s: ${name}`,
    unit: 'requests',
    ours: failed,
    peer: { name: 'sent', value: sent },
    targets: [{ of: 'ours', op: '<=', limit: 0 }],
  });
