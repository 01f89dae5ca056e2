import { BURST_WINDOW_MS, type Measurement, type MetricReading, STALE_WINDOWS } from './decision-input.js';
import { measurementsOf, type RecordedRound } from './recording.js';
import { metricKind } from './rule.js';
import { mergeBins } from './sketch.js';
import type { SketchBins, TrafficBucket } from './traffic.js';
import { measureSightings } from './traffic-window.js';

/** Load of the past, as the decision would have been told of it second by second: from a log, from samples, from recorded rounds. */
export interface LoadTape {
  readonly fromMs: number;
  readonly untilMs: number;
  /** To be asked in ascending order. `settled`: instances that served through the window. */
  at(atMs: number, settled: number): TapeMoment;
}

export interface TapeMoment {
  readonly stable: Measurement;
  readonly burst: Measurement;
  /** The count that means were measured with; null when nobody knows. */
  readonly over: number | null;
  /** Requests of the last second; null when nobody knows. */
  readonly arrived: number | null;
}

/** One second of a log. */
export interface LoggedSecond extends TrafficBucket {
  /** Of the times, for quantiles. */
  readonly times: SketchBins;
}

export interface LogTapeOptions {
  readonly windowMs: number;
  /** Those to measure, which the log has to tell of: any other would read zero where nobody looked. */
  readonly metrics: ReadonlySet<string>;
  /** They cost a merge a second. */
  readonly quantiles: boolean;
}

const SECOND_MS = 1_000;

/** `seconds` in ascending order; those without a request may be left out. Measured by the same function as live traffic. */
export function logTape(seconds: readonly LoggedSecond[], { windowMs, metrics, quantiles }: LogTapeOptions): LoadTape {
  const ends = { stable: 0, burst: 0, newest: 0 };
  const forward = (from: number, limitMs: number): number => {
    let index = from;
    while (index < seconds.length && (seconds[index]!.second + 1) * SECOND_MS <= limitMs) index += 1;
    return index;
  };
  const coverage = { reported: 1, incomplete: false };
  const measured = (atMs: number, from: number, measuredMs: number, settled: number): Measurement => {
    const buckets = seconds.slice(from, ends.newest);
    const last = buckets.at(-1);
    // Little's law: so many were open on average in the last second.
    const active = last !== undefined && (last.second + 1) * SECOND_MS === atMs ? last.seconds : 0;
    const sketched = quantiles && measuredMs === windowMs;
    const times = sketched ? mergeBins(buckets.map((one) => one.times)) : [];
    const report = { atMs, completeSinceMs: 0, endpoints: {}, badLines: 0, lagBytes: 0 };
    const options = { nowMs: atMs, windowMs: measuredMs, expectedSources: 1, instances: 0, settled, quantiles: sketched };
    const sightings = [{ report, traffic: { buckets, times, active, backends: {} } }];
    const all = measureSightings(sightings, { ...coverage, newestMs: atMs }, { ...options, balancer: 'nginx' });
    const kept: Record<string, MetricReading> = {};
    for (const name of metrics) if (all.metrics[name] !== undefined) kept[name] = all.metrics[name];
    return { metrics: kept, requests: all.requests, partial: all.partial, settled };
  };
  return {
    fromMs: ((seconds[0]?.second ?? 0) + 1) * SECOND_MS,
    untilMs: ((seconds.at(-1)?.second ?? 0) + 1) * SECOND_MS,
    at(atMs, settled) {
      ends.newest = forward(ends.newest, atMs);
      ends.stable = forward(ends.stable, atMs - windowMs);
      ends.burst = forward(ends.burst, atMs - BURST_WINDOW_MS);
      const last = seconds[ends.newest - 1];
      return {
        stable: measured(atMs, ends.stable, windowMs, settled),
        burst: measured(atMs, ends.burst, BURST_WINDOW_MS, settled),
        over: null,
        arrived: last !== undefined && (last.second + 1) * SECOND_MS === atMs ? last.requests : 0,
      };
    },
  };
}

/** What was measured at one moment: loads of all instances together, means; `instances` is the count of that moment. */
export interface Sample {
  readonly atMs: number;
  readonly values: Readonly<Record<string, number>>;
}

/** `samples` in ascending order. A window has the mean of its samples, or the last one before it, which grows old. */
export function sampleTape(samples: readonly Sample[], windowMs: number): LoadTape {
  let end = 0;
  const reading = (name: string, atMs: number, measuredMs: number): MetricReading | null => {
    let [sum, count, newestMs] = [0, 0, Number.NEGATIVE_INFINITY];
    for (let index = end - 1; index >= 0 && atMs - samples[index]!.atMs <= STALE_WINDOWS * windowMs; index -= 1) {
      const { atMs: sampledMs, values } = samples[index]!;
      const value = values[name];
      if (value === undefined) continue;
      const within = sampledMs > atMs - measuredMs;
      if (within || count === 0) [sum, count, newestMs] = [sum + value, count + 1, Math.max(newestMs, sampledMs)];
      if (!within) break;
    }
    if (count === 0) return null;
    return { kind: metricKind(name), value: sum / count, ageMs: atMs - newestMs, sources: { reported: 1, expected: 1 } };
  };
  const names = [...new Set(samples.flatMap(({ values }) => Object.keys(values)))].filter((name) => name !== 'instances');
  const measured = (atMs: number, measuredMs: number, settled: number): Measurement => {
    const readings = names.flatMap((name) => {
      const one = reading(name, atMs, measuredMs);
      return one === null ? [] : [[name, one] as const];
    });
    const metrics = Object.fromEntries(readings);
    return { metrics, requests: ((metrics['rate']?.value ?? 0) * measuredMs) / SECOND_MS, partial: false, settled };
  };
  return {
    fromMs: samples[0]?.atMs ?? 0,
    untilMs: samples.at(-1)?.atMs ?? 0,
    at(atMs, settled) {
      while (end < samples.length && samples[end]!.atMs <= atMs) end += 1;
      const last = samples[end - 1]?.values;
      const [stable, burst] = [measured(atMs, windowMs, settled), measured(atMs, BURST_WINDOW_MS, settled)];
      return { stable, burst, over: last?.['instances'] ?? null, arrived: burst.metrics['rate']?.value ?? null };
    },
  };
}

/** A round holds until the next one; after so long without one nobody looked, and everything is missing. */
const HOLDS_MS = 120_000;

/** `rounds` in ascending order, with the windows they were measured over. */
export function roundTape(rounds: readonly RecordedRound[]): LoadTape {
  const nothing = { metrics: {}, requests: 0, partial: true };
  let end = 0;
  return {
    fromMs: rounds[0]?.atMs ?? 0,
    untilMs: rounds.at(-1)?.atMs ?? 0,
    at(atMs, settled) {
      while (end < rounds.length && rounds[end]!.atMs <= atMs) end += 1;
      const round = rounds[end - 1];
      if (round === undefined || atMs - round.atMs >= HOLDS_MS)
        return { stable: nothing, burst: nothing, over: null, arrived: null };
      const arrived = round.burst?.['rate'] ?? round.metrics['rate'] ?? null;
      return { ...measurementsOf({ ...round, settled }), over: round.instances, arrived };
    },
  };
}
