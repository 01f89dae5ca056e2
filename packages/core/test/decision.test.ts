import fc from 'fast-check';
import {
  type DecisionInput,
  decide,
  type Measurement,
  metricKind,
  NO_HISTORY,
  parseRules,
  replay,
  type ScalingConfig,
  sameDecision,
  type TargetHistory,
} from '../src/index.js';

function scaling(rules: string, overrides: Partial<ScalingConfig> = {}): ScalingConfig {
  const result = parseRules(rules);
  if (!result.ok) throw new Error(result.fault.message);
  const defaults = { minInstances: 1, maxInstances: 20, rampLimit: 5, windowMs: 10_000, scaleDownDelayMs: 30_000 };
  return { ...defaults, rules: result.value, ...overrides };
}

interface Seen {
  readonly requests?: number;
  readonly partial?: boolean;
  readonly ageMs?: number;
  readonly expected?: number;
}

function seen(
  values: Readonly<Record<string, number>>,
  { requests = 0, partial = false, ageMs = 200, expected = 1 }: Seen = {},
): Measurement {
  const readings = Object.entries(values).map(
    ([name, value]) => [name, { kind: metricKind(name), value, ageMs, sources: { reported: 1, expected } }] as const,
  );
  return { metrics: Object.fromEntries(readings), requests, partial };
}

const NOTHING = seen({});
const T0 = 1_700_000_000_000;

function input(rules: string, instances: number, stable: Measurement, overrides: Partial<DecisionInput> = {}): DecisionInput {
  const common = { endpoint: 'pyex', atMs: T0, epoch: 7, state: 'RUNNING' as const, burst: NOTHING, history: NO_HISTORY };
  return { ...common, scaling: scaling(rules), instances, stable, ...overrides };
}

const decision = (...args: Parameters<typeof input>) => decide(input(...args)).record;

describe('the burst window', () => {
  const spike = seen({ rate: 45 }, { requests: 90 });

  test('asks for more as soon as it saw enough requests', () => {
    const record = decision('rate < 10', 1, seen({ rate: 5 }), { burst: spike });
    expect(record).toMatchObject({ target: 5, step: 4, burst: { need: 5 } });
    expect(record.sentence).toBe(
      '5 instances wanted (1 now): rate is 45.0/s over the last 2 s, and less than 10/s each needs at least 5.',
    );
  });

  test('is noise below 20 requests', () => {
    expect(decision('rate < 10', 1, seen({ rate: 5 }), { burst: seen({ rate: 45 }, { requests: 19 }) }).target).toBe(1);
    expect(decision('rate < 10', 1, seen({ rate: 5 }), { burst: seen({ rate: 45 }, { requests: 20 }) }).target).toBe(5);
  });

  test('never asks for less: the larger need wins', () => {
    const quiet = seen({ rate: 0 }, { requests: 30 });
    expect(decision('0 < rate < 10', 4, seen({ rate: 60 }), { burst: quiet }).target).toBe(7);
  });

  test('holds back a fall below what it needs, and no further', () => {
    const immediately = scaling('3 <= rate < 10', { scaleDownDelayMs: 0 });
    const burst = seen({ rate: 35 }, { requests: 70 });
    expect(decision('', 9, seen({ rate: 3 }), { scaling: immediately }).target).toBe(1);
    expect(decision('', 9, seen({ rate: 3 }), { scaling: immediately, burst }).target).toBe(4);
  });

  test('keeps the precedence of rules it has no metric for', () => {
    const rules = '0.1 <= p95 < 1, rate < 10';
    const record = decision(rules, 4, seen({ p95: 0.1, rate: 5 }), { burst: seen({ rate: 200, p95: 9 }, { requests: 400 }) });
    expect(record.target).toBe(4);
    expect(record.inputs.burst.metrics).not.toHaveProperty('p95');
  });

  test('missing metrics in it do not hold anything', () => {
    const record = decision('1 <= rate < 10, 0.1 <= response < 1', 4, seen({ rate: 0, response: 0 }), {
      burst: seen({ rate: 0 }, { requests: 40 }),
      scaling: scaling('1 <= rate < 10, 0.1 <= response < 1', { scaleDownDelayMs: 0 }),
    });
    expect(record.target).toBeLessThan(4);
  });
});

describe('less evidence', () => {
  test('a missing metric holds the count, max_instances still caps it', () => {
    expect(decision('10 <= rate', 5, NOTHING)).toMatchObject({ target: 5, step: 0 });
    const capped = decision('10 <= rate', 8, NOTHING, { scaling: scaling('10 <= rate', { maxInstances: 6 }) });
    expect(capped).toMatchObject({ target: 6, step: -2 });
  });

  test('a stale reading is a missing one', () => {
    const soon = scaling('10 <= rate', { scaleDownDelayMs: 0 });
    expect(decision('', 5, seen({ rate: 0 }, { ageMs: 30_000 }), { scaling: soon }).target).toBe(1);
    expect(decision('', 5, seen({ rate: 0 }, { ageMs: 30_001 }), { scaling: soon }).target).toBe(5);
  });

  test('a partial measurement may raise and never lower', () => {
    const soon = scaling('0 < rate < 10', { scaleDownDelayMs: 0 });
    const partial = { partial: true, expected: 2 };
    expect(decision('', 5, seen({ rate: 0 }, partial), { scaling: soon })).toMatchObject({ target: 5, recommended: 5 });
    expect(decision('', 5, seen({ rate: 99 }, partial), { scaling: soon }).target).toBe(10);
    expect(decision('', 5, seen({ rate: 0 }, partial), { scaling: soon }).sentence).toContain(
      'only 1 of 2 sources reported, so nothing is taken away',
    );
  });

  test('an endpoint whose rules need no measurement does not wait for one', () => {
    const soon = scaling('instances <= 3', { scaleDownDelayMs: 0 });
    expect(decision('', 5, seen({}, { partial: true }), { scaling: soon }).target).toBe(3);
  });

  test('numbers that are none never reach a comparison', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -3]) {
      const record = decision('10 <= rate', 5, seen({ rate: value }));
      expect(record).toMatchObject({ target: 5, rules: [{ value: null, range: null }] });
      expect(record.inputs.stable.metrics).toEqual({});
    }
  });
});

describe('scaling down slowly', () => {
  const fall = scaling('0 < rate < 10');

  test('uses the largest target of the delay, to the second', () => {
    const history: TargetHistory = {
      targets: [
        { target: 8, sinceMs: T0 - 90_000 },
        { target: 1, sinceMs: T0 },
      ],
    };
    const after = (ms: number): number => decision('', 8, seen({ rate: 0 }), { scaling: fall, history, atMs: T0 + ms }).target;
    expect([0, 29_999, 30_000].map(after)).toEqual([8, 8, 1]);
  });

  test('a constant target returns the history it was given', () => {
    const first = decide(input('0 < rate < 10', 1, seen({ rate: 25 })));
    expect(first.history.targets).toEqual([{ target: 3, sinceMs: T0 }]);
    const again = decide(input('0 < rate < 10', 3, seen({ rate: 25 }), { history: first.history, atMs: T0 + 3_600_000 }));
    expect(again.history).toBe(first.history);
  });

  test('after a time without decisions nothing shrinks before a whole delay was seen', () => {
    const { record, history } = decide(input('0 < rate < 10', 6, seen({ rate: 0 })));
    expect(record).toMatchObject({ target: 6, recommended: 1 });
    const later = (ms: number): number => decision('0 < rate < 10', 6, seen({ rate: 0 }), { history, atMs: T0 + ms }).target;
    expect([29_999, 30_000].map(later)).toEqual([6, 1]);
  });

  test('the history forgets what is over and stays small', () => {
    let history = NO_HISTORY;
    const size: number[] = [];
    for (let second = 0; second < 300; second++) {
      const rate = 10 * ((second * 7919) % 500);
      const config = scaling('rate < 10, 10 <= rate', { maxInstances: 500 });
      history = decide(input('', 1, seen({ rate }), { scaling: config, history, atMs: T0 + 1000 * second })).history;
      size.push(history.targets.length);
    }
    expect(Math.max(...size)).toBeLessThan(12);
  });

  test('a steep fall through many counts is remembered coarsely but never too low', () => {
    let history = NO_HISTORY;
    const config = scaling('1 <= rate <= 1', { maxInstances: 1000, scaleDownDelayMs: 500_000 });
    for (let second = 0; second < 200; second++) {
      const given = input('', 0, seen({ rate: 900 - second }), { scaling: config, history, atMs: T0 + 1000 * second });
      const result = decide(given);
      expect(result.record.target).toBe(900);
      history = result.history;
    }
    expect(history.targets.length).toBe(64);
  });

  test('a leader whose clock was ahead does not hold the count for ever', () => {
    const ahead: TargetHistory = { targets: [{ target: 8, sinceMs: T0 + 3_600_000 }] };
    const { record, history } = decide(input('0 < rate < 10', 8, seen({ rate: 0 }), { history: ahead }));
    expect(record.target).toBe(8);
    expect(decision('0 < rate < 10', 8, seen({ rate: 0 }), { history, atMs: T0 + 30_000 }).target).toBe(1);
  });

  test('max_instances is above the delay', () => {
    const history: TargetHistory = { targets: [{ target: 8, sinceMs: T0 - 1000 }] };
    expect(decision('', 8, seen({ rate: 0 }), { scaling: { ...fall, maxInstances: 3 }, history }).target).toBe(3);
  });
});

describe('the ramp', () => {
  test('limits the step, not the target', () => {
    expect(decision('rate < 10', 1, seen({ rate: 150 }))).toMatchObject({ target: 16, step: 5, ranges: { delay: 16, ramp: 6 } });
    const down = scaling('10 <= rate', { scaleDownDelayMs: 0 });
    expect(decision('', 16, seen({ rate: 30 }), { scaling: down })).toMatchObject({ target: 3, step: -5 });
  });
});

describe('states', () => {
  const busy = seen({ rate: 500 });

  test('STOPPED and REMOVED go to 0 at once, whatever the load and the ramp', () => {
    for (const state of ['STOPPED', 'REMOVED'] as const) {
      expect(decision('rate < 10', 12, busy, { state })).toMatchObject({ target: 0, step: -12 });
    }
    expect(JSON.stringify(decision('rate < 10', 0, busy, { state: 'STOPPED' }).step)).toBe('0');
    expect(Object.is(decision('rate < 10', 0, busy, { state: 'STOPPED' }).step, 0)).toBe(true);
  });

  test('PAUSED keeps what runs and says so', () => {
    expect(decision('rate < 10', 3, busy, { state: 'PAUSED' })).toMatchObject({
      target: 3,
      step: 0,
      sentence: 'Paused: 3 instances stay, nothing starts or stops.',
    });
  });

  test('the targets from before are forgotten while nothing scales, once', () => {
    const history: TargetHistory = { targets: [{ target: 8, sinceMs: T0 - 1000 }] };
    const first = decide(input('rate < 10', 3, busy, { state: 'STOPPED', history })).history;
    expect(first).toEqual(NO_HISTORY);
    expect(decide(input('rate < 10', 0, busy, { state: 'STOPPED', history: first })).history).toBe(first);
  });
});

describe('the record', () => {
  test('says it in one sentence', () => {
    const record = decision('0 < rate < 1', 1, seen({ rate: 33.01 }), { scaling: scaling('0 < rate < 1', { maxInstances: 5 }) });
    expect(record.sentence).toBe(
      '5 instances wanted (1 now): rate is 33.0/s over the last 10 s, and less than 1/s each needs at least 34; max_instances caps it at 5.',
    );
    expect(record.ranges).toEqual({ rules: [34, null], bounds: [5, 5], delay: 5, ramp: 5, missing: 5 });
  });

  test.each([
    ['0 < rate < 10', 5, { rate: 0 }, '1 would do now, but the most wanted in the last 30 s holds'],
    [
      'response < 300ms',
      4,
      { response: 3 },
      'response is 3.00 s over the last 10 s, and less than 300 ms needs at least 8 (at most twice',
    ],
    ['10 <= active <= 30', 4, { active: 240 }, '14 is the middle of 8 to 20; ramp_limit starts at most 5 a round'],
    ['errors < 5%', 2, { errors: 0.07 }, 'errors are 7.00 % over the last 10 s, and less than 5 % needs at least 3'],
    ['bytes <= 2MB', 1, { bytes: 7.5e6 }, 'bytes are 7.50 MB/s over the last 10 s, and at most 2 MB/s each needs at least 4'],
    ['3 <= instances', 1, {}, "rule '3 <= instances' asks for at least 3"],
    ['', 3, {}, 'there are no rules, so the count stays'],
    ['', 30, {}, 'max_instances caps it at 20'],
    ['', 0, {}, 'min_instances asks for 1'],
    ['rat < 3', 3, {}, 'there is no data for rat (did you mean rate?)'],
    ['rate < 10', 3, { rate: 12 }, 'rate is 12.0/s over the last 10 s, for which the rules allow 2 or more'],
  ])('%s with %d at %j: %s', (rules, n, values, words) => {
    const { sentence } = decision(rules, n, seen(values as Record<string, number>));
    expect(sentence).toContain(words);
    expect(sentence).toMatch(/^\d+ instances? wanted \(\d+ now\): \S[^\n]*[^.]\.$/);
  });

  const anyInput = fc
    .record({
      rules: fc.constantFrom(
        '',
        '0 < rate < 7',
        '2 <= instances, 3 <= rate < 5, p95 < 0.3',
        '0.1 <= response < 0.3, rat < 2',
        '1 < queue',
      ),
      state: fc.constantFrom('RUNNING' as const, 'RUNNING' as const, 'STOPPED' as const, 'PAUSED' as const, 'REMOVED' as const),
      instances: fc.integer({ min: 0, max: 30 }),
      values: fc.dictionary(
        fc.constantFrom('rate', 'p95', 'response', 'queue'),
        fc.oneof(fc.double({ min: 0, max: 90 }), fc.constant(Number.POSITIVE_INFINITY)),
      ),
      burstRate: fc.double({ min: 0, max: 300, noNaN: true }),
      requests: fc.integer({ min: 0, max: 60 }),
      partial: fc.boolean(),
      targets: fc.array(
        fc.record({ target: fc.integer({ min: 0, max: 30 }), sinceMs: fc.integer({ min: T0 - 60_000, max: T0 + 5_000 }) }),
        { maxLength: 4 },
      ),
    })
    .map((draw) =>
      input(draw.rules, draw.instances, seen(draw.values, { partial: draw.partial }), {
        state: draw.state,
        burst: seen({ rate: draw.burstRate }, { requests: draw.requests }),
        history: { targets: draw.targets.toSorted((a, b) => a.sinceMs - b.sinceMs) },
      }),
    );

  test('survives JSON, and deciding again on it gives the same bytes', () => {
    fc.assert(
      fc.property(anyInput, (given) => {
        const bytes = JSON.stringify(decide(given).record);
        expect(JSON.stringify(replay(JSON.parse(bytes)))).toBe(bytes);
      }),
    );
  });

  test('the target is within min and max while running, and the step within the ramp', () => {
    fc.assert(
      fc.property(anyInput, (given) => {
        fc.pre(given.state === 'RUNNING');
        const { target, step, instances } = decide(given).record;
        expect(target).toBeGreaterThanOrEqual(1);
        expect(target).toBeLessThanOrEqual(20);
        expect(Math.abs(step)).toBeLessThanOrEqual(5);
        expect(Math.sign(step)).toBe(Math.sign(target - instances));
      }),
    );
  });

  test('losing metrics, or the history, never lowers the target below min(target, n)', () => {
    fc.assert(
      fc.property(anyInput, fc.boolean(), fc.constantFrom('rate', 'p95', 'response', 'queue'), (given, forget, lost) => {
        fc.pre(given.state === 'RUNNING');
        const metrics = Object.fromEntries(Object.entries(given.stable.metrics).filter(([name]) => name !== lost));
        const history = forget ? NO_HISTORY : given.history;
        const less = decide({ ...given, stable: { ...given.stable, metrics }, history }).record;
        expect(less.target).toBeGreaterThanOrEqual(Math.min(decide(given).record.target, given.instances));
      }),
    );
  });

  test('is the same decision while only times, ages and values without consequence differ', () => {
    const first = decision('0 < rate < 10', 3, seen({ rate: 25.2 }));
    const later = decision('0 < rate < 10', 3, seen({ rate: 25.9 }, { ageMs: 900 }), { atMs: T0 + 5000, epoch: 8 });
    expect(sameDecision(first, later)).toBe(true);
    expect(sameDecision(first, decision('0 < rate < 10', 3, seen({ rate: 31 })))).toBe(false);
    expect(sameDecision(first, decision('0 < rate < 10', 2, seen({ rate: 25.2 })))).toBe(false);
    expect(sameDecision(first, decision('0 < rate < 10', 3, seen({ rate: 25.2 }), { state: 'PAUSED' }))).toBe(false);
    expect(sameDecision(first, decision('0 < rate < 11', 3, seen({ rate: 25.2 })))).toBe(false);
  });
});

describe('a count held by the operator', () => {
  const held = (count: number, untilMs: number | null, instances = 1) =>
    decision('rate < 10', instances, seen({ rate: 95 }), { hold: { count, untilMs } });
  // 2023-11-14 22:43:20 UTC
  const halfAnHour = T0 + 1_800_000;

  test.each([
    [held(3, halfAnHour), 3, '3 instances wanted (1 now): held at 3 by the operator until 22:43 UTC.'],
    [held(3, T0 + 90_000_000), 3, '3 instances wanted (1 now): held at 3 by the operator until 2023-11-15 23:13 UTC.'],
    [held(1, null), 1, '1 instance wanted (1 now): held at 1 by the operator until it is handed back.'],
    [
      held(0, null),
      0,
      '0 instances wanted (1 now): held at 0 by the operator until it is handed back; this is below min_instances 1.',
    ],
    [
      held(30, halfAnHour, 18),
      20,
      '20 instances wanted (18 now): held at 30 by the operator until 22:43 UTC; max_instances caps it at 20.',
    ],
    [
      held(9, halfAnHour),
      9,
      '9 instances wanted (1 now): held at 9 by the operator until 22:43 UTC; ramp_limit starts at most 5 a round.',
    ],
  ])('decides and says so', (record, target, sentence) => {
    expect(record).toMatchObject({ target, sentence });
    expect(record.kinds).toContain('hold_by_operator');
    expect(JSON.stringify(replay(record))).toBe(JSON.stringify(record));
  });

  test('that has run out decides nothing, to the millisecond', () => {
    expect(held(3, T0 + 1).target).toBe(3);
    const over = held(3, T0);
    expect(over.target).toBe(10);
    expect(JSON.stringify(replay(over))).toBe(JSON.stringify(over));
  });

  test('does not start what is stopped or paused', () => {
    const hold = { count: 3, untilMs: null };
    expect(decision('', 1, NOTHING, { hold, state: 'PAUSED' }).target).toBe(1);
    expect(decision('', 1, NOTHING, { hold, state: 'STOPPED' }).target).toBe(0);
  });
});
