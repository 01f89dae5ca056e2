import { fittingRange } from './count-range.js';
import type { Rule } from './model.js';
import {
  type Bound,
  type Case,
  casesOf,
  type ExactRule,
  exactRules,
  join,
  openCase,
  type Pull,
  type Scope,
  unfitCase,
} from './rule-boundary.js';

/**
 * The questions that operators have about rules, each answered for all loads and counts at once. Each answer is a theorem
 * about `evaluate`, and a test compares it with trying.
 */

/** Some load makes `evaluate` answer more than n for some n from max(min, 1) to max - 1. */
export function canRise(scope: Scope): boolean {
  return pulled(exactRules(scope.rules), [openCase(Math.max(scope.min, 1), scope.max - 1)], 'up');
}

/** Some load makes `evaluate` answer more than 0 for n = 0; only asked when min is 0. */
export function canWake(scope: Scope): boolean {
  return pulled(exactRules(scope.rules), [openCase(0, 0, 'none')], 'up');
}

/** Some load, with `traffic` one in which no total is 0, makes `evaluate` answer less than n for some n from min + 1 to max. */
export function canFall({ rules, min, max }: Scope, traffic: boolean): boolean {
  const last = min === 0 && max > 0 ? openCase(0, 0, 'many', traffic) : null;
  return pulled(exactRules(rules), [openCase(Math.max(min, 1), max - 1, 'near', traffic), last], 'down');
}

function pulled(rules: readonly ExactRule[], cases: readonly (Case | null)[], pull: Pull): boolean {
  return cases.some((start) => {
    let at = start;
    for (const rule of rules) {
      if (at === null) return false;
      if (join(at, rule, pull) !== null) return true;
      at = join(at, rule, 'agree');
    }
    return false;
  });
}

/**
 * Rules, by index, that can all be left out together: for every n from min to max and every load `evaluate` answers the
 * same range without them. Of two that say the same the later one is named.
 */
export function idleRules(scope: Scope): readonly number[] {
  const rules = exactRules(scope.rules);
  let kept = rules.map((_, index) => index);
  const idle: number[] = [];
  for (const index of kept.toReversed()) {
    if (matters(kept, index, rules, scope)) continue;
    kept = kept.filter((one) => one !== index);
    idle.unshift(index);
  }
  return idle;
}

/** At some boundary it is the first to pull, and without it another one or none would decide. */
function matters(kept: readonly number[], index: number, rules: readonly ExactRule[], scope: Scope): boolean {
  const rule = rules[index]!;
  const earlier = kept.filter((one) => one < index).map((one) => rules[one]!);
  const later = kept.filter((one) => one > index).map((one) => rules[one]!);
  return casesOf(scope, rules).some((start) => {
    const before = earlier.reduce<Case | null>((at, one) => (at === null ? null : join(at, one, 'agree')), start);
    return before !== null && (decides(before, rule, later, 'up') || decides(before, rule, later, 'down'));
  });
}

function decides(before: Case, rule: ExactRule, later: readonly ExactRule[], pull: 'up' | 'down'): boolean {
  let at = join(before, rule, pull);
  for (const one of later) {
    if (at === null) return false;
    if (join(at, one, pull === 'up' ? 'down' : 'up') !== null) return true;
    at = join(at, one, 'agree');
  }
  return at !== null;
}

/** A pair of rules with their lower and upper bound, and the smallest count k at which they meet so. */
export interface Meeting {
  /** By index; the same for a band. */
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/**
 * Whether at some k from max(min, 1) to max - 1, which rules on counts leave open, no load with traffic keeps both k and
 * k+1 when there are k: then each time the load passes there one instance comes or goes. Null if not; else the smallest such k.
 */
export function restless({ rules: given, min, max }: Scope): Meeting | null {
  const rules = exactRules(given);
  let open = openCase(Math.max(min, 1), max - 1, 'near', true);
  for (const rule of rules) if (open !== null && rule.counts !== null) open = join(open, rule, 'agree');
  if (open === null) return null;
  const first: Case = { ...open, to: open.from };
  for (const [upper, high] of rules.entries()) {
    const held = high.counts === null && high.upper !== null ? join(first, { ...high, lower: null }, 'agree') : null;
    for (const [lower, low] of rules.entries()) {
      if (held === null || low.metric !== high.metric || low.lower === null) continue;
      if (join(held, { ...low, upper: null }, 'agree') === null) return { lower, upper, count: Number(first.from) };
    }
  }
  return null;
}

/** Bands that leave, at a load between what k and k+1 of the counts in use carry, no whole number; each with the smallest k. */
export function unfitRules({ rules, min, max }: Scope): readonly { readonly rule: number; readonly count: number }[] {
  const open = openCase(Math.max(min, 1), max - 1);
  return exactRules(rules).flatMap((exact, rule) => {
    const unfit = open === null || exact.counts !== null ? null : unfitCase(open, exact);
    return unfit === null ? [] : [{ rule, count: Number(unfit.from) }];
  });
}

/**
 * Rules that cannot all be satisfied by any load above 0 and any count from max(min, 1) to max: the first that is left
 * nothing, with the earlier one that excludes it, or null when it fits none of those counts by itself.
 */
export function contradiction(scope: Scope): { readonly rule: number; readonly by: number | null } | null {
  const rules = exactRules(scope.rules);
  for (const [index, rule] of rules.entries()) {
    if (rule.counts !== null && !fitsSomeCount(scope.rules[index]!, scope)) return { rule: index, by: null };
    const by = rules.findIndex((other, place) => place < index && other.metric === rule.metric && disjoint(rule, other));
    if (by !== -1) return { rule: index, by };
  }
  return null;
}

function fitsSomeCount(rule: Rule, { min, max }: Scope): boolean {
  const { lo, hi } = fittingRange(rule, 0, { direct: 0 });
  return lo <= hi && lo <= max && hi >= Math.max(min, 1);
}

/** No value, or no whole number, satisfies both. */
function disjoint(one: ExactRule, other: ExactRule): boolean {
  if (one.counts !== null && other.counts !== null) return one.counts.hi < other.counts.lo || other.counts.hi < one.counts.lo;
  return apart(one.upper, other.lower) || apart(other.upper, one.lower);
}

/** Nothing is both within the upper and within the lower bound. */
const apart = (upper: Bound | null, lower: Bound | null): boolean =>
  upper !== null &&
  lower !== null &&
  (upper.value < lower.value || (upper.value === lower.value && !(upper.closed && lower.closed)));
