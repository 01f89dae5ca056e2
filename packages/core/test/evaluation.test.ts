import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { evaluate, evaluateJson, parseRules, ReactorError, type Rule } from '../src/index.js';

interface Vector {
  readonly name?: string;
  readonly input: { readonly rules: readonly string[]; readonly min: number; readonly max: number };
  readonly expect: { readonly range: readonly [number, number]; readonly target: number };
}

const vectors = JSON.parse(readFileSync(new URL('./vectors/scaling.json', import.meta.url), 'utf8')) as readonly Vector[];

function rules(text: string): readonly Rule[] {
  const result = parseRules(text);
  if (!result.ok) throw new Error(result.fault.message);
  return result.value;
}

type Metrics = Parameters<typeof evaluate>[0]['metrics'];
const at = (text: string, instances: number, metrics: Metrics, min = 1, max = 20) =>
  evaluate({ rules: rules(text), min, max, instances, metrics });

describe('worked cases', () => {
  test.each(vectors.map((vector, i) => [vector.name ?? `case ${i + 1}`, vector] as const))('%s', (_, vector) => {
    const answer = JSON.parse(evaluateJson(JSON.stringify(vector.input)));
    expect({ range: answer.range, target: answer.target }).toEqual(vector.expect);
    expect(answer.reasons.length).toBeGreaterThan(0);
  });
});

describe('the evaluation explains itself', () => {
  test('which rule set which end, and what it alone allows', () => {
    const evaluation = at('2 <= instances, 10 <= active <= 30', 4, { active: { total: 240 } });
    expect(evaluation).toMatchObject({ lowerBy: 1, upperBy: 1, rulesRange: { lo: 8, hi: 24 }, choice: 'middle' });
    expect(evaluation.rules.map((outcome) => outcome.range)).toEqual([
      { lo: 2, hi: Number.POSITIVE_INFINITY },
      { lo: 8, hi: 24 },
    ]);
  });

  test('a band no whole number fits', () => {
    const evaluation = at('0.5 < rate < 1', 5, { rate: { total: 0.5 } });
    expect(evaluation.kinds).toContain('unfit');
    expect(evaluation.reasons[0]).toBe(
      'no instance count satisfies 0.5 < rate < 1 at a total rate of 0.5; the upper bound wins: exactly 1',
    );
  });

  test('a rule that earlier ones overrule', () => {
    const evaluation = at('10 <= active <= 30, response < 0.3', 4, { active: { total: 40 }, response: { average: 0.9 } });
    expect(evaluation.rules.map((outcome) => outcome.overruled)).toEqual([false, true]);
  });

  test('a metric nobody reports is named, with the one that was probably meant', () => {
    const evaluation = at('rat < 1', 3, {});
    expect(evaluation.missing).toEqual(['rat']);
    expect(evaluation.rules[0]).toMatchObject({ value: null, range: null });
    expect(evaluation.reasons[0]).toBe(
      "rule 1 'rat < 1' is skipped, no data for rat: no source reports 'rat'; did you mean 'rate'?",
    );
  });

  test('a missing metric holds the count up and says so', () => {
    const evaluation = at('rate < 10, 1 <= rate, response < 1', 8, { rate: { total: 4 } });
    expect(evaluation).toMatchObject({ wanted: 2, target: 8, missing: ['response'] });
    expect(evaluation.kinds).toContain('hold');
  });

  test('names like those of object properties are metrics as others', () => {
    expect(at('constructor < 1, __proto__ < 1', 3, {}).missing).toEqual(['constructor', '__proto__']);
  });

  test('a reading that is no number is no data', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      expect(at('10 <= rate', 5, { rate: { total: value } })).toMatchObject({ missing: ['rate'], target: 5 });
    }
  });
});

describe('properties', () => {
  const text = fc.constantFrom(
    'rate < 7',
    '2 <= rate < 5',
    '0 < rate < 1',
    '3 <= instances <= 6',
    'p95 < 0.3',
    '0.1 < p95',
    '4 < active',
  );
  const reading = fc.double({ min: 0, max: 200, noNaN: true });
  const scene = fc.record({
    list: fc.array(text, { maxLength: 4 }),
    min: fc.integer({ min: 0, max: 5 }),
    span: fc.integer({ min: 0, max: 15 }),
    instances: fc.integer({ min: 0, max: 25 }),
    rate: reading,
    active: reading,
    p95: reading,
  });

  test('the target is a whole number within min and max, and so is the range', () => {
    fc.assert(
      fc.property(scene, ({ list, min, span, instances, rate, active, p95 }) => {
        const metrics = { rate: { total: rate }, active: { total: active }, p95: { average: p95 / 100 } };
        const { target, range } = at(list.join(','), instances, metrics, min, min + span);
        expect(Number.isInteger(target)).toBe(true);
        for (const value of [target, range.lo, range.hi]) {
          expect(value).toBeGreaterThanOrEqual(min);
          expect(value).toBeLessThanOrEqual(min + span);
        }
        expect(range.lo).toBeLessThanOrEqual(range.hi);
      }),
    );
  });

  test('leaving metrics out never lowers the target below min(target, n)', () => {
    fc.assert(
      fc.property(scene, fc.subarray(['rate', 'active', 'p95']), ({ list, min, span, instances, rate, active, p95 }, kept) => {
        const metrics: Metrics = { rate: { total: rate }, active: { total: active }, p95: { average: p95 / 100 } };
        const fewer = Object.fromEntries(kept.map((name) => [name, metrics[name]!]));
        const all = at(list.join(','), instances, metrics, min, min + span).target;
        const some = at(list.join(','), instances, fewer, min, min + span).target;
        expect(some).toBeGreaterThanOrEqual(Math.min(all, instances));
      }),
    );
  });

  test('with one upper bound on a total, more load never means a lower target', () => {
    fc.assert(
      fc.property(reading, reading, fc.integer({ min: 0, max: 25 }), (a, b, n) => {
        const target = (total: number): number => at('rate < 7', n, { rate: { total } }).target;
        expect(target(Math.max(a, b))).toBeGreaterThanOrEqual(target(Math.min(a, b)));
      }),
    );
  });
});

describe('the line protocol', () => {
  const good = { rules: ['0 < rate < 1'], min: 1, max: 5, instances: 1, metrics: { rate: { total: 33.01 } } };
  const told = (line: string): string => {
    try {
      return evaluateJson(line);
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      return `${error.code}: ${error.message}`;
    }
  };

  test('answers one line with range, target and reasons', () => {
    const answer = JSON.parse(evaluateJson(JSON.stringify(good)));
    expect(Object.keys(answer)).toEqual(['range', 'target', 'reasons']);
    expect(answer).toMatchObject({ range: [5, 5], target: 5 });
  });

  test.each([
    [{ ...good, min: -1 }, 'min: -1 is negative, expected 0 or more'],
    [{ ...good, max: 1.5 }, 'max: expected a whole number, found 1.5'],
    [{ ...good, min: 6 }, 'min: 6 is above max 5'],
    [{ ...good, instances: '3' }, 'instances: expected a number, found "3"'],
    [{ ...good, rules: 'rate < 1' }, 'rules: expected a list of texts, found "rate < 1"'],
    [{ ...good, rules: [7] }, 'rules: rule 1: expected a text, found 7'],
    [{ ...good, rules: ['rate > 1'] }, `rules: rule 1 "rate > 1", column 6: use 'lower < metric < upper'; write '1 < rate'`],
    [{ ...good, metrics: [] }, 'metrics: expected an object of metrics by name, found []'],
    [{ ...good, metrics: { rate: 3 } }, 'metrics: "rate": expected {"total":number} or {"average":number}, found 3'],
    [{ ...good, metrics: { rate: { total: -5 } } }, 'metrics: "rate": -5 is negative, expected 0 or more'],
    [{ ...good, metrics: { rate: { total: null } } }, 'metrics: "rate": expected a number, found null'],
    [{ ...good, metrics: undefined }, '"metrics" is missing; expected "rules", "min", "max", "instances" and "metrics"'],
    [[good], 'expected a JSON object with "rules", "min", "max", "instances" and "metrics", found ['],
  ])('refuses %j', (input, message) => {
    expect(told(JSON.stringify(input))).toContain(`request_invalid: ${message}`);
  });

  test('refuses what is not JSON, and numbers JSON reads as infinite, in one line', () => {
    expect(told('{"rules":\n[}')).toMatch(/^request_invalid: not JSON: [^\n]+$/);
    expect(told('')).toMatch(/^request_invalid: not JSON/);
    expect(told('x'.repeat(2_000_000))).toMatch(/^request_invalid: the line is longer/);
    expect(told(JSON.stringify(good).replace('33.01', '1e999'))).toBe(
      'request_invalid: metrics: "rate": not finite, expected a number',
    );
  });
});
