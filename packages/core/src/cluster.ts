import { KEYS } from './keys.js';
import type {
  BalancerRecord,
  EndpointRecord,
  EpochRecord,
  HostConfig,
  HostRecord,
  InstanceRecord,
  InstanceReport,
  InstanceWish,
  Json,
  LeaderRecord,
} from './model.js';
import type { ManagerConfigRecord, MetadataRecord, NameRecord } from './operator-records.js';
import type { StateView } from './ports.js';
import type { Unreadable } from './readable.js';
import type { KillRecord } from './session.js';

/** A record together with the revision that a commit changing it has to expect. */
export interface At<T> {
  readonly value: T;
  readonly revision: number;
}

/** When a host's lease was found gone; written by the controller at `losses/<host>`. */
export interface HostLoss {
  readonly sinceMs: number;
  /**
   * The term whose leader has seen it away ever since `seenSinceMs`. While nobody led it may have been back, and what was noted
   * of it may be about an earlier absence: each term counts anew.
   */
  readonly epoch?: number;
  readonly seenSinceMs?: number;
  /** The brake holds for it: how long it has been away says nothing. */
  readonly braked?: true;
}

/** The cluster state, grouped; everything of one moment. */
export interface Cluster {
  readonly id: string;
  readonly revision: number;
  readonly endpoints: ReadonlyMap<string, At<EndpointRecord>>;
  readonly names: ReadonlyMap<string, At<NameRecord>>;
  readonly managerConfigs: ReadonlyMap<string, At<ManagerConfigRecord>>;
  readonly metadata: ReadonlyMap<string, At<MetadataRecord>>;
  readonly instances: ReadonlyMap<string, At<InstanceRecord>>;
  /** Instance ids by endpoint name, ascending. */
  readonly instancesOf: ReadonlyMap<string, readonly At<InstanceRecord>[]>;
  readonly reports: ReadonlyMap<string, At<InstanceReport>>;
  readonly hosts: ReadonlyMap<string, At<HostRecord>>;
  readonly hostConfigs: ReadonlyMap<string, At<HostConfig>>;
  readonly wishes: ReadonlyMap<string, At<InstanceWish>>;
  readonly losses: ReadonlyMap<string, At<HostLoss>>;
  readonly balancers: ReadonlyMap<string, At<BalancerRecord>>;
  readonly kills: ReadonlyMap<string, At<KillRecord>>;
  readonly histories: ReadonlyMap<string, At<Json>>;
  readonly leader: At<LeaderRecord> | null;
  readonly epoch: At<EpochRecord> | null;
  /** What is there and cannot be read; what stands in its place is said in readable.ts. */
  readonly unreadable: readonly Unreadable[];
}

/** Groups a view of the whole state whose records are what they should be; of what a store holds that is to be checked first. */
export function readCluster(view: StateView): Cluster {
  const instances = under<InstanceRecord>(view, KEYS.instances);
  const byEndpoint = new Map<string, At<InstanceRecord>[]>();
  for (const instance of [...instances.values()].sort((a, b) => (a.value.id < b.value.id ? -1 : 1))) {
    const list = byEndpoint.get(instance.value.endpoint);
    if (list) list.push(instance);
    else byEndpoint.set(instance.value.endpoint, [instance]);
  }
  const reports = new Map<string, At<InstanceReport>>();
  for (const report of under<InstanceReport>(view, KEYS.reports).values()) reports.set(report.value.id, report);
  return {
    id: view.clusterId,
    revision: view.revision,
    endpoints: under(view, KEYS.endpoints),
    names: under(view, KEYS.names),
    managerConfigs: under(view, KEYS.managerConfigs),
    metadata: under(view, KEYS.metadata),
    instances,
    instancesOf: byEndpoint,
    reports,
    hosts: under(view, KEYS.hosts),
    hostConfigs: under(view, KEYS.hostConfigs),
    wishes: under(view, KEYS.wishes),
    losses: under(view, KEYS.losses),
    balancers: under(view, KEYS.balancers),
    kills: under(view, KEYS.kills),
    histories: under(view, KEYS.histories),
    leader: single<LeaderRecord>(view, KEYS.leader),
    epoch: single<EpochRecord>(view, KEYS.epoch),
    unreadable: [],
  };
}

/** Whether the operator wants the host empty. */
export const isDraining = (cluster: Cluster, host: string): boolean => cluster.hostConfigs.get(host)?.value.draining === true;

/** Removed by the operator and still away; one that came back is a host like any other. */
export const isRemoved = (cluster: Cluster, host: string): boolean =>
  !cluster.hosts.has(host) && cluster.hostConfigs.get(host)?.value.removed === true;

function single<T>(view: StateView, key: string): At<T> | null {
  const entry = view.entries.get(key);
  return entry === undefined ? null : { value: entry.value as unknown as T, revision: entry.revision };
}

function under<T>(view: StateView, prefix: string): Map<string, At<T>> {
  const found = new Map<string, At<T>>();
  for (const [key, entry] of view.entries) {
    if (key.startsWith(prefix))
      found.set(key.slice(prefix.length), { value: entry.value as unknown as T, revision: entry.revision });
  }
  return found;
}
