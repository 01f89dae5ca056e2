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
  /** False leaves quantiles out: their sketches cover the endpoint's own window, not a shorter one. */
  readonly quantiles?: boolean;
}

/**
 * Loads are summed over the load balancers; times and errors are weighed by their requests. A report counts for the
 * window that ends at its own time, by its own clock: hosts publish at different moments, and the seconds since then
 * are unknown, not quiet. Stale and future-dated reports do not count as reported. The order of `reports` does not matter.
 */
export function measure(reports: readonly TrafficReport[], endpoint: string, options: MeasureOptions): Measurement {
  const { nowMs, windowMs, expectedSources } = options;
  const sums = newSums();
  for (const report of reports) {
    if (report.atMs > nowMs + MAX_AHEAD_MS || report.atMs < nowMs - STALE_WINDOWS * windowMs) continue;
    addReport(sums, report, endpoint, windowMs);
  }
  const metrics: Record<string, MetricReading> = {};
  if (sums.reported > 0) {
    const ageMs = Math.max(0, nowMs - sums.newestMs);
    const sources = { reported: sums.reported, expected: expectedSources };
    for (const [name, value] of valuesOf(sums, windowMs, options.quantiles ?? true)) {
      if (value !== null) metrics[name] = { kind: METRIC_KINDS[name] ?? 'average', value, ageMs, sources };
    }
  }
  metrics['instances'] = { kind: 'direct', value: options.instances, ageMs: 0, sources: { reported: 1, expected: 1 } };
  const partial = sums.reported < expectedSources || sums.incomplete;
  const settled = options.settled === undefined ? {} : { settled: options.settled };
  return { metrics, requests: sums.requests / 1000, partial, ...settled };
}

/** Added up in place, one per call of `measure`. */
interface Sums {
  reported: number;
  newestMs: number;
  incomplete: boolean;
  active: number;
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
  return { reported: 0, newestMs: Number.NEGATIVE_INFINITY, incomplete: false, active: 0, ...load, times: [] };
}

function addReport(sums: Sums, report: TrafficReport, endpoint: string, windowMs: number): void {
  const endMs = report.atMs;
  const part = report.completeSinceMs > endMs - windowMs;
  const startMs = part ? report.completeSinceMs : endMs - windowMs;
  sums.reported++;
  sums.newestMs = Math.max(sums.newestMs, endMs);
  sums.incomplete ||= part;
  const traffic: EndpointTraffic | undefined = Object.hasOwn(report.endpoints, endpoint) ? report.endpoints[endpoint] : undefined;
  if (traffic === undefined) return;

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
    ['response', sums.timed > 0 ? sums.seconds / sums.timed / MICRO : silent],
    ['errors', sums.requests > 0 ? sums.errors / sums.requests : 0],
  ];
  if (!quantiles) return values;
  const bins = mergeBins(sums.times);
  for (const [name, q] of Object.entries(QUANTILES)) values.push([name, quantile(bins, q) ?? silent]);
  return values;
}
