import { type Cluster, isDraining } from './cluster.js';
import { occupies } from './lifecycle.js';
import type { InstanceRecord } from './model.js';
import type { HostCandidate } from './placement.js';

/**
 * The hosts' capacity during one round. Every instance that is not known to be gone counts, and so does every one that
 * this very round has placed, so that two endpoints never get the same room.
 */
export interface Ledger {
  /** `recentFailures` tells how often starts of the asking endpoint failed on a host lately. */
  candidates(recentFailures: (host: string) => number): readonly HostCandidate[];
  add(record: InstanceRecord): void;
}

interface Account {
  slots: number;
  cpus: number;
  memoryBytes: number;
  readonly placed: HostCandidate['placed'][number][];
}

export function openLedger(cluster: Cluster): Ledger {
  const accounts = new Map<string, Account>();
  const add = (record: InstanceRecord): void => {
    const account = accounts.get(record.host) ?? { slots: 0, cpus: 0, memoryBytes: 0, placed: [] };
    account.slots += record.slots;
    account.cpus += record.cpus;
    account.memoryBytes += record.memoryBytes;
    account.placed.push({
      endpoint: record.endpoint,
      instance: record.id,
      hostPort: record.hostPort,
      network: record.container.network,
    });
    accounts.set(record.host, account);
  };
  for (const instance of cluster.instances.values()) if (occupies(instance.value, cluster)) add(instance.value);

  const candidates: Ledger['candidates'] = (recentFailures) =>
    [...cluster.hosts.values()].map(({ value: record }) => {
      const account = accounts.get(record.id);
      return {
        record,
        lost: false,
        draining: isDraining(cluster, record.id),
        used: { slots: account?.slots ?? 0, cpus: account?.cpus ?? 0, memoryBytes: account?.memoryBytes ?? 0 },
        placed: account?.placed ?? [],
        recentFailures: recentFailures(record.id),
      };
    });
  return { candidates, add };
}
