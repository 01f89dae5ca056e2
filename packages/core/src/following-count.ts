import type { DecisionRecord } from './decision-record.js';
import { retirementsOf } from './retirement-limit.js';

/**
 * A count that follows its targets as a planned one does, where there are no instances to plan with: up by those that still
 * drain and by what the ramp starts, down by what one endpoint may retire. Left out: hosts without room, failures, and the
 * cluster's own limit on retirements.
 */
export interface FollowingCount {
  /** Meant to run. */
  readonly instances: number;
  /** How many were retired when, oldest first; those that can be taken back, and those of the last window. */
  readonly drained: readonly Drained[];
}

type Drained = readonly [atMs: number, count: number];

export interface FollowedCount extends FollowingCount {
  /** Of those that came: the others were taken back. */
  readonly started: number;
}

/** The count after a decision about it was carried out. `drained` is the same object when none came back or left. */
export function followTarget(from: FollowingCount, record: DecisionRecord, decommissionedTimeoutMs: number): FollowedCount {
  const { instances: n, target, atMs, scaling } = record;
  const still = (one: Drained): boolean => atMs - one[0] < Math.max(scaling.windowMs, decommissionedTimeoutMs);
  if (target > n) {
    const drained = [...from.drained];
    let missing = target - n;
    // The newest first, as long as it was not stopped.
    while (missing > 0 && drained.length > 0 && atMs - drained.at(-1)![0] < decommissionedTimeoutMs) {
      const [leftMs, count] = drained.pop()!;
      if (count > missing) drained.push([leftMs, count - missing]);
      missing -= Math.min(count, missing);
    }
    const started = Math.min(missing, scaling.rampLimit);
    const back = target - n - missing;
    return { instances: n + back + started, drained: back > 0 ? drained.filter(still) : from.drained, started };
  }
  const left = retired(from, record);
  if (left === 0) return { instances: n, drained: from.drained, started: 0 };
  return { instances: n - left, drained: bounded([...from.drained.filter(still), [atMs, left]]), started: 0 };
}

/** It may be kept in the cluster state. More entries than this are remembered coarsely: the oldest as if they had left together. */
const MAX_ENTRIES = 64;

function bounded(drained: readonly Drained[]): readonly Drained[] {
  const [first, second, ...rest] = drained;
  if (drained.length <= MAX_ENTRIES || first === undefined || second === undefined) return drained;
  return [[second[0], first[1] + second[1]], ...rest];
}

function retired({ drained }: FollowingCount, { instances: n, target, atMs, scaling, state, kinds }: DecisionRecord): number {
  if (state !== 'RUNNING') return n - target;
  if (kinds.includes('hold_by_operator')) return Math.min(n - target, scaling.rampLimit);
  const recent = drained.reduce((sum, [leftMs, count]) => (atMs - leftMs < scaling.windowMs ? sum + count : sum), 0);
  return retirementsOf(n - target, n, recent, scaling).share;
}
