import {
  type DecisionInput,
  decide,
  type Measurement,
  NO_HISTORY,
  type PostedReport,
  parseRules,
  postedReports,
  publishedMetrics,
  replay,
  type WeighedValue,
  withPosted,
} from '../src/index.js';

/** What programs post, joined to what the load balancers measured, and what a decision makes of it. */

const NOW = 1_700_000_000_000;
const NOTHING: Measurement = { metrics: {}, requests: 0, partial: false };

const report = (backend: string | null, values: Readonly<Record<string, WeighedValue>>, ageMs = 1_000): PostedReport => ({
  atMs: NOW - ageMs,
  by: 'vm1',
  backend,
  values,
});

const joined = (reports: readonly PostedReport[], measured = NOTHING, expected = 0): Measurement =>
  withPosted(measured, reports, { nowMs: NOW, windowMs: 10_000, backends: new Set(['i1', 'i2', 'i3']), expected });

const measured = (name: string, value: number, requests: number): Measurement => ({
  metrics: { [name]: { kind: 'average', value, ageMs: 300, sources: { reported: 2, expected: 2 } } },
  requests,
  partial: false,
});

test('what is posted is averaged by weight', () => {
  expect(joined([report(null, { wait: [3, 0.25] }), report('i1', { wait: [1, 0.05] }, 400)]).metrics['wait']).toEqual({
    kind: 'average',
    value: 0.2,
    ageMs: 400,
    sources: { reported: 2, expected: 2 },
  });
});

test('a load is a total: of the endpoint as it is, of the backends their sum, and the load balancers count as well', () => {
  const reports = [report(null, { pending: [9, 5] }), report('i1', { pending: [1, 2] }), report('i2', { pending: [1, 3] })];
  expect(joined(reports).metrics['pending']).toMatchObject({ kind: 'total', value: 10 });
  expect(joined([report(null, { rate: [1, 5] })], measured('rate', 7, 70)).metrics['rate']).toMatchObject({ value: 12 });
});

test('times of a load balancer weigh as much as it saw requests, and nothing without any', () => {
  expect(joined([report(null, { response: [10, 4] })], measured('response', 1, 30)).metrics['response']?.value).toBe(1.75);
  expect(joined([report(null, { response: [10, 4] })], measured('response', 0, 0)).metrics['response']?.value).toBe(4);
});

test('backends that no longer serve do not count', () => {
  expect(joined([report('gone', { queue: [1, 99] })])).toEqual(NOTHING);
});

test('a metric that backends report is expected of all that have served for a window', () => {
  const one = joined([report('i1', { queue: [1, 5] })], NOTHING, 3).metrics['queue'];
  expect(one?.sources).toEqual({ reported: 1, expected: 3 });
  expect(joined([report(null, { queue: [1, 5] })], NOTHING, 3).metrics['queue']?.sources).toEqual({ reported: 1, expected: 1 });
});

test.each([
  [20_000, 5, null],
  [20_001, undefined, 'metrics from vm1 are 20 s old'],
  [312_000, undefined, 'metrics from vm1 are 312 s old'],
  [-2_000, 5, null],
  [-312_000, undefined, 'metrics from vm1 are 312 s ahead'],
])('B73: %d ms old', (ageMs, value, why) => {
  const { metrics, dropped } = joined([report(null, { queue: [1, 5] }, ageMs)]);
  expect(metrics['queue']?.value).toBe(value);
  expect(dropped?.['queue'] ?? null).toBe(why);
});

test('what one source still reports is not told as dropped for another', () => {
  expect(joined([report('i1', { queue: [1, 5] }), report('i2', { queue: [1, 7] }, 60_000)]).dropped).toBeUndefined();
});

test('reports travel and come back, by endpoint and in one order', () => {
  const values = { queue: [2, 5] } as const;
  const published = new Map([
    ...Object.entries(publishedMetrics('web', 'i2', { atMs: NOW, by: 'vm1', values })),
    ...Object.entries(publishedMetrics('web', null, { atMs: NOW, by: 'vm2', values })),
    ...Object.entries(publishedMetrics('webs', 'static:10.0.0.1:80', { atMs: NOW, by: 'vm2', values })),
    ['traffic/vm1', {}] as const,
  ]);
  expect([...postedReports(published)]).toEqual([
    [
      'web',
      [
        { atMs: NOW, by: 'vm2', backend: null, values },
        { atMs: NOW, by: 'vm1', backend: 'i2', values },
      ],
    ],
    ['webs', [{ atMs: NOW, by: 'vm2', backend: 'static:10.0.0.1:80', values }]],
  ]);
});

describe('a decision on custom metrics', () => {
  const decision = (rules: string, instances: number, stable: Measurement) => {
    const parsed = parseRules(rules);
    if (!parsed.ok) throw new Error(parsed.fault.message);
    const scaling = {
      minInstances: 1,
      maxInstances: 10,
      rules: parsed.value,
      rampLimit: 5,
      windowMs: 10_000,
      scaleDownDelayMs: 0,
    };
    const input: DecisionInput = {
      ...{ endpoint: 'web', atMs: NOW, epoch: 1, state: 'RUNNING', instances },
      ...{ scaling, stable, burst: NOTHING, history: NO_HISTORY },
    };
    const { record } = decide(input);
    expect(replay(record)).toEqual(record);
    return record;
  };

  test('grows and shrinks by them', () => {
    expect(decision('queue < 10', 3, joined([report(null, { queue: [1, 15] })])).target).toBe(5);
    expect(decision('5 < queue', 4, joined([report(null, { queue: [1, 1] })])).target).toBe(2);
    expect(decision('2 < pending < 5', 1, joined([report(null, { pending: [1, 23] })])).target).toBe(7);
  });

  test('takes nothing away while some backends are silent, and says so', () => {
    const record = decision('5 < queue', 4, joined([report('i1', { queue: [1, 1] })], NOTHING, 3));
    expect(record).toMatchObject({ target: 4 });
    expect(record.sentence).toContain('only 1 of 3 sources reported, so nothing is taken away');
  });

  test('takes nothing away when the reports stop, and says that they did rather than that the name is wrong', () => {
    const record = decision('5 < rates', 4, joined([report(null, { rates: [1, 1] }, 45_000)]));
    expect(record.target).toBe(4);
    expect(record.reasons).toContain("rule 1 '5 < rates' is skipped, no data for rates: metrics from vm1 are 45 s old");
    expect(record.sentence).not.toContain('did you mean');
  });

  test('is not held up by a silent load balancer, which has nothing to say about them', () => {
    const partial = { ...NOTHING, partial: true };
    expect(decision('5 < queue', 4, joined([report(null, { queue: [1, 1] })], partial)).target).toBe(2);
    expect(decision('5 < rate', 4, joined([report(null, { rate: [1, 1] })], partial)).target).toBe(4);
  });
});
