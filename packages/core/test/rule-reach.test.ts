import fc from 'fast-check';
import {
  ANY_COUNT,
  type CountRange,
  clampRange,
  evaluate,
  fittingRange,
  metricKind,
  narrowRange,
  parseRule,
  type Rule,
  ruleRange,
} from '../src/index.js';
import type { Scope } from '../src/rule-boundary.js';
import { canFall, canRise, canWake, contradiction, idleRules, restless, unfitRules } from '../src/rule-reach.js';

/*
 * What lint claims of all loads is compared with trying: every count from min to max (up to 200) at every load of a grid,
 * by the ranges of count-range.ts. Bounds are halves and loads quarters, so between any two ends of an interval that
 * begins and ends at a multiple of a bound there is a load of the grid: there, not found means that there is none.
 */

const STEP = 0.25;
const BOUND_MAX = 3;

interface Kind {
  readonly metrics: readonly string[];
  readonly maxCount: number;
  readonly sets: number;
}

/** Products of loads grow fast: many counts with one metric, few with two. Up to 6, v = T / n gives T again as v * n. */
const KINDS: readonly Kind[] = [
  { metrics: ['rate', 'instances'], maxCount: 200, sets: 500 },
  { metrics: ['rate', 'active', 'instances'], maxCount: 5, sets: 200 },
  { metrics: ['response', 'instances'], maxCount: 6, sets: 150 },
  { metrics: ['rate', 'response', 'instances'], maxCount: 4, sets: 150 },
];

const halves = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 * most }).map((n) => n / 2);

function ruleArbitrary(metrics: readonly string[], maxCount: number): fc.Arbitrary<Rule> {
  const op = fc.constantFrom('<', '<=');
  return fc
    .record({ metric: fc.constantFrom(...metrics), low: op, high: op, sides: fc.constantFrom('both', 'both', 'lower', 'upper') })
    .chain(({ metric, low, high, sides }) => {
      const bound = halves(metric === 'instances' ? Math.min(maxCount, 8) : BOUND_MAX);
      return fc.tuple(bound, bound).map(([a, b]) => {
        const lower = sides === 'upper' ? '' : `${Math.min(a, b)} ${low} `;
        const upper = sides === 'lower' ? '' : ` ${high} ${Math.max(a, b)}`;
        return parseRule(`${lower}${metric}${upper}`);
      });
    })
    .filter((rule) => rule.ok)
    .map((rule) => (rule.ok ? rule.value : neverRule()));
}

const neverRule = (): never => {
  throw new Error('filtered out');
};

function scopeArbitrary({ metrics, maxCount }: Kind): fc.Arbitrary<Scope> {
  const most = fc.oneof(fc.integer({ min: 1, max: Math.min(6, maxCount) }), fc.integer({ min: 1, max: maxCount }));
  return fc
    .tuple(fc.array(ruleArbitrary(metrics, maxCount), { minLength: 1, maxLength: 4 }), most, fc.integer({ min: 0, max: 4 }))
    .map(([rules, max, min]) => ({ rules, max, min: Math.min(min, max - 1) }));
}

// ---------------------------------------------------------------------------------------------------------------- trying

/** Ranges of each rule at one load and count; null is missing. */
interface Trial {
  readonly n: number;
  readonly ranges: readonly (CountRange | null)[];
  /** By metric. */
  readonly loads: ReadonlyMap<string, number>;
}

/** Every load of the grid, for every n where averages make a difference, else for one that stands for all. */
function trialsOf({ rules, min, max }: Scope): readonly Trial[] {
  const averages = rules.some(({ metric }) => metricKind(metric) === 'average');
  const metrics = [...new Set(rules.map(({ metric }) => metric))].filter((metric) => metric !== 'instances');
  const grid = Array.from({ length: ((max + 1) * BOUND_MAX) / STEP + 1 }, (_, index) => index * STEP);
  return (averages ? countsOf(min, max) : [max]).flatMap((n) => {
    const start: Trial = {
      n,
      ranges: rules.map((rule) => (rule.metric === 'instances' ? rangeAt(rule, n, 0) : null)),
      loads: new Map(),
    };
    return metrics.reduce<readonly Trial[]>(
      (known, metric) => {
        const outcomes = outcomesOf(metric, rules, n, grid);
        return known.flatMap((trial) =>
          outcomes.map(({ load, ranges }) => ({
            n,
            ranges: trial.ranges.map((range, rule) => range ?? ranges[rule]!),
            loads: new Map(trial.loads).set(metric, load),
          })),
        );
      },
      [start],
    );
  });
}

/** What each load of the grid makes of the rules on a metric; of loads that make the same the first is enough. */
function outcomesOf(
  metric: string,
  rules: readonly Rule[],
  n: number,
  grid: readonly number[],
): readonly { readonly load: number; readonly ranges: Trial['ranges'] }[] {
  const outcomes = new Map<string, { readonly load: number; readonly ranges: Trial['ranges'] }>();
  for (const load of grid) {
    const ranges = rules.map((rule) => (rule.metric === metric ? rangeAt(rule, n, load) : null));
    const key = `${load > 0} ${ranges.map((range) => `${range?.lo} ${range?.hi}`)}`;
    if (!outcomes.has(key)) outcomes.set(key, { load, ranges });
  }
  return [...outcomes.values()];
}

function rangeAt(rule: Rule, n: number, total: number): CountRange | null {
  const kind = metricKind(rule.metric);
  if (kind === 'direct') return ruleRange(rule, n, { direct: n });
  if (kind === 'total') return ruleRange(rule, n, { total });
  return n === 0 ? null : ruleRange(rule, n, { average: total / n });
}

const combined = (trial: Trial, { min, max }: Scope, without: ReadonlySet<number> = new Set()): CountRange =>
  clampRange(
    trial.ranges.reduce<CountRange>(
      (range, own, index) => (own === null || without.has(index) ? range : narrowRange(range, own)),
      ANY_COUNT,
    ),
    min,
    max,
  );

const countsOf = (from: number, to: number): readonly number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);

interface Answers {
  readonly rises: boolean;
  readonly wakes: boolean | null;
  readonly falls: boolean;
  readonly fallsInTraffic: boolean;
  readonly idle: readonly number[];
  readonly restlessAt: number | null;
  readonly unfit: readonly string[];
  readonly contradicts: boolean;
}

function tried(scope: Scope): Answers {
  const { rules, min, max } = scope;
  const trials = trialsOf(scope);
  const averages = rules.some(({ metric }) => metricKind(metric) === 'average');
  /** The counts that a trial speaks of. */
  const of = (trial: Trial, from: number, to: number): readonly number[] =>
    averages ? [trial.n].filter((n) => n >= from && n <= to) : countsOf(from, to);
  const first = Math.max(min, 1);
  const ranged = trials.map((trial) => ({ trial, range: combined(trial, scope) }));
  const busy = ranged.filter(({ trial }) =>
    [...trial.loads].every(([metric, load]) => load > 0 || metricKind(metric) !== 'total'),
  );
  const falls = (some: typeof ranged): boolean =>
    some.some(({ trial, range }) => of(trial, min + 1, max).some((n) => range.hi < n));
  return {
    rises: ranged.some(({ trial, range }) => of(trial, first, max - 1).some((n) => range.lo > n)),
    wakes: min > 0 ? null : ranged.some(({ trial, range }) => of(trial, 0, 0).some((n) => range.lo > n)),
    falls: falls(ranged),
    fallsInTraffic: falls(busy),
    idle: idleByTrying(trials, scope),
    restlessAt: restlessByTrying(busy, scope, of),
    unfit: unfitByTrying(scope),
    contradicts: contradictsByTrying(scope),
  };
}

function idleByTrying(trials: readonly Trial[], scope: Scope): readonly number[] {
  const idle = new Set<number>();
  for (const index of scope.rules.map((_, place) => place).reverse()) {
    const more = new Set([...idle, index]);
    const same = trials.every((trial) => {
      const [one, other] = [combined(trial, scope, idle), combined(trial, scope, more)];
      return one.lo === other.lo && one.hi === other.hi;
    });
    if (same) idle.add(index);
  }
  return [...idle].sort((a, b) => a - b);
}

function restlessByTrying(
  busy: readonly { readonly trial: Trial; readonly range: CountRange }[],
  { rules, min, max }: Scope,
  of: (trial: Trial, from: number, to: number) => readonly number[],
): number | null {
  const open = countsOf(Math.max(min, 1), max - 1).filter((k) =>
    rules.every((rule) => {
      if (rule.metric !== 'instances') return true;
      const { lo, hi } = ruleRange(rule, k, { direct: k });
      return lo <= k && hi > k;
    }),
  );
  const calm = new Set(busy.flatMap(({ trial, range }) => of(trial, range.lo, Math.min(range.hi, max) - 1)));
  return open.find((k) => !calm.has(k)) ?? null;
}

function unfitByTrying({ rules, min, max }: Scope): readonly string[] {
  const grid = countsOf(0, ((max + 1) * BOUND_MAX) / STEP).map((quarter) => quarter * STEP);
  return rules.flatMap((rule, index) => {
    if (rule.metric === 'instances') return [];
    const counts = metricKind(rule.metric) === 'average' ? countsOf(Math.max(min, 1), max - 1) : [max];
    const needs = counts.flatMap((k) =>
      grid.flatMap((total) => {
        const { lo, hi } = fittingRange(rule, k, metricKind(rule.metric) === 'average' ? { average: total / k } : { total });
        const stepped = counts[0] === max || lo === k + 1;
        return lo > hi && stepped && lo > Math.max(min, 1) && lo <= max ? [lo - 1] : [];
      }),
    );
    return needs.length === 0 ? [] : [`${index} at ${Math.min(...needs)}`];
  });
}

function contradictsByTrying({ rules, min, max }: Scope): boolean {
  const holds = (value: number, { lower, upper }: Rule): boolean =>
    (lower === null || (lower.op === '<' ? lower.value < value : lower.value <= value)) &&
    (upper === null || (upper.op === '<' ? value < upper.value : value <= upper.value));
  const loads = [...new Set(rules.map(({ metric }) => metric))].filter((metric) => metric !== 'instances');
  return !countsOf(Math.max(min, 1), max).some(
    (count) =>
      rules.every((rule) => rule.metric !== 'instances' || holds(count, rule)) &&
      loads.every((metric) =>
        // Loads of so many quarters for each instance.
        countsOf(1, (BOUND_MAX + 1) / STEP).some((quarter) =>
          rules.every((rule) => rule.metric !== metric || holds((count * quarter * STEP) / count, rule)),
        ),
      ),
  );
}

function claimed(scope: Scope): Answers {
  return {
    rises: canRise(scope),
    wakes: scope.min > 0 ? null : canWake(scope),
    falls: canFall(scope, false),
    fallsInTraffic: canFall(scope, true),
    idle: idleRules(scope),
    restlessAt: restless(scope)?.count ?? null,
    unfit: unfitRules(scope).map(({ rule, count }) => `${rule} at ${count}`),
    contradicts: contradiction(scope) !== null,
  };
}

const shown = ({ rules, min, max }: Scope): string => `${rules.map(({ text }) => text).join(', ')} from ${min} to ${max}`;

test('what is claimed of 1,000 random rule sets is what trying every count at every load of a grid finds', () => {
  const scopes = KINDS.flatMap((kind) => fc.sample(scopeArbitrary(kind), kind.sets));
  expect(scopes).toHaveLength(1000);
  const agreed: Record<string, [yes: number, no: number]> = {};
  const wrong: string[] = [];
  for (const scope of scopes) {
    const [claims, trials] = [claimed(scope), tried(scope)];
    for (const [question, found] of Object.entries(trials)) {
      const claim = claims[question as keyof Answers];
      if (JSON.stringify(claim) !== JSON.stringify(found)) {
        wrong.push(`${shown(scope)}: ${question} claimed ${JSON.stringify(claim)}, found ${JSON.stringify(found)}`);
        continue;
      }
      const no = found === null || found === false || (Array.isArray(found) && found.length === 0);
      const [yes, others] = agreed[question] ?? [0, 0];
      agreed[question] = no ? [yes, others + 1] : [yes + 1, others];
    }
  }
  expect(wrong).toEqual([]);
  const told = Object.entries(agreed).map(([question, [yes, no]]) => `${question} ${yes} yes, ${no} no`);
  console.log(`lint agrees with trying on ${scopes.length} rule sets: ${told.join('; ')}; 0 disagree`);
  for (const [question, [yes, no]] of Object.entries(agreed))
    expect([question, yes > 20, no > 20]).toEqual([question, true, true]);
});

test('what trying compares with is what evaluate answers', () => {
  for (const kind of KINDS) {
    fc.assert(
      fc.property(scopeArbitrary(kind), fc.nat(), fc.nat(), (scope, pick, count) => {
        const trials = trialsOf(scope);
        const trial = trials[pick % trials.length]!;
        const averages = scope.rules.some(({ metric }) => metricKind(metric) === 'average');
        const n = averages ? trial.n : scope.min + (count % (scope.max - scope.min + 1));
        const metrics = Object.fromEntries(
          [...trial.loads].map(([metric, load]) => [
            metric,
            metricKind(metric) === 'total' ? { total: load } : { average: n === 0 ? 0 : load / n },
          ]),
        );
        const { range, wanted } = evaluate({ ...scope, instances: n, metrics });
        const expected = combined(trial, scope);
        expect(range).toEqual(expected);
        expect([wanted > n, wanted < n]).toEqual([expected.lo > n, expected.hi < n]);
      }),
      { numRuns: 100 },
    );
  }
});
