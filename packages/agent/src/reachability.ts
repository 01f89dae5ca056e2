import type { Clock, Cluster, InstanceRecord, InstanceReport } from '@reactor/core';
import { check } from './health.js';
import type { Probe } from './probe.js';

/**
 * Which instances on lost hosts do not answer this host. A lease that is gone says that a host's daemon is silent, not
 * that its containers are: those that answer here go on being served from here, the others leave the load balancer. Not
 * its purpose: hosts that are alive, whose own agents report their instances.
 *
 * 1. While this host's own lease is gone it is the lost one: it judges nobody.
 * 2. An instance counts as reachable until a check of its own has failed.
 * 3. An instance that answers again is reachable again, whether its host has come back or not.
 */
export interface ReachabilityOptions {
  readonly clock: Clock;
  /** Default: over the network. */
  readonly probe?: Probe | undefined;
  readonly host: string;
  /** An instance has begun or ceased to answer. */
  readonly changed: (instance: string, problem: string | null) => void;
  readonly signal: AbortSignal;
}

export interface Reachability {
  /** Follows the instances of the hosts lost now, and answers which of them are known not to answer. */
  unreachable(cluster: Cluster): ReadonlySet<string>;
}

interface Followed {
  readonly stop: AbortController;
  problem: string | null;
}

export function createReachability(options: ReachabilityOptions): Reachability {
  const { clock, host, signal } = options;
  const followed = new Map<string, Followed>();

  const follow = async (record: InstanceRecord, target: Target, one: Followed): Promise<void> => {
    while (!one.stop.signal.aborted) {
      const problem = await check({ check: record.healthCheck, clock, probe: options.probe, signal: one.stop.signal }, target);
      if (one.stop.signal.aborted) return;
      const turned = (problem === null) !== (one.problem === null);
      one.problem = problem;
      if (turned) options.changed(record.id, problem);
      await clock.sleep(record.healthCheck.intervalMs, one.stop.signal);
    }
  };
  const stopAll = (): void => {
    for (const one of followed.values()) one.stop.abort();
  };
  signal.addEventListener('abort', stopAll, { once: true });

  const unreachable = (cluster: Cluster): ReadonlySet<string> => {
    const lost = signal.aborted ? new Map<string, Suspect>() : suspectsOf(cluster, host);
    for (const [key, one] of followed) {
      if (lost.has(key)) continue;
      one.stop.abort();
      followed.delete(key);
    }
    const silent = new Set<string>();
    for (const [key, { record, target }] of lost) {
      const known = followed.get(key);
      if (known !== undefined && known.problem !== null) silent.add(record.id);
      if (known !== undefined) continue;
      const one: Followed = { stop: new AbortController(), problem: null };
      followed.set(key, one);
      void follow(record, target, one);
    }
    return silent;
  };
  return { unreachable };
}

type Target = NonNullable<InstanceReport['address']>;

interface Suspect {
  readonly record: InstanceRecord;
  readonly target: Target;
}

/** Instances meant to serve on hosts without a lease, by id and address: another address is to be judged anew. */
function suspectsOf(cluster: Cluster, host: string): Map<string, Suspect> {
  const suspects = new Map<string, Suspect>();
  if (!cluster.hosts.has(host)) return suspects;
  for (const { value: record } of cluster.instances.values()) {
    if (record.phase !== 'run' || cluster.hosts.has(record.host)) continue;
    const target = cluster.reports.get(record.id)?.value.address;
    if (target) suspects.set(`${record.id} ${target.host}:${target.port}`, { record, target });
  }
  return suspects;
}
