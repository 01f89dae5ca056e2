/**
 * What a load balancer saw, as it is published for the controller. Compact, because every host publishes it every
 * second: only buckets and endpoints with something in them, and one quantile sketch per window.
 */

/** One second of one endpoint: requests finished in it. Seconds are upstream times; errors are 5xx answers of the upstream. */
export interface TrafficBucket {
  /** Unix time of the bucket's start, seconds. */
  readonly second: number;
  readonly requests: number;
  readonly bytes: number;
  /** Requests that reached an upstream (and so have a time). */
  readonly timed: number;
  readonly seconds: number;
  readonly errors: number;
}

/** Sparse counts of a relative-error sketch; see sketch.ts. Pairs of bin index and count, index ascending, flat. */
export type SketchBins = readonly number[];

export interface EndpointTraffic {
  /** Newest last; empty seconds left out. Covers at least the endpoint's window and the burst window. */
  readonly buckets: readonly TrafficBucket[];
  /** Upstream times over the endpoint's window. */
  readonly times: SketchBins;
  /** Connections open to its backends now. */
  readonly active: number;
  /** Clients that wait for a backend at its url; absent where they do not wait but are refused. */
  readonly pending?: number;
  readonly backends: Readonly<Record<string, BackendTraffic>>;
  /** As that of the report, when it is later for this endpoint: of several load balancers on a host one may not answer. */
  readonly completeSinceMs?: number;
}

/** Keyed by instance id in `EndpointTraffic.backends`. */
export interface BackendTraffic {
  readonly active: number;
  readonly requests: number;
  readonly errors: number;
  /** Connect errors in a row, newest included; 0 after any answer. */
  readonly refused: number;
  /** Disposable, and used up: it will not be given another client. */
  readonly spent?: boolean;
}

export interface TrafficReport {
  readonly atMs: number;
  /** Log lines from this moment on are in the buckets; earlier ones may be missing. */
  readonly completeSinceMs: number;
  readonly endpoints: Readonly<Record<string, EndpointTraffic>>;
  /** Lines that could not be read, since `open`. */
  readonly badLines: number;
  /** How far the reader is behind the log's end, bytes. */
  readonly lagBytes: number;
}

/** As many connect errors in a row are one failed check, as three tries of our own are. */
export const REFUSALS_PER_MARK = 3;

/** Connect errors in a row, by instance, of those that have any. */
export function refusingBackends(report: TrafficReport): ReadonlyMap<string, number> {
  const refusing = new Map<string, number>();
  for (const { backends } of Object.values(report.endpoints)) {
    for (const [id, { refused }] of Object.entries(backends)) {
      // Served under two urls, it is one instance with two counts.
      if (refused > 0) refusing.set(id, Math.max(refused, refusing.get(id) ?? 0));
    }
  }
  return refusing;
}

/** The instances that a session has used up. */
export function spentBackends(report: TrafficReport): ReadonlySet<string> {
  const backends = Object.values(report.endpoints).flatMap((endpoint) => Object.entries(endpoint.backends));
  return new Set(backends.filter(([, { spent }]) => spent).map(([id]) => id));
}

/** Connections open to an instance, over the load balancers that reported. */
export function openConnections(endpoint: string, instance: string, reports: readonly TrafficReport[]): number {
  let sum = 0;
  for (const report of reports) sum += report.endpoints[endpoint]?.backends[instance]?.active ?? 0;
  return sum;
}
