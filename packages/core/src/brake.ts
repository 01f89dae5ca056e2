import { type Cluster, isRemoved } from './cluster.js';
import { hostsKnown } from './plan-hosts.js';

/**
 * The brake: when most hosts seem to be lost at once, it is far more likely that we are the ones cut off. Then nothing is
 * concluded from their absence: no instance of theirs is replaced, and none anywhere is retired. Not its purpose: to stop
 * what answers growing load, or what the operator asks for.
 */
export interface Brake {
  /** Lost together, ascending. */
  readonly lost: readonly string[];
  /** Live and lost. */
  readonly hosts: number;
  /** Both in words, e.g. `3 of 4 hosts were lost within 60 s`. */
  readonly words: string;
}

/** Longer than it takes for the leases of one and the same event to run out and be noticed; losses further apart are several events. */
const TOGETHER_MS = 60_000;

/** Null unless more than half of all hosts went missing together. Hosts that the operator removed do not count. */
export function brakeOf(cluster: Cluster, nowMs: number): Brake | null {
  const away = [...hostsKnown(cluster)]
    .filter((host) => !cluster.hosts.has(host) && !isRemoved(cluster, host))
    // Not noted yet: found missing in this very round.
    .map((host) => ({ host, sinceMs: cluster.losses.get(host)?.value.sinceMs ?? nowMs }));
  const hosts = cluster.hosts.size + away.length;
  let together: readonly string[] = [];
  for (const first of away) {
    const group = away.filter(({ sinceMs }) => sinceMs >= first.sinceMs && sinceMs - first.sinceMs <= TOGETHER_MS);
    if (group.length > together.length) together = group.map(({ host }) => host);
  }
  if (together.length * 2 <= hosts) return null;
  const words = `${together.length} of ${hosts} hosts were lost within ${TOGETHER_MS / 1000} s`;
  return { lost: [...together].sort(), hosts, words };
}
