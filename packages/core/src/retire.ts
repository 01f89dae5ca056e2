import type { Cluster } from './cluster.js';
import type { InstanceView } from './lifecycle.js';
import type { EndpointConfig } from './model.js';

/** Whether an instance is as it should be: of today's configuration, on a host that may keep it. */
export type IsCurrent = (instance: InstanceView) => boolean;

/**
 * Whom to retire, first in the list first: never became ready, unhealthy, not current, fewest open connections, the
 * host with the most instances of this endpoint (not counting those earlier in the list), youngest, id. The order is
 * total, so the input's order never matters.
 */
export function retirementOrder(instances: readonly InstanceView[], isCurrent: IsCurrent): readonly InstanceView[] {
  const perHost = new Map<string, number>();
  for (const { record } of instances) perHost.set(record.host, (perHost.get(record.host) ?? 0) + 1);
  const rank = (instance: InstanceView): readonly number[] => [
    instance.report?.wasReady ? 1 : 0,
    instance.status === 'ready' && instance.wish?.kind !== 'drop' ? 1 : 0,
    isCurrent(instance) ? 1 : 0,
    instance.active,
  ];
  const left = instances.map((instance) => ({ instance, rank: rank(instance) }));
  left.sort((a, b) => byRank(a.rank, b.rank) || byAge(a.instance, b.instance));

  const order: InstanceView[] = [];
  while (left.length > 0) {
    // Among equals by rank, already by age, the first one of the fullest host.
    let chosen = 0;
    const fullness = (index: number): number => perHost.get(left[index]!.instance.record.host) ?? 0;
    for (let index = 1; index < left.length && byRank(left[0]!.rank, left[index]!.rank) === 0; index += 1) {
      if (fullness(index) > fullness(chosen)) chosen = index;
    }
    const [{ instance }] = left.splice(chosen, 1) as [(typeof left)[number]];
    perHost.set(instance.record.host, (perHost.get(instance.record.host) ?? 0) - 1);
    order.push(instance);
  }
  return order;
}

function byRank(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** Youngest first. */
function byAge(a: InstanceView, b: InstanceView): number {
  return b.record.createdAtMs - a.record.createdAtMs || (a.record.id < b.record.id ? -1 : 1);
}

/** Whether a draining instance may be taken back: the same live, ready, unfailed container, and current. */
export function recommissionable(instance: InstanceView, isCurrent: IsCurrent): boolean {
  return !instance.record.errored && instance.status === 'ready' && isCurrent(instance);
}

export type DrainVerdict = { readonly done: true; readonly why: string } | { readonly done: false; readonly waitingOn: string };

/**
 * Whether a draining instance may be stopped now.
 * In order: every live load balancer must have taken it out; then, while it could be taken back, the decommission period
 * must pass; then it must have no open connection, or have drained for `drainTimeoutMs`.
 */
export function drainVerdict(
  instance: InstanceView,
  config: Pick<EndpointConfig, 'decommissionedTimeoutMs' | 'drainTimeoutMs'>,
  facts: { readonly nowMs: number; readonly recoverable: boolean; readonly holdout: string | null },
): DrainVerdict {
  const drainedMs = facts.nowMs - (instance.record.drainedAtMs ?? facts.nowMs);
  if (instance.status === 'dead') return { done: true, why: 'its container has ended' };
  if (facts.holdout !== null) return { done: false, waitingOn: `load balancer ${facts.holdout} to take it out` };
  if (!instance.report?.wasReady) return { done: true, why: 'it never served' };
  if (facts.recoverable && drainedMs < config.decommissionedTimeoutMs) {
    return { done: false, waitingOn: `its decommission period, ${seconds(config.decommissionedTimeoutMs - drainedMs)} left` };
  }
  if (instance.active === 0) return { done: true, why: 'no connection is open' };
  if (drainedMs >= config.drainTimeoutMs) {
    return { done: true, why: `drain_timeout is over, ${instance.active} connections are cut` };
  }
  return { done: false, waitingOn: `${instance.active} open connections` };
}

/** The first live host whose load balancer has not yet confirmed that the instance gets no more requests; null when all have. */
export function drainHoldout(instance: InstanceView, cluster: Cluster): string | null {
  for (const host of [...cluster.hosts.keys()].sort()) {
    const balancer = cluster.balancers.get(host)?.value;
    // A host without a load balancer record has never served anything.
    if (balancer === undefined) continue;
    if (balancer.revision < instance.revision || balancer.serving.includes(instance.record.id)) return host;
  }
  return null;
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.ceil(ms / 1000))} s`;
}
