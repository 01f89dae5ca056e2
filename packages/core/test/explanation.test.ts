import fc from 'fast-check';
import {
  type DecisionInput,
  type DecisionRecord,
  decide,
  explainDecision,
  type Measurement,
  metricKind,
  NO_HISTORY,
  packDecision,
  parseRules,
  unpackDecision,
} from '../src/index.js';

const AT = 1_700_000_000_000;

function input(rules: string, values: Readonly<Record<string, number>>, change: Partial<DecisionInput> = {}): DecisionInput {
  const parsed = parseRules(rules);
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return {
    endpoint: 'pyex',
    atMs: AT,
    epoch: 7,
    state: 'RUNNING',
    scaling: { minInstances: 1, maxInstances: 10, rules: parsed.value, rampLimit: 5, windowMs: 10_000, scaleDownDelayMs: 30_000 },
    instances: 4,
    stable: measured(values),
    burst: { metrics: {}, requests: 0, partial: false },
    history: NO_HISTORY,
    ...change,
  };
}

const measured = (values: Readonly<Record<string, number>>): Measurement => ({
  metrics: Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      { kind: metricKind(name), value, ageMs: 400, sources: { reported: 1, expected: 1 } },
    ]),
  ),
  requests: 100,
  partial: false,
});

const recordOf = (given: DecisionInput): DecisionRecord => decide(given).record;
const explained = (given: DecisionInput) => explainDecision(recordOf(given));

describe('why not more, why not fewer', () => {
  const full = { targets: [{ target: 4, sinceMs: AT - 5_000 }] };
  test.each<[string, DecisionInput, more: string, fewer: string]>([
    [
      'the rules are content',
      input('1 < rate < 3.2', { rate: 10 }),
      "no rule asks for more than 4, and that is '1 < rate < 3.2' at 10.0/s in all",
      "'1 < rate < 3.2' needs at least 4 at 10.0/s in all",
    ],
    ['max_instances', input('rate < 1', { rate: 33 }), 'max_instances is 10', 'max_instances is 10'],
    [
      'min_instances',
      input('0 < rate < 1', { rate: 0 }, { instances: 1 }),
      "rule 1 '0 < rate < 1' allows at most 0 at 0/s in all",
      'min_instances is 1',
    ],
    ['the delay', input('1 < rate < 3', { rate: 3.5 }, { history: full }), '', '4 were needed within the last 30 s'],
    ['missing data', input('1 < queue < 3', {}), 'no rule asks for more', 'there is no data for queue, so nothing is taken away'],
    ['a state', input('rate < 1', { rate: 9 }, { state: 'PAUSED' }), 'the endpoint is PAUSED', 'the endpoint is PAUSED'],
    [
      'the operator',
      input('rate < 1', { rate: 9 }, { hold: { count: 3, untilMs: null } }),
      'held at 3 by the operator until it is handed back',
      'held at 3 by the operator until it is handed back',
    ],
  ])('%s', (what, given, more, fewer) => {
    const { whyNotMore, whyNotFewer } = explained(given);
    expect(whyNotMore).toContain(more);
    // Above max the need says why not fewer, too.
    expect(whyNotFewer).toContain(what === 'max_instances' ? "'rate < 1' needs at least 34" : fewer);
  });
});

test('each rule is told with its value, age, coverage and range', () => {
  expect(explained(input('1 < rate < 3.2, p95 < 300ms', { rate: 10 })).rules).toEqual([
    {
      text: '1 < rate < 3.2',
      metric: 'rate',
      kind: 'total',
      value: 10,
      range: [4, 9],
      window: 'stable',
      each: 2.5,
      ageMs: 400,
      sources: { reported: 1, expected: 1 },
    },
    expect.objectContaining({ text: 'p95 < 300ms', value: null, range: null, each: null, ageMs: null, sources: null }),
  ]);
});

describe('the nearest change', () => {
  const texts = (given: DecisionInput): readonly string[] => explained(given).nearest.map(({ text }) => text);

  test.each<[string, DecisionInput, readonly string[]]>([
    [
      'a bound that is allowed itself is passed',
      input('rate <= 3.2', { rate: 11 }),
      ['5 if rate passed 3.2/s per instance (12.8/s in all)'],
    ],
    [
      'a band aims at its middle',
      input('1 < rate <= 3.2', { rate: 11 }),
      ['7 if rate passed 3.2/s per instance (12.8/s in all)', '2 if rate fell to 1/s per instance (4/s in all) for 30 s'],
    ],
    ['one that is not is reached', input('rate < 3.2', { rate: 11 }), ['5 if rate reached 3.2/s per instance (12.8/s in all)']],
    ['an average does not divide', input('p95 < 300ms', { p95: 0.2 }), ['5 if p95 reached 300 ms']],
    ['at max_instances nothing is more', input('rate < 1', { rate: 9.5 }, { instances: 10 }), []],
    ['paused, nothing would', input('rate < 1', { rate: 9.5 }, { state: 'PAUSED' }), []],
    [
      'from silence it takes the bound of one',
      input('0 < rate < 5', { rate: 0 }, { instances: 1 }),
      ['2 if rate reached 5/s per instance (5/s in all)'],
    ],
  ])('%s', (_what, given, expected) => {
    expect(texts(given)).toEqual(expected);
  });

  const load = fc.integer({ min: 0, max: 160 }).map((n) => n / 4);
  const bound = fc.integer({ min: 1, max: 8 }).map((n) => n / 2);
  const band = (metric: string) =>
    fc
      .tuple(bound, bound, fc.constantFrom('<', '<='), fc.constantFrom('<', '<='))
      .filter(([a, b]) => a !== b)
      .map(([a, b, low, high]) => `${Math.min(a, b)} ${low} ${metric} ${high} ${Math.max(a, b)}`);

  test('is one: before it the count is the same, at it another, and nothing nearer on a grid changes it', () => {
    const given = fc.tuple(
      band('rate'),
      fc.constantFrom('active', 'response', 'rate').chain(band),
      load,
      load,
      fc.integer({ min: 1, max: 10 }),
    );
    fc.assert(
      fc.property(given, ([one, other, rate, more, instances]) => {
        const now = input(`${one}, ${other}`, { rate, active: more, response: more / 10 }, { instances });
        const { recommended } = recordOf(now);
        const at = (metric: string, value: number): number => {
          const { metrics } = now.stable;
          const changed = { ...metrics, [metric]: { ...metrics[metric]!, value } };
          return recordOf({ ...now, stable: { ...now.stable, metrics: changed } }).recommended;
        };
        const found = explained(now).nearest;
        for (const { metric, value, target } of found) {
          expect(at(metric, value)).toBe(target);
          expect(target).not.toBe(recommended);
        }
        for (const metric of new Set(now.scaling.rules.map((rule) => rule.metric))) {
          const value = now.stable.metrics[metric]!.value;
          const up = found.find((one) => one.metric === metric && one.direction === 'up')?.value ?? Number.POSITIVE_INFINITY;
          const down = found.find((one) => one.metric === metric && one.direction === 'down')?.value ?? -1;
          for (let quarter = 0; quarter <= 200; quarter += 1) {
            const tried = quarter / 4;
            if (tried >= value ? tried < up : tried > down)
              expect([metric, tried, at(metric, tried)]).toEqual([metric, tried, recommended]);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('what is kept of a decision', () => {
  const record = recordOf(input('1 < rate < 3.2, p95 < 300ms', { rate: 100, p95: 0.2, bytes: 123_456, errors: 0.01 }));
  const steps = Array.from({ length: 14 }, (_, index) => ({ kind: 'forget' as const, instance: `i${index}` }));

  test('is its inputs, and deciding again gives the same bytes', () => {
    const packed = packDecision({ atMs: AT, record, steps });
    expect(packed).toMatchObject({ atMs: AT, level: 'info', event: 'pyex' });
    const kept = unpackDecision({ ...packed, seq: 3 });
    expect(JSON.stringify(kept.report?.record)).toBe(JSON.stringify(record));
    expect(kept).toMatchObject({
      seq: 3,
      endpoint: 'pyex',
      sentence: record.sentence,
      target: 10,
      reproduced: true,
      moreSteps: 4,
    });
    expect(kept.report?.steps).toEqual(steps.slice(0, 10));
  });

  test('is told when deciding again gives others', () => {
    const packed = packDecision({ atMs: AT, record: { ...record, sentence: 'something else' }, steps: [] });
    expect(unpackDecision({ ...packed, seq: 1 })).toMatchObject({ sentence: 'something else', reproduced: false });
  });

  test('of another version, with rules that are none here, is its sentence', () => {
    const packed = packDecision({ atMs: AT, record, steps: [] });
    const message = packed.message.replace('1 < rate < 3.2', '1 < rate < about 3');
    expect(unpackDecision({ ...packed, message, seq: 1 })).toMatchObject({
      sentence: record.sentence,
      report: null,
      reproduced: false,
    });
  });

  test('is never longer than 4,000 bytes: what is too long is left out, the sentence never', () => {
    const long = 'x'.repeat(3_000);
    const tall = { atMs: AT, record, steps, placement: { atMs: AT, host: null, reason: long, hosts: [], more: {} } };
    const cut = unpackDecision({ ...packDecision(tall), seq: 1 });
    expect(cut.report?.placement).toBeUndefined();
    expect(cut).toMatchObject({ reproduced: true, moreSteps: 4 });
    const rules = Array.from({ length: 64 }, (_, index) => `${'q'.repeat(200)}${index} < 5`).join(', ');
    const packed = packDecision({ atMs: AT, record: recordOf(input(rules, {})), steps });
    expect(Buffer.byteLength(JSON.stringify(packed.message))).toBeLessThanOrEqual(4_000);
    expect(unpackDecision({ ...packed, seq: 1 })).toMatchObject({ report: null, reproduced: null, instances: 4, moreSteps: 14 });
  });
});
