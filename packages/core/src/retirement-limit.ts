import type { Cluster } from './cluster.js';
import type { InstanceView } from './lifecycle.js';
import type { ScalingConfig } from './model.js';

/**
 * How many instances may be retired because of load, beside ramp_limit: no reading, however wrong, empties an endpoint or
 * the cluster faster than people can look. Both limits are counted from the drains that the records tell of, so a new
 * leader keeps to them as the old one did.
 */

/** The cluster drains at most this many in `CLUSTER_WINDOW_MS`: 20 a second for long, 100 at once. */
const CLUSTER_LIMIT = 100;
const CLUSTER_WINDOW_MS = 5_000;
/** Of an endpoint's instances, per window of its rules; one at least. */
const SHARE = 0.25;

/** What the cluster may still retire in this round, over all endpoints. */
export interface RetirementBudget {
  /** How many of `wanted` may go. */
  take(wanted: number): number;
  /** How many it has refused so far. */
  refused(): number;
}

export function openRetirements(cluster: Cluster, nowMs: number): RetirementBudget {
  let left = CLUSTER_LIMIT;
  for (const { value } of cluster.instances.values()) if (drainedWithin(value, nowMs, CLUSTER_WINDOW_MS)) left -= 1;
  let refused = 0;
  return {
    take(wanted) {
      const given = Math.max(0, Math.min(wanted, left));
      left -= given;
      refused += wanted - given;
      return given;
    },
    refused: () => refused,
  };
}

export const CLUSTER_LIMIT_WORDS = `at most ${CLUSTER_LIMIT} instances of the cluster are retired by load in ${CLUSTER_WINDOW_MS / 1000} s`;

/** Instances of an endpoint that were retired within the last window. */
export const recentlyRetired = (own: readonly InstanceView[], nowMs: number, windowMs: number): number =>
  own.filter(({ record }) => drainedWithin(record, nowMs, windowMs)).length;

export interface Retirements {
  /** What the ramp allows. */
  readonly ramped: number;
  /** Of those that may go, the ones above max_instances: they were never load's to keep. */
  readonly above: number;
  /** How many may go: of the others a quarter of what there was a window ago, less the `recent`, those retired since. */
  readonly share: number;
}

/** How many of `excess` instances load may take from an endpoint in one round. */
export function retirementsOf(
  excess: number,
  seats: number,
  recent: number,
  { rampLimit, maxInstances }: Pick<ScalingConfig, 'rampLimit' | 'maxInstances'>,
): Retirements {
  const ramped = Math.min(excess, rampLimit);
  const above = Math.min(ramped, Math.max(0, seats - maxInstances));
  const left = Math.max(0, Math.max(1, Math.floor((seats + recent) * SHARE)) - recent);
  return { ramped, above, share: Math.max(above, Math.min(ramped, left)) };
}

type Drained = Pick<InstanceView['record'], 'phase' | 'drainedAtMs' | 'errored'>;

/** Those that failed do not count: they were lost already. */
function drainedWithin({ phase, drainedAtMs, errored }: Drained, nowMs: number, windowMs: number): boolean {
  return phase !== 'run' && !errored && drainedAtMs !== null && nowMs - drainedAtMs < windowMs;
}
