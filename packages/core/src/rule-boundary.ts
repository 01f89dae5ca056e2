import { ruleRange } from './count-range.js';
import type { Rule } from './model.js';
import { type MetricKind, metricKind, plainNumber } from './rule.js';

/**
 * What rules can do at all, over every load there may be, without trying any.
 *
 * Rules meet at the boundaries between neighbouring counts. At the boundary of k and k+1 a rule that allows both agrees;
 * else it pulls up (it asks for k+1 or more) or down (it allows at most k), and the first rule that does not agree decides.
 * The range that `evaluate` answers begins after the last boundary that is pulled up and ends before the first pulled down.
 *
 * The load of a metric is its total T; an average over n instances counts as T = average * n, with n any count from min to
 * max. Where T has to lie for a rule to agree or pull at k is an interval, and its ends are multiples of k or k+1. Metrics
 * are independent, so "these agree and that one pulls up" can be had at k if for every metric each lower end is below
 * each upper end: one linear inequality in k for each pair. Bounds count as the decimal fractions that were written;
 * `evaluate` compares doubles, and may differ from this where a load hits a bound to the last digit.
 */

export type Pull = 'agree' | 'up' | 'down';

/** The counts in use, and their rules. */
export interface Scope {
  readonly rules: readonly Rule[];
  readonly min: number;
  readonly max: number;
}

/** T is above or below `factor * (k + shift)`, or on it if closed. */
interface End {
  readonly factor: bigint;
  readonly shift: 0n | 1n;
  readonly closed: boolean;
}

interface Ends {
  readonly lowers: readonly End[];
  readonly uppers: readonly End[];
}

/**
 * Over how many instances averages were taken, as seen from the boundary. One decision at most doubles or halves, so over
 * `many` (2k+1 or more) they cannot pull down to k, and over `few` (k/2 or fewer) they cannot pull up; over `none` they
 * are missing.
 */
type View = 'near' | 'many' | 'few' | 'none';

/** Boundaries `from <= k <= to` at which everything asked so far can be had. */
export interface Case {
  readonly from: bigint;
  readonly to: bigint;
  readonly view: View;
  /** Whether totals of 0 are left out. */
  readonly traffic: boolean;
  readonly ends: ReadonlyMap<string, Ends>;
}

/** A rule with its bounds as whole multiples of a unit that all rules share. */
export interface ExactRule {
  readonly metric: string;
  readonly kind: MetricKind;
  readonly lower: Bound | null;
  readonly upper: Bound | null;
  /** Of a rule on counts. */
  readonly counts: { readonly lo: bigint; readonly hi: bigint } | null;
}

export interface Bound {
  readonly value: bigint;
  readonly closed: boolean;
}

export function exactRules(rules: readonly Rule[]): readonly ExactRule[] {
  const bounds = rules.flatMap(({ lower, upper }) => [lower, upper]).filter((bound) => bound !== null);
  const places = Math.max(0, ...bounds.map(({ value }) => plainNumber(value).split('.')[1]?.length ?? 0));
  const exact = (bound: Rule['lower']): Bound | null => {
    if (bound === null) return null;
    const [whole = '0', fraction = ''] = plainNumber(bound.value).split('.');
    return { value: BigInt(whole + fraction.padEnd(places, '0')), closed: bound.op === '<=' };
  };
  return rules.map((rule) => {
    const kind = metricKind(rule.metric);
    const counts = kind === 'direct' ? ruleRange(rule, 0, { direct: 0 }) : null;
    return {
      metric: rule.metric,
      kind,
      lower: exact(rule.lower),
      upper: exact(rule.upper),
      counts: counts === null ? null : { lo: whole(counts.lo), hi: whole(counts.hi) },
    };
  });
}

const whole = (count: number): bigint => BigInt(Math.min(count, Number.MAX_SAFE_INTEGER));

/** Null when there is no boundary from `from` to `to`. */
export function openCase(from: number, to: number, view: View = 'near', traffic = false): Case | null {
  return from > to ? null : { from: BigInt(from), to: BigInt(to), view, traffic, ends: new Map() };
}

/** Every boundary of the scope in every view that is possible there; the boundary of 0 and 1 stands alone. */
export function casesOf({ min, max }: Scope, rules: readonly ExactRule[]): readonly Case[] {
  const first = Math.max(min, 1);
  const last = max - 1;
  const zero = min === 0 && max > 0;
  if (!rules.some(({ kind }) => kind === 'average')) {
    return [zero ? openCase(0, 0) : null, openCase(first, last)].filter((one) => one !== null);
  }
  return [
    openCase(first, last),
    openCase(first, Math.floor(last / 2), 'many'),
    openCase(2 * first, last, 'few'),
    zero ? openCase(0, 0, 'many') : null,
    zero ? openCase(0, 0, 'none') : null,
    zero ? openCase(1, last, 'none') : null,
  ].filter((one) => one !== null);
}

/** What is left of the case when the rule does that as well; null for nothing. */
export function join(at: Case, rule: ExactRule, pull: Pull): Case | null {
  if (rule.counts !== null) return joinCounts(at, rule.counts, pull);
  if (rule.kind === 'average' && at.view === 'none') return pull === 'agree' ? at : null;
  const added = endsOf(at, rule, pull);
  if (added === null) return null;
  const silence = { factor: 0n, shift: 0n, closed: !at.traffic || rule.kind === 'average' } as const;
  let { lowers, uppers } = at.ends.get(rule.metric) ?? { lowers: [silence], uppers: [] };
  let { from, to } = at;
  const meet = (lower: End, upper: End): void => {
    const span = between(lower, upper);
    if (span.from !== null && span.from > from) from = span.from;
    if (span.to !== null && span.to < to) to = span.to;
  };
  for (const lower of added.lowers) {
    for (const upper of uppers) meet(lower, upper);
    lowers = withTightest(lowers, lower, (a, b) => a.factor - b.factor);
  }
  for (const upper of added.uppers) {
    for (const lower of lowers) meet(lower, upper);
    uppers = withTightest(uppers, upper, (a, b) => b.factor - a.factor);
  }
  return from > to ? null : { ...at, from, to, ends: new Map(at.ends).set(rule.metric, { lowers, uppers }) };
}

function joinCounts(at: Case, { lo, hi }: { readonly lo: bigint; readonly hi: bigint }, pull: Pull): Case | null {
  const least = pull === 'agree' ? lo : pull === 'down' ? hi : at.from;
  const most = pull === 'agree' ? hi - 1n : pull === 'up' ? lo - 1n : at.to;
  // biome-ignore lint/complexity/useMathMinMax: Math.max takes no bigint
  const from = least > at.from ? least : at.from;
  const to = most < at.to ? most : at.to;
  return from > to ? null : { ...at, from, to };
}

/** Where T has to lie for the rule to do that; null when it never does. */
function endsOf(at: Case, { kind, lower, upper }: ExactRule, pull: Pull): Ends | null {
  const view = kind === 'average' ? at.view : 'near';
  // Nobody is there to share it: only silence needs no instance.
  const shared = at.to === 0n ? { value: 0n, closed: true } : upper;
  const most: End | null =
    upper === null || shared === null || view === 'few' ? null : { factor: shared.value, shift: 0n, closed: shared.closed };
  const least: End | null = lower === null || view === 'many' ? null : { factor: lower.value, shift: 1n, closed: lower.closed };
  const within = most === null ? [] : [most];
  if (pull === 'agree') return { lowers: least === null ? [] : [least], uppers: within };
  if (pull === 'up') return most === null ? null : { lowers: [beyond(most)], uppers: [] };
  // Where no count fits, the upper bound wins: that is a pull up.
  return least === null ? null : { lowers: [], uppers: [beyond(least), ...within] };
}

/** The other side of the same end. */
const beyond = (end: End): End => ({ ...end, closed: !end.closed });

/** Of ends that move alike with k one is the tightest for every k. */
function withTightest(ends: readonly End[], added: End, order: (a: End, b: End) => bigint): readonly End[] {
  const rival = ends.find(({ shift }) => shift === added.shift);
  if (rival === undefined) return [...ends, added];
  const ahead = order(added, rival);
  return ahead > 0n || (ahead === 0n && !added.closed) ? ends.map((end) => (end === rival ? added : end)) : ends;
}

/** The k for which some T lies between the two: `slope * k <= room`. Null is no limit. */
function between(lower: End, upper: End): { readonly from: bigint | null; readonly to: bigint | null } {
  const slope = lower.factor - upper.factor;
  const room = upper.factor * upper.shift - lower.factor * lower.shift - (lower.closed && upper.closed ? 0n : 1n);
  if (slope > 0n) return { from: null, to: floorDivide(room, slope) };
  if (slope < 0n) return { from: -floorDivide(room, -slope), to: null };
  return { from: null, to: room < 0n ? -1n : null };
}

function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend % divisor < 0n ? quotient - 1n : quotient;
}

/** The boundaries at which loads exist that leave a rule's own range empty: too much for k instances, too little for k+1. */
export function unfitCase(at: Case, { lower, upper }: ExactRule): Case | null {
  if (lower === null || upper === null) return null;
  const above: End = { factor: upper.value, shift: 0n, closed: !upper.closed };
  const below: End = { factor: lower.value, shift: 1n, closed: !lower.closed };
  const { from, to } = between(above, below);
  const span = { from: from !== null && from > at.from ? from : at.from, to: to !== null && to < at.to ? to : at.to };
  return span.from > span.to ? null : { ...at, ...span };
}
