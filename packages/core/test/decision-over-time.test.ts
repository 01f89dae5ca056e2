import { decide, measure, NO_HISTORY, parseRules, type TrafficReport } from '../src/index.js';

/** Rounds of one second: a load balancer that saw `load`, the measurement of it, the decision, and hosts that obey at once. */

const S0 = 1_700_000_000;

interface Trace {
  readonly targets: readonly number[];
  readonly counts: readonly number[];
  /** Histories that had to be written. */
  readonly writes: number;
}

interface Play {
  readonly rules: string;
  readonly seconds: number;
  /** Requests in that second; null: the load balancer does not report. */
  readonly load: (second: number) => number | null;
  readonly start?: number;
  readonly min?: number;
  readonly max?: number;
  readonly delayMs?: number;
}

function play({ rules, seconds, load, start = 1, min = 1, max = 20, delayMs = 30_000 }: Play): Trace {
  const parsed = parseRules(rules);
  if (!parsed.ok) throw new Error(parsed.fault.message);
  const scaling = {
    rules: parsed.value,
    minInstances: min,
    maxInstances: max,
    rampLimit: 5,
    windowMs: 10_000,
    scaleDownDelayMs: delayMs,
  };
  let history = NO_HISTORY;
  let instances = start;
  let writes = 0;
  let reports: readonly TrafficReport[] = [];
  const targets: number[] = [];
  const counts: number[] = [];
  for (let now = 1; now <= seconds; now++) {
    const atMs = (S0 + now) * 1000;
    if (load(now - 1) !== null) reports = [reportAt(now, load)];
    const options = { nowMs: atMs, expectedSources: 1, instances };
    const result = decide({
      endpoint: 'web',
      atMs,
      epoch: 1,
      state: 'RUNNING',
      scaling,
      instances,
      stable: measure(reports, 'web', { ...options, windowMs: 10_000 }),
      burst: measure(reports, 'web', { ...options, windowMs: 2_000, quantiles: false }),
      history,
    });
    if (result.history !== history) writes++;
    history = result.history;
    instances += result.record.step;
    targets.push(result.record.target);
    counts.push(instances);
  }
  return { targets, counts, writes };
}

function reportAt(now: number, load: Play['load']): TrafficReport {
  const buckets = Array.from({ length: Math.min(now, 12) }, (_, i) => now - Math.min(now, 12) + i).map((second) => {
    const requests = load(second) ?? 0;
    return { second: S0 + second, requests, bytes: 0, timed: requests, seconds: requests * 0.1, errors: 0 };
  });
  const endpoints = { web: { buckets, times: [], active: 0, backends: {} } };
  return { atMs: (S0 + now) * 1000, completeSinceMs: 0, endpoints, badLines: 0, lagBytes: 0 };
}

/** Seconds at which the target moved, with the direction. */
const moves = (targets: readonly number[]): readonly { readonly at: number; readonly by: number }[] =>
  targets.flatMap((target, i) => (i > 0 && target !== targets[i - 1] ? [{ at: i, by: target - targets[i - 1]! }] : []));

/** Rises after which the target fell again sooner than the delay. */
const hastyFalls = (targets: readonly number[], delaySeconds: number) =>
  moves(targets).filter(
    (move, i, all) => move.by < 0 && all.slice(0, i).some((rise) => rise.by > 0 && move.at - rise.at < delaySeconds),
  );

describe('a constant load', () => {
  test.each([0, 3, 25, 40, 199])('of %d/s has a constant target after the window is full, and nothing to write', (rate) => {
    const { targets, counts, writes } = play({ rules: '0 < rate < 10', seconds: 90, load: () => rate, max: 50 });
    expect(new Set(targets.slice(12)).size).toBe(1);
    expect(new Set(counts.slice(20)).size).toBe(1);
    expect(writes).toBeLessThanOrEqual(11);
    expect(targets.at(-1)).toBe(Math.max(1, Math.floor(rate / 10) + 1));
  });
});

describe('a step', () => {
  const load = (second: number): number => (second >= 20 && second < 60 ? 100 : 2);
  const trace = play({ rules: '5 < rate < 10', seconds: 140, load });

  test('up is answered within two rounds', () => {
    // Round i sees the seconds up to and including i.
    expect(trace.targets[19]).toBe(1);
    expect(trace.targets[21]).toBeGreaterThanOrEqual(11);
  });

  test('is climbed by the ramp', () => {
    const steps = trace.counts.map((count, i) => count - (trace.counts[i - 1] ?? 1));
    expect(Math.max(...steps)).toBe(5);
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(-5);
  });

  test('down waits for the whole delay', () => {
    const full = trace.targets[59]!;
    expect(trace.targets.slice(59, 89).every((target) => target === full)).toBe(true);
    expect(trace.targets.at(-1)).toBe(1);
    expect(hastyFalls(trace.targets, 30)).toEqual([]);
  });
});

describe('waves', () => {
  test.each([20, 60, 120, 300])('a sine of %d s never makes the target rise and fall within the delay', (period) => {
    const load = (second: number): number => Math.round(100 + 90 * Math.sin((2 * Math.PI * second) / period));
    for (const rules of ['rate < 10', '0 < rate < 10', '5 <= rate < 10', '8 <= rate < 10']) {
      const { targets } = play({ rules, seconds: 600, load, max: 40 });
      expect(hastyFalls(targets, 30)).toEqual([]);
    }
  });

  test.each([1, 2, 10, 20])('a load that flaps every %d s settles', (period) => {
    const load = (second: number): number => (Math.floor(second / period) % 2 === 0 ? 100 : 0);
    const { targets } = play({ rules: '5 < rate < 10', seconds: 600, load });
    expect(moves(targets.slice(60))).toEqual([]);
  });
});

describe('silence', () => {
  test('of the clients shrinks to min after window and delay', () => {
    const { targets } = play({ rules: '0 < rate < 1', seconds: 80, load: (s) => (s < 20 ? 33 : 0), max: 5 });
    expect(targets[30]).toBe(5);
    expect(targets[57]).toBe(5);
    expect(targets.slice(60)).toEqual(Array(20).fill(1));
  });

  test('of the load balancer shrinks nothing, ever', () => {
    const { targets, counts } = play({ rules: '5 < rate < 10', seconds: 300, load: (s) => (s < 40 ? 100 : null) });
    expect(Math.min(...counts.slice(45))).toBe(counts[40]);
    expect(targets.at(-1)).toBe(counts[40]);
  });

  test('from zero the first requests start something', () => {
    const { targets } = play({ rules: '0 < rate < 5', seconds: 10, load: (s) => (s < 3 ? 0 : 12), min: 0, start: 0 });
    expect(targets.slice(0, 3)).toEqual([0, 0, 0]);
    expect(targets[4]).toBeGreaterThanOrEqual(2);
  });
});
