import type { Brake } from './brake.js';
import { type Cluster, type HostLoss, isRemoved } from './cluster.js';
import { KEYS } from './keys.js';

/** What a round notes about hosts as such: which are missing since when, and which are to be forgotten. */

export interface LossNote {
  readonly host: string;
  readonly loss: HostLoss | null;
  readonly revision: number;
}

/** How long the leader of this term has seen a host away; 0 while the brake holds for it. */
export function awayMs(cluster: Cluster, host: string, nowMs: number, epoch: number): number {
  const loss = cluster.losses.get(host)?.value;
  return loss === undefined || loss.braked || loss.epoch !== epoch ? 0 : nowMs - (loss.seenSinceMs ?? nowMs);
}

/**
 * Notes hosts that vanished and of which something is left, and strikes out those that are back or forgotten. A network
 * that heals brings hosts back one by one: when the brake ends with the first of them, the others are as if lost just now.
 */
export function planLosses(cluster: Cluster, nowMs: number, epoch: number, brake: Brake | null): readonly LossNote[] {
  const losses: LossNote[] = [];
  // Also of hosts without instances: how many went missing at once is what the brake judges by.
  const left = hostsKnown(cluster);
  for (const host of [...left].sort()) {
    if (cluster.hosts.has(host)) continue;
    const known = cluster.losses.get(host);
    const braked = brake?.lost.includes(host) ?? false;
    const wasBraked = known?.value.braked ?? false;
    if (known?.value.epoch === epoch && braked === wasBraked) continue;
    const sinceMs = wasBraked && !braked ? nowMs : (known?.value.sinceMs ?? nowMs);
    const loss = { sinceMs, epoch, seenSinceMs: nowMs };
    losses.push({ host, loss: braked ? { ...loss, braked } : loss, revision: known?.revision ?? 0 });
  }
  for (const [host, loss] of [...cluster.losses].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (cluster.hosts.has(host) || !left.has(host)) losses.push({ host, loss: null, revision: loss.revision });
  }
  return losses;
}

/** All keys that are left of a host, to be deleted together. */
export interface Removal {
  readonly host: string;
  /** Of its own record: 0 while it is away, which must still be so when the keys are deleted. */
  readonly revision: number;
  readonly keys: readonly { readonly key: string; readonly revision: number }[];
}

/**
 * Hosts the operator removed, once nothing is placed there any more. Of one that came back only the wish is struck out:
 * it was not gone after all.
 */
export function planRemovals(cluster: Cluster): readonly Removal[] {
  const used = hostsInUse(cluster);
  const wishes = [...cluster.hostConfigs].filter(([, { value }]) => value.removed).sort(([a], [b]) => (a < b ? -1 : 1));
  return wishes.flatMap(([host, wish]) => {
    const own = { key: KEYS.hostConfig(host), revision: wish.revision };
    const back = cluster.hosts.get(host);
    if (back !== undefined) return [{ host, revision: back.revision, keys: [own] }];
    if (used.has(host)) return [];
    const balancer = cluster.balancers.get(host);
    const reports = [...cluster.reports.values()].filter(({ value }) => value.host === host);
    const keys = [
      own,
      ...(balancer === undefined ? [] : [{ key: KEYS.balancer(host), revision: balancer.revision }]),
      ...reports.map(({ value, revision }) => ({ key: KEYS.report(host, value.id), revision })),
    ];
    return [{ host, revision: 0, keys }];
  });
}

/** Hosts, live or not, of which something is left: instances, or a load balancer unless the operator removed the host. */
export function hostsKnown(cluster: Cluster): ReadonlySet<string> {
  return new Set([...hostsInUse(cluster), ...[...cluster.balancers.keys()].filter((host) => !isRemoved(cluster, host))]);
}

const hostsInUse = (cluster: Cluster): ReadonlySet<string> =>
  new Set([...cluster.instances.values()].map((instance) => instance.value.host));
