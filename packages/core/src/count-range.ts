import type { Comparison, Rule } from './model.js';

/**
 * From one rule and one reading to the instance counts that satisfy it, and how ranges of several rules combine.
 * "Satisfies" is the comparison itself in IEEE doubles; dividing by a growing count never grows the quotient, so an
 * estimate by division is corrected by the comparison until it is exact.
 */

/** Whole numbers `lo <= n <= hi`; `hi` may be Infinity. */
export interface CountRange {
  readonly lo: number;
  readonly hi: number;
}

/** total: cluster-wide sum; average: mean over the running instances; direct: the count itself. Finite, not negative. */
export type Reading = { readonly total: number } | { readonly average: number } | { readonly direct: number };

export const ANY_COUNT: CountRange = { lo: 0, hi: Number.POSITIVE_INFINITY };
/** Beyond this, neighbouring counts are the same double. No cluster is near it; max_instances cuts it anyway. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

const satisfies = (value: number, op: Comparison, bound: number): boolean => (op === '<' ? value < bound : value <= bound);

/** The counts `rule` allows, never empty: when no whole number fits the band, the upper bound, which protects the service, wins. */
export function ruleRange(rule: Rule, n: number, reading: Reading, settled = n): CountRange {
  const range = fittingRange(rule, n, reading, settled);
  return range.lo > range.hi ? { lo: range.lo, hi: range.lo } : range;
}

/**
 * As `ruleRange`, but `lo > hi` when no whole number fits. An average over no instance says nothing. `settled` of the n
 * instances served while the average was taken: growth is reckoned from those, else a slow second would double the count
 * again every round until the new instances have changed the average.
 */
export function fittingRange(rule: Rule, n: number, reading: Reading, settled = n): CountRange {
  if ('direct' in reading) return directRange(rule);
  if ('total' in reading) return totalRange(rule, reading.total);
  if (n < 1) return ANY_COUNT;
  // Latency does not fall in proportion to the count, so one decision at most doubles or halves it.
  const served = Math.max(1, Math.min(settled, n));
  return {
    lo: Math.min(least(rule, reading.average * served), 2 * served),
    hi: Math.max(most(rule, reading.average * n), Math.ceil(n / 2)),
  };
}

function totalRange(rule: Rule, total: number): CountRange {
  return { lo: least(rule, total), hi: most(rule, total) };
}

/** The smallest n >= 1 for which total/n is within the upper bound; 0 without load or bound. */
function least(rule: Rule, total: number): number {
  if (rule.upper === null || total === 0) return 0;
  const { op, value } = rule.upper;
  const fits = (n: number): boolean => satisfies(total / n, op, value);
  // The quotient is within one rounding of the answer, so each loop runs a step or two.
  let n = Math.min(MAX_COUNT, Math.max(1, Math.floor(total / value)));
  while (n < MAX_COUNT && !fits(n)) n++;
  while (n > 1 && fits(n - 1)) n--;
  return n;
}

/** The largest n for which total/n is within the lower bound; 0 when not even one instance gets that much. */
function most(rule: Rule, total: number): number {
  if (rule.lower === null) return Number.POSITIVE_INFINITY;
  const { op, value } = rule.lower;
  if (total === 0) return satisfies(value, op, 0) ? Number.POSITIVE_INFINITY : 0;
  if (value === 0) return Number.POSITIVE_INFINITY;
  const fits = (n: number): boolean => satisfies(value, op, total / n);
  if (!fits(1)) return 0;
  let n = Math.min(MAX_COUNT, Math.max(1, Math.floor(total / value)));
  while (n > 1 && !fits(n)) n--;
  while (n < MAX_COUNT && fits(n + 1)) n++;
  return n;
}

/** The bounds themselves; strict ones move by one and fractions round inward. */
function directRange(rule: Rule): CountRange {
  const { lower, upper } = rule;
  return {
    lo: lower === null ? 0 : lower.op === '<' ? Math.floor(lower.value) + 1 : Math.ceil(lower.value),
    hi: upper === null ? Number.POSITIVE_INFINITY : upper.op === '<' ? Math.ceil(upper.value) - 1 : Math.floor(upper.value),
  };
}

/** Earlier rules take precedence: a later one that contradicts them only pulls to the nearest count they allow. */
export function narrowRange(earlier: CountRange, later: CountRange): CountRange {
  const lo = Math.max(earlier.lo, later.lo);
  const hi = Math.min(earlier.hi, later.hi);
  if (lo <= hi) return { lo, hi };
  return later.hi < earlier.lo ? { lo: earlier.lo, hi: earlier.lo } : { lo: earlier.hi, hi: earlier.hi };
}

/** The part of `range` within [min, max], or the end of [min, max] nearest to it. */
export function clampRange(range: CountRange, min: number, max: number): CountRange {
  const lo = Math.max(range.lo, min);
  const hi = Math.min(range.hi, max);
  if (lo <= hi) return { lo, hi };
  return range.lo > max ? { lo: max, hi: max } : { lo: min, hi: min };
}

/** In words, after "allows" or "within". */
export function rangeWords(range: CountRange): string {
  if (range.lo === range.hi) return `exactly ${range.lo}`;
  if (range.hi === Number.POSITIVE_INFINITY) return range.lo === 0 ? 'any count' : `at least ${range.lo}`;
  return range.lo === 0 ? `at most ${range.hi}` : `${range.lo} to ${range.hi}`;
}
