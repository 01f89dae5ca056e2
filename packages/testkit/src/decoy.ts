import type { Host } from './host.js';

/** The cluster a decoy says it belongs to. */
export const DECOY_CLUSTER = 'another-cluster';

/**
 * Starts a container on the host's engine that looks like one of ours in all but the cluster it names: nobody may ever
 * touch, count or route to it. Answers its id.
 */
export async function startDecoy(host: Host, image: string, endpoint: string): Promise<string> {
  const labels = {
    'reactor.cluster': DECOY_CLUSTER,
    'reactor.endpoint': endpoint,
    'reactor.instance': 'decoy',
    'reactor.slots': '10',
    'reactor.hash': 'decoy',
  };
  const words = Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
  // It is back after a power-off, so that at the end of a test it has to run.
  const restart = ['--restart', 'always', '--env', `REACTOR_API=${host.api}`];
  return (await host.docker(['run', '-d', '--name', 'decoy', ...restart, ...words, image])).trim();
}
