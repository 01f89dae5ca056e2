import { type Cluster, isDraining } from './cluster.js';
import { occupies } from './lifecycle.js';
import type { InstanceRecord } from './model.js';
import type { HostCandidate } from './placement.js';

/**
 * The hosts' capacity during one round. Every instance that is not known to be gone counts, and so does every one that
 * this very round has placed, so that two endpoints never get the same room.
 */
export interface Ledger {
  /** In the order of ids. `recentFailures` tells how often starts of the asking endpoint failed on a host lately. */
  candidates(recentFailures: (host: string) => number): readonly HostCandidate[];
  add(record: InstanceRecord): void;
}

interface Account {
  slots: number;
  cpus: number;
  memoryBytes: number;
  readonly placed: HostCandidate['placed'][number][];
  /** `placed` counted, because every start of a round asks every host. */
  readonly ofEndpoint: Map<string, number>;
}

const EMPTY: Readonly<Account> = { slots: 0, cpus: 0, memoryBytes: 0, placed: [], ofEndpoint: new Map() };

export function openLedger(cluster: Cluster): Ledger {
  const accounts = new Map<string, Account>();
  const add = (record: InstanceRecord): void => {
    const account: Account = accounts.get(record.host) ?? { ...EMPTY, placed: [], ofEndpoint: new Map() };
    account.slots += record.slots;
    account.cpus += record.cpus;
    account.memoryBytes += record.memoryBytes;
    account.placed.push({
      endpoint: record.endpoint,
      instance: record.id,
      hostPort: record.hostPort,
      network: record.container.network,
    });
    account.ofEndpoint.set(record.endpoint, (account.ofEndpoint.get(record.endpoint) ?? 0) + 1);
    accounts.set(record.host, account);
  };
  for (const instance of cluster.instances.values()) if (occupies(instance.value, cluster)) add(instance.value);

  const hosts = [...cluster.hosts.values()]
    .map(({ value: record }) => ({ record, draining: isDraining(cluster, record.id) }))
    .sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
  const candidates: Ledger['candidates'] = (recentFailures) =>
    hosts.map(({ record, draining }) => {
      const { placed, ofEndpoint, ...used } = accounts.get(record.id) ?? EMPTY;
      return { record, lost: false, draining, used, placed, ofEndpoint, recentFailures: recentFailures(record.id) };
    });
  return { candidates, add };
}
