/**
 * The targets of the last minutes, as a piecewise constant line, for scaling down slowly. It lives in the cluster state, so
 * a new leader waits as long as the old one would have, and it changes only when the target does.
 *
 * Only what can still matter is kept: a target is dropped as soon as a later one is at least as large, because the later
 * one stays in any period that ends now for longer. So targets strictly fall from oldest to newest.
 */
export interface TargetHistory {
  /**
   * No target above `target` was computed from `sinceMs` until the next entry's `sinceMs`, and `target` itself was; the last
   * one is ongoing.
   */
  readonly targets: readonly { readonly target: number; readonly sinceMs: number }[];
}

type Entry = TargetHistory['targets'][number];

export const NO_HISTORY: TargetHistory = { targets: [] };

/** A fall through more counts than this within one delay is remembered coarsely, never too low. */
const MAX_ENTRIES = 64;

/** When an entry stopped holding. Stamps from a clock that was ahead count as now: they must not hold for ever. */
const endedAt = (targets: readonly Entry[], index: number, atMs: number): number =>
  Math.min(targets[index + 1]?.sinceMs ?? atMs, atMs);

/** The largest target that held at some time in (atMs - delayMs, atMs]; null without one. */
export function largestTarget(history: TargetHistory, atMs: number, delayMs: number): number | null {
  const held = history.targets.filter((_, index, targets) => endedAt(targets, index, atMs) > atMs - delayMs);
  return held.length === 0 ? null : Math.max(...held.map((entry) => entry.target));
}

/** The history after `target` was computed at `atMs`; the same object when that says nothing new. */
export function rememberTarget(history: TargetHistory, atMs: number, target: number, delayMs: number): TargetHistory {
  const last = history.targets.at(-1);
  if (last !== undefined && last.target === target && last.sinceMs <= atMs) return history;
  const kept = history.targets
    .filter((_, index, targets) => endedAt(targets, index, atMs) > atMs - delayMs)
    .map((entry) => (entry.sinceMs > atMs ? { target: entry.target, sinceMs: atMs } : entry));
  const larger = kept.filter((entry) => entry.target > target);
  // What the new target outlives started earlier; from there on nothing above it was computed.
  const sinceMs = kept.find((entry) => entry.target <= target)?.sinceMs ?? atMs;
  const targets = [...larger, { target, sinceMs }];
  // Leaving out the second makes the first, larger one seem to have held longer: later to shrink, never earlier.
  return { targets: targets.length > MAX_ENTRIES ? [targets[0]!, ...targets.slice(2)] : targets };
}
