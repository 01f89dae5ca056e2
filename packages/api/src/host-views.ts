import { type Cluster, type HostRecord, isDraining, isRemoved, occupies, type TrafficReport } from '@reactor/core';

/** What the API shows of the hosts, worked out from the cluster state of one moment. Pure. */

export const HOST_STATES = ['ready', 'draining', 'removing', 'lost'] as const;
export type HostState = (typeof HOST_STATES)[number];

export interface HostRow extends HostRecord {
  readonly state: HostState;
  readonly leader: boolean;
  readonly usedSlots: number;
  readonly usedCpus: number;
  readonly usedMemoryBytes: number;
  readonly instances: number;
  /** When it was last heard, at the latest; null while it has told nothing yet. */
  readonly heartbeatMs: number | null;
}

/** Live hosts, ascending by id. */
export function liveHosts(cluster: Cluster): readonly HostRecord[] {
  return [...cluster.hosts.values()].map(({ value }) => value).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Live hosts, and those away of which something is left: instances, a load balancer, a wish. */
export function knownHosts(cluster: Cluster): readonly string[] {
  const instances = [...cluster.instances.values()].map(({ value }) => value.host);
  const { hosts, hostConfigs, balancers, losses } = cluster;
  const kept = [hosts, hostConfigs, balancers, losses].flatMap((map) => [...map.keys()]);
  return [...new Set([...instances, ...kept])].sort();
}

/** `traffic` is what each host's load balancer said last. */
export function hostRows(cluster: Cluster, traffic: ReadonlyMap<string, TrafficReport>): readonly HostRow[] {
  const leader = cluster.leader?.value.host ?? null;
  return knownHosts(cluster).map((id) => {
    const there = [...cluster.instances.values()].map(({ value }) => value).filter((instance) => instance.host === id);
    const taking = there.filter((instance) => occupies(instance, cluster));
    return {
      ...(cluster.hosts.get(id)?.value ?? absentHost(id)),
      state: hostState(cluster, id),
      leader: id === leader,
      usedSlots: taking.reduce((sum, instance) => sum + instance.slots, 0),
      usedCpus: taking.reduce((sum, instance) => sum + instance.cpus, 0),
      usedMemoryBytes: taking.reduce((sum, instance) => sum + instance.memoryBytes, 0),
      instances: taking.length,
      heartbeatMs: traffic.get(id)?.atMs ?? cluster.losses.get(id)?.value.sinceMs ?? null,
    };
  });
}

export function hostState(cluster: Cluster, id: string): HostState {
  if (isRemoved(cluster, id)) return 'removing';
  if (!cluster.hosts.has(id)) return 'lost';
  return isDraining(cluster, id) ? 'draining' : 'ready';
}

/** A host's record goes with its lease; of one that is away only the id, which is its name, is known. */
export const absentHost = (id: string): HostRecord => ({
  id,
  name: id,
  address: '',
  apiUrl: null,
  slots: 0,
  cpus: 0,
  memoryBytes: 0,
  overcommit: 0,
  labels: {},
  images: [],
  containers: [],
  dockerVersion: null,
  dockerError: null,
  startedAtMs: 0,
  version: '',
  epochSeen: null,
});
