import fc from 'fast-check';
import {
  type Comparison,
  type CountRange,
  clampRange,
  fittingRange,
  narrowRange,
  parseRule,
  type Rule,
  ruleRange,
} from '../src/index.js';

function rule(text: string): Rule {
  const result = parseRule(text);
  if (!result.ok) throw new Error(result.fault.message);
  return result.value;
}

const INF = Number.POSITIVE_INFINITY;
const holds = (value: number, op: Comparison, bound: number): boolean => (op === '<' ? value < bound : value <= bound);

/** The definition itself, by trying every count up to `last`. */
function bruteForce({ lower, upper }: Rule, total: number, last: number): CountRange {
  const counts = Array.from({ length: last }, (_, i) => i + 1);
  const lo = total === 0 || upper === null ? 0 : (counts.find((n) => holds(total / n, upper.op, upper.value)) ?? last + 1);
  if (lower === null) return { lo, hi: INF };
  if (total === 0) return { lo, hi: holds(lower.value, lower.op, 0) ? INF : 0 };
  if (lower.value === 0) return { lo, hi: INF };
  const hi = counts.findLast((n) => holds(lower.value, lower.op, total / n)) ?? 0;
  return { lo, hi: hi === last ? last + 1 : hi };
}

describe('one rule on a total', () => {
  test.each([
    ['rate < 10', 40, [5, INF]],
    ['rate <= 10', 40, [4, INF]],
    ['10 < rate', 40, [0, 3]],
    ['10 <= rate', 40, [0, 4]],
    ['10 <= rate', 9, [0, 0]],
    ['10 <= active <= 30', 240, [8, 24]],
    ['0 < rate < 1', 0.1, [1, INF]],
    ['0 < rate < 1', 0, [0, 0]],
    ['0 <= rate < 1', 0, [0, INF]],
    ['rate < 1', 0, [0, INF]],
    // 0.3 / 3 is 0.09999999999999999 in doubles, so the comparison itself says that three are enough.
    ['rate < 0.1', 0.3, [3, INF]],
  ])('%s at %d', (text, total, [lo, hi]) => {
    expect(ruleRange(rule(text), 1, { total })).toEqual({ lo, hi });
  });

  test('agrees with trying every count up to 300', () => {
    // Multiples of the bounds, where < and <= and rounding differ, and anything else.
    const bound = fc.oneof(
      fc.integer({ min: 1, max: 60 }).map((n) => n / 10),
      fc.double({ min: 0.01, max: 100, noNaN: true }),
    );
    const op = fc.constantFrom('<' as const, '<=' as const);
    const side = fc.option(fc.record({ value: bound, op }));
    fc.assert(
      fc.property(
        side,
        side,
        fc.integer({ min: 0, max: 250 }),
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.boolean(),
        (a, b, k, x, exact) => {
          const subject: Rule = { text: '', metric: 'rate', lower: a, upper: b };
          const unit = b?.value ?? a?.value ?? 1;
          const total = exact ? k * unit : x * unit;
          const found = fittingRange(subject, 1, { total });
          const capped = { lo: Math.min(found.lo, 301), hi: found.hi === INF ? INF : Math.min(found.hi, 301) };
          expect(capped).toEqual(bruteForce(subject, total, 300));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('more load never needs fewer', () => {
    const load = fc.double({ min: 0, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(load, load, fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (a, b, bound) => {
        const subject: Rule = { text: '', metric: 'rate', lower: null, upper: { value: bound, op: '<' } };
        const need = (total: number): number => ruleRange(subject, 1, { total }).lo;
        expect(need(Math.max(a, b))).toBeGreaterThanOrEqual(need(Math.min(a, b)));
      }),
    );
  });

  test('absurd loads give counts, at once', () => {
    const huge = ruleRange(rule('0.001 < rate < 0.002'), 1, { total: Number.MAX_VALUE });
    expect(Number.isSafeInteger(huge.lo)).toBe(true);
    expect(huge.hi).toBeGreaterThanOrEqual(huge.lo);
    expect(ruleRange(rule('rate < 1'), 1, { total: Number.MIN_VALUE })).toEqual({ lo: 1, hi: INF });
  });
});

describe('one rule on an average', () => {
  test.each([
    ['response < 300ms', 4, 3, [8, INF]],
    ['response < 300ms', 4, 0.35, [5, INF]],
    ['100ms <= response < 300ms', 8, 0.001, [1, 4]],
    ['100ms <= response < 300ms', 7, 0, [0, 4]],
    ['response < 300ms', 0, 3, [0, INF]],
  ])('%s with %d instances at %d', (text, n, average, [lo, hi]) => {
    expect(ruleRange(rule(text), n, { average })).toEqual({ lo, hi });
  });
});

describe('a rule on the count itself', () => {
  test.each([
    ['2 <= instances <= 10', [2, 10]],
    ['2 < instances < 10', [3, 9]],
    ['2.5 < instances < 9.5', [3, 9]],
    ['2.5 <= instances <= 9.5', [3, 9]],
    ['2 <= instances', [2, INF]],
    ['2.2 < instances < 2.8', [3, 3]],
  ])('%s', (text, [lo, hi]) => {
    expect(ruleRange(rule(text), 7, { direct: 7 })).toEqual({ lo, hi });
  });
});

describe('combining', () => {
  test('a band no whole number fits obeys its upper bound', () => {
    expect(fittingRange(rule('0.5 < rate < 1'), 5, { total: 0.5 })).toEqual({ lo: 1, hi: 0 });
    expect(ruleRange(rule('0.5 < rate < 1'), 5, { total: 0.5 })).toEqual({ lo: 1, hi: 1 });
  });

  test('a contradicting later rule pulls to the nearest count the earlier allow', () => {
    expect(narrowRange({ lo: 4, hi: 8 }, { lo: 6, hi: 20 })).toEqual({ lo: 6, hi: 8 });
    expect(narrowRange({ lo: 4, hi: 8 }, { lo: 0, hi: 2 })).toEqual({ lo: 4, hi: 4 });
    expect(narrowRange({ lo: 4, hi: 8 }, { lo: 12, hi: 20 })).toEqual({ lo: 8, hi: 8 });
  });

  test('min and max stand above the rules', () => {
    expect(clampRange({ lo: 0, hi: INF }, 1, 5)).toEqual({ lo: 1, hi: 5 });
    expect(clampRange({ lo: 9, hi: INF }, 1, 5)).toEqual({ lo: 5, hi: 5 });
    expect(clampRange({ lo: 0, hi: 0 }, 1, 5)).toEqual({ lo: 1, hi: 1 });
  });
});
