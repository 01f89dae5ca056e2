import type { Hosts } from './hosts.js';
import { operationsDuring } from './standstill.js';
import { until } from './until.js';

/** A few rounds, a lease and a reload: in that time what a fault left behind is put right. */
const CONVERGE_MS = 45_000;
const CALM_MS = 1_000;

/**
 * Waits until no host does anything for a moment; then the operations seen on all hosts in `ms`, which must be none:
 * Docker's events, nginx's workers and files, and the revision of the cluster state.
 */
export async function operationsOfClusterAtRest(cluster: Hosts, ms: number): Promise<readonly string[]> {
  const revision = (): Promise<string> => cluster.redis.command('HGET', '{reactor:default}:moment', 'revision');
  const during = async (lengthMs: number): Promise<readonly string[]> => {
    const before = await revision();
    const seen = await Promise.all(
      cluster.hosts.map(async (host) => {
        const watched = { data: host.data, dockerCli: host.docker };
        const operations = await operationsDuring(watched, { ms: lengthMs, revision: async () => '' });
        return operations.map((operation) => `${host.name}: ${operation}`);
      }),
    );
    const after = await revision();
    return [...seen.flat(), ...(before === after ? [] : [`the state moved from ${before} to ${after}`])];
  };
  await until('the cluster is at rest for a moment', CONVERGE_MS, async () => {
    const seen = await during(CALM_MS);
    if (seen.length > 0) throw new Error(seen.join('; '));
    return true;
  });
  return during(ms);
}
