import type { Measurement, MetricReading } from './decision-input.js';
import type { PostedReport } from './posted-metrics.js';
import { metricKind } from './rule.js';
import { MAX_AHEAD_MS } from './traffic-window.js';

/** What was posted, joined to what the load balancers measured. */

/** Older than so many windows it no longer counts: then its metrics are missing, unless others report them. */
export const POSTED_STALE_WINDOWS = 2;

export interface PostedOptions {
  readonly nowMs: number;
  readonly windowMs: number;
  /** Backends whose reports count: those that are meant to serve. */
  readonly backends: ReadonlySet<string>;
  /** How many of them have served through the whole window, and so have had time to report. */
  readonly expected: number;
}

/**
 * Loads add up: what is posted for the endpoint is a total, what is posted for a backend its part of one. Everything else
 * is averaged by weight; a load balancer's own times and errors weigh as much as it saw requests. A metric that backends
 * report is expected of all of them: who is silent is unknown, not average.
 */
export function withPosted(measurement: Measurement, reports: readonly PostedReport[], options: PostedOptions): Measurement {
  if (reports.length === 0) return measurement;
  const sums = new Map<string, Sum>();
  const late = new Map<string, string>();
  for (const report of reports) {
    if (report.backend !== null && !options.backends.has(report.backend)) continue;
    const ageMs = options.nowMs - report.atMs;
    const fault = faultOf(report, ageMs, options.windowMs);
    for (const name of Object.keys(report.values)) {
      if (fault === null) add(sums, name, report, Math.max(0, ageMs));
      else late.set(name, fault);
    }
  }
  const joined = [...sums].map(([name, sum]) => [name, joinedReading(name, sum, measurement, options)] as const);
  const dropped = Object.fromEntries([...late].filter(([name]) => !sums.has(name)));
  return {
    ...measurement,
    metrics: { ...measurement.metrics, ...Object.fromEntries(joined) },
    ...(Object.keys(dropped).length === 0 ? {} : { dropped }),
  };
}

function faultOf({ backend, by }: PostedReport, ageMs: number, windowMs: number): string | null {
  const seconds = Math.round(Math.abs(ageMs) / 1000);
  if (ageMs < -MAX_AHEAD_MS) return `metrics from ${backend ?? by} are ${seconds} s ahead`;
  return ageMs > POSTED_STALE_WINDOWS * windowMs ? `metrics from ${backend ?? by} are ${seconds} s old` : null;
}

/** Added up in place. */
interface Sum {
  values: number;
  weights: number;
  weighed: number;
  newestAgeMs: number;
  ofEndpoint: number;
  ofBackends: number;
}

function add(sums: Map<string, Sum>, name: string, report: PostedReport, ageMs: number): void {
  const [weight, value] = report.values[name]!;
  const sum = sums.get(name) ?? { values: 0, weights: 0, weighed: 0, newestAgeMs: ageMs, ofEndpoint: 0, ofBackends: 0 };
  sum.values += value;
  sum.weights += weight;
  sum.weighed += weight * value;
  sum.newestAgeMs = Math.min(sum.newestAgeMs, ageMs);
  if (report.backend === null) sum.ofEndpoint += 1;
  else sum.ofBackends += 1;
  sums.set(name, sum);
}

function joinedReading(name: string, sum: Sum, measurement: Measurement, { expected }: PostedOptions): MetricReading {
  const measured = Object.hasOwn(measurement.metrics, name) ? measurement.metrics[name]! : null;
  const backends = sum.ofBackends === 0 ? 0 : Math.max(expected, sum.ofBackends);
  const weight = measured === null ? 0 : measurement.requests;
  const kind = metricKind(name);
  return {
    kind,
    value:
      kind === 'total'
        ? (measured?.value ?? 0) + sum.values
        : (sum.weighed + weight * (measured?.value ?? 0)) / (sum.weights + weight),
    ageMs: Math.min(sum.newestAgeMs, measured?.ageMs ?? sum.newestAgeMs),
    sources: {
      reported: sum.ofEndpoint + sum.ofBackends + (measured?.sources.reported ?? 0),
      expected: sum.ofEndpoint + backends + (measured?.sources.expected ?? 0),
    },
  };
}
