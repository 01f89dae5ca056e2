import type { Hosts } from './hosts.js';
import { operationsDuring } from './standstill.js';
import { storedRecords } from './stored-records.js';
import { until } from './until.js';

/** A few rounds, a lease and a reload: in that time what a fault left behind is put right. */
const CONVERGE_MS = 45_000;
const CALM_MS = 1_000;

/**
 * Waits until no host does anything for a moment; then the operations seen on all hosts in `ms`, which must be none:
 * Docker's events, nginx's workers and files, and the records of the cluster state.
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
    const changes = await changedSince(cluster, before);
    return [...seen.flat(), ...changes.map((change) => `the state changed: ${change}`)];
  };
  // Written by every host a moment after a new leader has written anything, which may be a moment after the calm has begun.
  await until('every host has obeyed the newest epoch', CONVERGE_MS, async () => {
    const records = await storedRecords(cluster, ['controller/epoch', ...cluster.hosts.map(({ name }) => `hosts/${name}`)]);
    const [newest, ...hosts] = records as readonly [{ epoch: number }, ...{ epochSeen: { epoch: number } | null }[]];
    return hosts.every(({ epochSeen }) => epochSeen?.epoch === newest.epoch);
  });
  await until('the cluster is at rest for a moment', CONVERGE_MS, async () => {
    const seen = await during(CALM_MS);
    if (seen.length > 0) throw new Error(seen.join('; '));
    return true;
  });
  return during(ms);
}

const LINE_LENGTH = 1_000;

/** What was written, or struck out, after the revision. The end of a lease that holds nothing is a revision without any change. */
async function changedSince({ redis }: Hosts, revision: string): Promise<readonly string[]> {
  const text = await redis.command('XRANGE', '{reactor:default}:changes', `(${revision}-0`, '+');
  const changes = text.split('\n').filter((line) => line.includes(' '));
  return changes.map((line) => line.slice(0, LINE_LENGTH));
}
