import type { BalancerKind } from './balancer-config.js';
import { measures } from './balancer-traits.js';
import { type Measurement, type MetricReading, STALE_WINDOWS } from './decision-input.js';
import { METRIC_KINDS } from './rule.js';
import { mergeBins, quantile } from './sketch.js';
import type { EndpointTraffic, SketchBins, TrafficReport } from './traffic.js';

/**
 * From what every load balancer saw to the metrics of one endpoint over one window. It runs for every endpoint in every
 * round, over the reports of every host, so it makes one pass and adds whole numbers (thousandths of requests, microseconds):
 * their sums are exact, and the order of the reports cannot matter.
 */

/** A report from further ahead than clocks drift between rounds is wrong, not new. */
export const MAX_AHEAD_MS = 2_000;
/** With less than a second covered, one request would look like a flood. */
const MIN_COVERED_MS = 1_000;
const MICRO = 1e6;

const QUANTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 } as const;

export interface MeasureOptions {
  readonly nowMs: number;
  readonly windowMs: number;
  /** Load balancers that should report. */
  readonly expectedSources: number;
  readonly instances: number;
  /** Of those, how many served through the whole window. */
  readonly settled?: number;
  /** What serves the endpoint; null and absent are nothing. */
  readonly balancer?: BalancerKind | null;
  /** False leaves quantiles out: their sketches cover the endpoint's own window, not a shorter one. */
  readonly quantiles?: boolean;
}

/**
 * Loads are summed over the load balancers; times and errors are weighed by their requests. A report counts for the
 * window that ends at its own time, by its own clock: hosts publish at different moments, and the seconds since then
 * are unknown, not quiet. Stale and future-dated reports do not count as reported. The order of `reports` does not matter.
 */
export function measure(reports: readonly TrafficReport[], endpoint: string, options: MeasureOptions): Measurement {
  const sightings = reports.flatMap((report) =>
    Object.hasOwn(report.endpoints, endpoint) ? [{ report, traffic: report.endpoints[endpoint]! }] : [],
  );
  return measureSightings(sightings, coverageOf(reports, options.nowMs, options.windowMs), options);
}

/** What one load balancer saw of one endpoint. */
export interface Sighting {
  readonly report: TrafficReport;
  readonly traffic: EndpointTraffic;
}

/** All reports by endpoint, found once a round: an endpoint then costs as much as the load balancers that saw it. */
export function sightingsOf(reports: readonly TrafficReport[]): ReadonlyMap<string, readonly Sighting[]> {
  const sightings = new Map<string, Sighting[]>();
  for (const report of reports) {
    for (const name of Object.keys(report.endpoints)) {
      const sighting = { report, traffic: report.endpoints[name]! };
      const known = sightings.get(name);
      if (known === undefined) sightings.set(name, [sighting]);
      else known.push(sighting);
    }
  }
  return sightings;
}

/** How well a window is covered, whatever was seen in it: the same for all endpoints with that window. */
export interface Coverage {
  readonly reported: number;
  /** Of the newest report. */
  readonly newestMs: number;
  /** Some load balancer tells about a part of the window only. */
  readonly incomplete: boolean;
}

export function coverageOf(reports: readonly TrafficReport[], nowMs: number, windowMs: number): Coverage {
  const heard = reports.filter((report) => isHeard(report, nowMs, windowMs));
  return {
    reported: heard.length,
    newestMs: heard.reduce((newest, { atMs }) => Math.max(newest, atMs), Number.NEGATIVE_INFINITY),
    incomplete: heard.some((report) => isPart(report, windowMs)),
  };
}

/** `measure`, of an endpoint's sightings in the order of the reports that `coverage` speaks of. */
export function measureSightings(sightings: readonly Sighting[], coverage: Coverage, options: MeasureOptions): Measurement {
  const { nowMs, windowMs, expectedSources } = options;
  const { reported, newestMs, incomplete } = coverage;
  const sums = newSums();
  for (const { report, traffic } of sightings) {
    if (isHeard(report, nowMs, windowMs)) addTraffic(sums, report, traffic, windowMs);
  }
  const metrics: Record<string, MetricReading> = {};
  if (reported > 0) {
    const ageMs = Math.max(0, nowMs - newestMs);
    const sources = { reported, expected: expectedSources };
    for (const [name, value] of valuesOf(sums, windowMs, options.quantiles ?? true)) {
      if (value !== null && measures(options.balancer ?? null, name))
        metrics[name] = { kind: METRIC_KINDS[name] ?? 'average', value, ageMs, sources };
    }
  }
  metrics['instances'] = { kind: 'direct', value: options.instances, ageMs: 0, sources: { reported: 1, expected: 1 } };
  const cut = sightings.some(({ report, traffic }) => isHeard(report, nowMs, windowMs) && isPart(report, windowMs, traffic));
  const partial = reported < expectedSources || incomplete || cut;
  const settled = options.settled === undefined ? {} : { settled: options.settled };
  return { metrics, requests: sums.requests / 1000, partial, ...settled };
}

const isHeard = (report: TrafficReport, nowMs: number, windowMs: number): boolean =>
  report.atMs <= nowMs + MAX_AHEAD_MS && report.atMs >= nowMs - STALE_WINDOWS * windowMs;

/** The log begins inside the window. */
const isPart = (report: TrafficReport, windowMs: number, traffic?: EndpointTraffic): boolean =>
  sinceOf(report, traffic) > report.atMs - windowMs;

const sinceOf = (report: TrafficReport, traffic?: EndpointTraffic): number =>
  Math.max(report.completeSinceMs, traffic?.completeSinceMs ?? Number.NEGATIVE_INFINITY);

/** Added up in place, one per call of `measure`. */
interface Sums {
  active: number;
  pending: number;
  /** Thousandths of requests, as are `timed` and `errors`: a bucket counts by its milliseconds in the window. */
  requests: number;
  timed: number;
  errors: number;
  /** Thousandths of microseconds. */
  seconds: number;
  /** Thousandths of requests and bytes of the load balancers that saw the whole window. */
  wholeRequests: number;
  wholeBytes: number;
  /** Millionths of requests/s and bytes/s of the others, over what they did see. */
  partRate: number;
  partBytesRate: number;
  readonly times: SketchBins[];
}

function newSums(): Sums {
  const load = { requests: 0, timed: 0, errors: 0, seconds: 0, wholeRequests: 0, wholeBytes: 0, partRate: 0, partBytesRate: 0 };
  return { active: 0, pending: 0, ...load, times: [] };
}

function addTraffic(sums: Sums, report: TrafficReport, traffic: EndpointTraffic, windowMs: number): void {
  const endMs = report.atMs;
  const part = isPart(report, windowMs, traffic);
  const startMs = part ? sinceOf(report, traffic) : endMs - windowMs;
  let requests = 0;
  let bytes = 0;
  // Newest last, so a short window looks at its few seconds only.
  for (let i = traffic.buckets.length - 1; i >= 0; i--) {
    const bucket = traffic.buckets[i]!;
    if (bucket.second * 1000 + 1000 <= startMs) break;
    const share = shareMs(bucket.second * 1000, startMs, endMs, part);
    requests += share * bucket.requests;
    bytes += share * bucket.bytes;
    sums.timed += share * bucket.timed;
    sums.errors += share * bucket.errors;
    sums.seconds += share * Math.round(bucket.seconds * MICRO);
  }
  sums.active += traffic.active;
  sums.pending += traffic.pending ?? 0;
  sums.times.push(traffic.times);
  sums.requests += requests;
  if (part) {
    const coveredMs = Math.max(MIN_COVERED_MS, endMs - startMs);
    sums.partRate += Math.round((requests / coveredMs) * MICRO);
    sums.partBytesRate += Math.round((bytes / coveredMs) * MICRO);
  } else {
    sums.wholeRequests += requests;
    sums.wholeBytes += bytes;
  }
}

/**
 * How many milliseconds of a one-second bucket are in the window. The newest, unfinished second counts in full, so that a
 * burst shows at once; the oldest gives way to it in proportion, so that the window is always as long as it says and a
 * steady load reads steady. Where the log begins inside the window nothing is cut off its first second: it holds no earlier lines.
 */
function shareMs(bucketMs: number, startMs: number, endMs: number, part: boolean): number {
  // Lines may be read in the second that begins while the report is being made.
  if (bucketMs >= endMs + 1000) return 0;
  return bucketMs >= startMs || part ? 1000 : Math.round(bucketMs + 1000 - startMs);
}

/** Null: requests came, but none of them says anything about this. No request at all reads zero, which is a value. */
function valuesOf(sums: Sums, windowMs: number, quantiles: boolean): readonly (readonly [string, number | null])[] {
  const silent = sums.requests > 0 ? null : 0;
  const values: [string, number | null][] = [
    ['rate', sums.wholeRequests / windowMs + sums.partRate / MICRO],
    ['bytes', sums.wholeBytes / windowMs + sums.partBytesRate / MICRO],
    ['active', sums.active],
    ['pending', sums.pending],
    ['response', sums.timed > 0 ? sums.seconds / sums.timed / MICRO : silent],
    ['errors', sums.requests > 0 ? sums.errors / sums.requests : 0],
  ];
  if (!quantiles) return values;
  const bins = mergeBins(sums.times);
  for (const [name, q] of Object.entries(QUANTILES)) values.push([name, quantile(bins, q) ?? silent]);
  return values;
}
