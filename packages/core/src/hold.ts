import type { Hold, ScalingConfig } from './model.js';

/**
 * A count the operator holds: what it means now and in words. It may lie below min_instances, for a hand on the wheel is
 * there to do what the rules would not; max_instances is what the hosts can bear, and stays above it.
 */

type Bounds = Pick<ScalingConfig, 'minInstances' | 'maxInstances'>;

/** Null when nothing is held, or no longer. */
export function activeHold(hold: Hold | undefined, nowMs: number): Hold | null {
  return hold !== undefined && (hold.untilMs === null || nowMs < hold.untilMs) ? hold : null;
}

export const heldCount = (hold: Hold, { maxInstances }: Bounds): number => Math.min(hold.count, maxInstances);

/** In clauses: the hold itself, then which bound it meets. */
export function heldWords(hold: Hold, bounds: Bounds, nowMs: number): readonly string[] {
  const { minInstances: min, maxInstances: max } = bounds;
  const clauses = [`held at ${hold.count} by the operator ${untilWords(hold, nowMs)}`];
  if (hold.count > max) clauses.push(`max_instances caps it at ${max}`);
  else if (hold.count < min) clauses.push(`this is below min_instances ${min}`);
  return clauses;
}

const DAY_MS = 86_400_000;

/** The time in UTC, the same wherever it is read; with the date when it is more than half a day away. */
export function untilWords({ untilMs }: Hold, nowMs: number): string {
  if (untilMs === null) return 'until it is handed back';
  const [date, time] = new Date(untilMs).toISOString().split('T');
  return `until ${untilMs - nowMs > DAY_MS / 2 ? `${date} ` : ''}${time?.slice(0, 5)} UTC`;
}
