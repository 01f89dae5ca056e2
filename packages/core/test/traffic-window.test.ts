import fc from 'fast-check';
import {
  binOf,
  type EndpointTraffic,
  type MeasureOptions,
  measure,
  mergeBins,
  type TrafficBucket,
  type TrafficReport,
} from '../src/index.js';

const S0 = 1_700_000_000;
const NOW = (S0 + 100) * 1000;

const bucket = (second: number, requests: number, overrides: Partial<TrafficBucket> = {}): TrafficBucket => ({
  second,
  requests,
  bytes: requests * 1000,
  timed: requests,
  seconds: requests * 0.2,
  errors: 0,
  ...overrides,
});

/** Requests per second in whole seconds [from, to). */
const steady = (rate: number, from: number, to: number): TrafficBucket[] =>
  Array.from({ length: to - from }, (_, i) => bucket(from + i, rate));

function report(
  buckets: readonly TrafficBucket[],
  overrides: Partial<TrafficReport> & Partial<EndpointTraffic> = {},
): TrafficReport {
  const { atMs = NOW, completeSinceMs = 0, times = [], active = 0 } = overrides;
  const endpoints = { web: { buckets, times, active, backends: {} } };
  return { atMs, completeSinceMs, endpoints, badLines: 0, lagBytes: 0 };
}

const over = (reports: readonly TrafficReport[], options: Partial<MeasureOptions> = {}) =>
  measure(reports, 'web', { nowMs: NOW, windowMs: 10_000, expectedSources: reports.length, instances: 3, ...options });
const values = (reports: readonly TrafficReport[], options: Partial<MeasureOptions> = {}): Record<string, number> =>
  Object.fromEntries(Object.entries(over(reports, options).metrics).map(([name, reading]) => [name, reading.value]));

describe('a steady load reads steady', () => {
  test('on the second', () => {
    expect(values([report(steady(10, S0, S0 + 100))])).toMatchObject({ rate: 10, bytes: 10_000, errors: 0, instances: 3 });
  });

  test.each([1, 100, 350, 500, 999])('%d ms into an unfinished second', (ms) => {
    const current = bucket(S0 + 100, (1000 * ms) / 1000);
    const reading = values([report([...steady(1000, S0, S0 + 100), current], { atMs: NOW + ms })], { nowMs: NOW + ms });
    expect(reading['rate']).toBe(1000);
  });

  test('in the burst window too, and a report some seconds old is not taken for silence', () => {
    const older = report(steady(10, S0, S0 + 97), { atMs: NOW - 3000 });
    expect(values([older], { windowMs: 2000 })['rate']).toBe(10);
    expect(values([older])['rate']).toBe(10);
  });
});

test('a burst shows in the second it begins', () => {
  const reports = [report([...steady(1, S0, S0 + 100), bucket(S0 + 100, 50)], { atMs: NOW + 200 })];
  const { metrics, requests } = over(reports, { nowMs: NOW + 200, windowMs: 2000 });
  expect(metrics['rate']?.value).toBeGreaterThan(25);
  expect(requests).toBeGreaterThan(50);
});

describe('several load balancers', () => {
  test('are summed, and times and errors weighed by their requests', () => {
    const busy = report(
      steady(90, S0, S0 + 100).map((b) => ({ ...b, seconds: 90 * 0.1, errors: 9 })),
      { active: 40 },
    );
    const calm = report(
      steady(10, S0, S0 + 100).map((b) => ({ ...b, seconds: 10 * 1.1 })),
      { active: 2 },
    );
    const reading = values([busy, calm]);
    expect(reading).toMatchObject({ rate: 100, active: 42, errors: 0.09 });
    expect(reading['response']).toBeCloseTo(0.2, 10);
  });

  test('merge their quantiles', () => {
    const times = (seconds: number, count: number) => mergeBins([[binOf(seconds), count]]);
    const reports = [
      report(steady(1, S0, S0 + 100), { times: times(0.1, 90) }),
      report(steady(1, S0, S0 + 100), { times: times(2, 10) }),
    ];
    const reading = values(reports);
    expect(reading['p50']).toBeCloseTo(0.1, 2);
    expect(reading['p90']).toBeCloseTo(0.1, 2);
    expect(Math.abs(reading['p95']! - 2)).toBeLessThanOrEqual(0.02);
    expect(Object.keys(values(reports, { quantiles: false }))).not.toContain('p95');
  });

  test('in any order give the same bytes', () => {
    const anyBucket = fc.record({
      second: fc.integer({ min: S0 + 85, max: S0 + 101 }),
      requests: fc.nat(50),
      bytes: fc.nat(1e6),
      timed: fc.nat(50),
      seconds: fc.double({ min: 0, max: 50, noNaN: true }),
      errors: fc.nat(5),
    });
    const anyReport = fc
      .record({
        buckets: fc.uniqueArray(anyBucket, { selector: (b) => b.second, maxLength: 15 }),
        ageMs: fc.integer({ min: -3000, max: 40_000 }),
        sinceMs: fc.integer({ min: -20_000, max: 0 }),
        times: fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { maxLength: 5 }),
        active: fc.nat(30),
      })
      .map(({ buckets, ageMs, sinceMs, times, active }) =>
        report(
          buckets.toSorted((a, b) => a.second - b.second),
          {
            atMs: NOW - ageMs,
            completeSinceMs: NOW + sinceMs,
            times: mergeBins(times.map((time) => [binOf(time), 1])),
            active,
          },
        ),
      );
    const pairs = fc
      .array(anyReport, { maxLength: 6 })
      .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(
      fc.property(pairs, ([list, shuffled]) => {
        expect(JSON.stringify(over(shuffled))).toBe(JSON.stringify(over(list)));
      }),
    );
  });
});

describe('no data is not zero', () => {
  test('a live load balancer without traffic reports zero, which is a value', () => {
    const silent = values([{ ...report([]), endpoints: {} }]);
    expect(silent).toEqual({
      rate: 0,
      bytes: 0,
      active: 0,
      response: 0,
      errors: 0,
      p50: 0,
      p90: 0,
      p95: 0,
      p99: 0,
      instances: 3,
    });
    expect(over([report([])]).partial).toBe(false);
  });

  test('requests that reached no upstream say nothing about its times', () => {
    const refused = steady(5, S0, S0 + 100).map((b) => ({ ...b, timed: 0, seconds: 0 }));
    const reading = values([report(refused)]);
    expect(reading['rate']).toBe(5);
    expect(Object.keys(reading)).not.toContain('response');
    expect(Object.keys(reading)).not.toContain('p95');
  });

  test('without a report there is no metric', () => {
    expect(over([], { expectedSources: 1 })).toEqual({
      metrics: { instances: { kind: 'direct', value: 3, ageMs: 0, sources: { reported: 1, expected: 1 } } },
      requests: 0,
      partial: true,
    });
  });

  test('a report older than three windows does not count as one', () => {
    const aged = (ms: number) => over([report(steady(10, S0, S0 + 60), { atMs: NOW - ms })]);
    expect(aged(30_000).metrics['rate']?.ageMs).toBe(30_000);
    expect(aged(30_001).metrics).not.toHaveProperty('rate');
    expect(aged(30_001).partial).toBe(true);
  });

  test('a report from the future is dropped, a clock slightly ahead is not', () => {
    const ahead = (ms: number) => over([report(steady(10, S0, S0 + 102), { atMs: NOW + ms })]);
    expect(ahead(2000).metrics['rate']).toMatchObject({ value: 10, ageMs: 0 });
    expect(ahead(2001).metrics).not.toHaveProperty('rate');
  });

  test('one of two reporting is partial and says so', () => {
    const one = over([report(steady(10, S0, S0 + 100))], { expectedSources: 2 });
    expect(one.partial).toBe(true);
    expect(one.metrics['rate']?.sources).toEqual({ reported: 1, expected: 2 });
  });

  test('a log that begins inside the window is measured over what it covers, and is partial', () => {
    const young = report(steady(10, S0 + 96, S0 + 100), { completeSinceMs: NOW - 4000 });
    expect(over([young]).metrics['rate']?.value).toBe(10);
    expect(over([young]).partial).toBe(true);
    expect(over([young], { windowMs: 2000 }).partial).toBe(false);
  });

  test('a log that began a moment ago does not turn one request into a flood', () => {
    const newborn = report([bucket(S0 + 99, 1)], { completeSinceMs: NOW - 10 });
    expect(over([newborn]).metrics['rate']?.value).toBe(1);
  });
});

describe('what a load balancer cannot tell is missing, which is not zero', () => {
  const known = (balancer: MeasureOptions['balancer'], overrides: Partial<EndpointTraffic> = {}): readonly string[] =>
    Object.keys(over([report(steady(10, S0, S0 + 100), overrides)], { balancer: balancer ?? null }).metrics).sort();

  test('nginx tells nothing of a queue, for it has none', () => {
    expect(known('nginx')).toEqual(['active', 'bytes', 'errors', 'instances', 'rate', 'response']);
  });

  test('tcp tells of its queue, also when nobody stands in it, and nothing of answers', () => {
    expect(known('tcp')).toEqual(['active', 'bytes', 'errors', 'instances', 'pending', 'rate']);
    expect(values([report([])], { balancer: 'tcp' })['pending']).toBe(0);
  });

  test('dnsmasq sees nobody at all', () => {
    expect(known('dnsmasq')).toEqual(['instances']);
  });

  test('queues are summed over the hosts', () => {
    const queue = (pending: number): TrafficReport => {
      const { endpoints, ...rest } = report([]);
      return { ...rest, endpoints: { web: { ...endpoints['web']!, pending } } };
    };
    expect(over([queue(3), queue(4)], { balancer: 'tcp' }).metrics['pending']).toMatchObject({ kind: 'total', value: 7 });
  });
});
