import {
  type BackendTraffic,
  binOf,
  type EndpointTraffic,
  type HaproxyService,
  REFUSALS_PER_MARK,
  type TrafficBucket,
} from '@reactor/core';
import type { LogLine } from './access-log.js';
import type { ServerFigures } from './runtime.js';
import { groupServices, serverName } from './virtual-service.js';

/**
 * What the log's lines and the servers' figures add up to: per endpoint one-second buckets over its window, per backend the
 * same window, its open connections and its connect errors in a row. What was taken out is still known for a while, because
 * a server that drains finishes requests, and its connections are waited for.
 */

/** Longer than any default drain; a backend with open connections is kept beyond it. */
const RETIRED_KEEP_MS = 15 * 60_000;
/** The burst window that is looked at besides the endpoint's own. */
const BURST_WINDOW_MS = 2_000;
/** haproxy's word for none. */
const NO_SERVER = '<NOSRV>';

interface Bucket {
  requests: number;
  bytes: number;
  timed: number;
  timeMs: number;
  errors: number;
  readonly bins: Map<number, number>;
}

interface EndpointSeries {
  windowMs: number;
  readonly buckets: Map<number, Bucket>;
  readonly backends: Map<string, BackendSeries>;
}

interface BackendSeries {
  readonly endpoint: EndpointSeries;
  readonly buckets: Map<number, { requests: number; errors: number }>;
  /** Connect errors since one was answered. */
  refused: number;
  answered: boolean;
  active: number;
  down: boolean;
  /** Null while it is meant to be there. */
  retiredAtMs: number | null;
}

export class Traffic {
  readonly #endpoints = new Map<string, EndpointSeries>();
  /** By `backend/server` of haproxy. */
  readonly #servers = new Map<string, BackendSeries>();
  /** By backend of haproxy: whose the requests are that reached no server. */
  readonly #primaries = new Map<string, EndpointSeries>();
  /** By worker and server: connect errors that were counted already. */
  #errorsSeen = new Map<string, number>();
  readonly #sinceMs: number;

  /** Requests from then on are counted. */
  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs;
  }

  /** What is configured from now on; everything else is retired and later forgotten. */
  configure(services: readonly HaproxyService[], nowMs: number): void {
    for (const { backends } of this.#endpoints.values()) for (const backend of backends.values()) backend.retiredAtMs ??= nowMs;
    const byName = new Map(services.map((service) => [service.endpoint, service]));
    for (const { token, endpoints } of groupServices(services).virtual) {
      // First endpoint last: it keeps a server that two endpoints of one URL name.
      for (const name of [...endpoints].reverse()) this.#configureEndpoint(token, byName.get(name)!);
    }
    this.#forget(nowMs);
  }

  count(line: LogLine, nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const server = this.#servers.get(`${line.backend}/${line.server}`);
    const endpoint = server?.endpoint ?? this.#primaries.get(line.backend);
    if (endpoint === undefined) return;
    const reached = line.server !== NO_SERVER;
    const isError = line.status >= 500 && reached && (line.upstreamMs >= 0 || line.endedBy.toUpperCase() === 'S');
    const bucket = bucketOf(endpoint.buckets, second);
    bucket.requests += 1;
    bucket.bytes += line.bytes;
    if (isError) bucket.errors += 1;
    if (line.upstreamMs >= 0) {
      bucket.timed += 1;
      bucket.timeMs += line.upstreamMs;
      const bin = binOf(line.upstreamMs / 1000);
      bucket.bins.set(bin, (bucket.bins.get(bin) ?? 0) + 1);
    }
    if (server === undefined) return;
    const own = server.buckets.get(second) ?? { requests: 0, errors: 0 };
    own.requests += 1;
    if (isError) own.errors += 1;
    server.buckets.set(second, own);
    if (line.endedIn !== 'C') {
      server.refused = 0;
      server.answered = true;
    }
  }

  /** What every worker says of its servers; `current` is the one whose health checks count. */
  observe(figures: ReadonlyMap<number, readonly ServerFigures[]>, current: number | null): void {
    for (const server of this.#servers.values()) {
      server.active = 0;
      server.down = false;
    }
    const seen = new Map<string, number>();
    for (const [pid, servers] of figures) {
      for (const { backend, name, active, connectErrors, down } of servers) {
        const key = `${pid}/${backend}/${name}`;
        seen.set(key, connectErrors);
        const server = this.#servers.get(`${backend}/${name}`);
        if (server === undefined) continue;
        server.active += active;
        if (pid === current) server.down = down;
        const fresh = connectErrors - (this.#errorsSeen.get(key) ?? connectErrors);
        if (fresh > 0 && !server.answered) server.refused += fresh;
      }
    }
    for (const server of this.#servers.values()) server.answered = false;
    this.#errorsSeen = seen;
  }

  report(nowMs: number): Record<string, EndpointTraffic> {
    const reports: Record<string, EndpointTraffic> = {};
    for (const [name, endpoint] of this.#endpoints) {
      const report = reportOf(endpoint, nowMs);
      // Said only while it matters, so that a quiet host has nothing to say.
      const partial = this.#sinceMs > nowMs - Math.max(endpoint.windowMs, BURST_WINDOW_MS);
      reports[name] = partial ? { ...report, completeSinceMs: this.#sinceMs } : report;
    }
    return reports;
  }

  #configureEndpoint(token: string, service: HaproxyService): void {
    const { endpoint: name, windowMs } = service;
    const endpoint = this.#endpoints.get(name) ?? { windowMs, buckets: new Map(), backends: new Map() };
    endpoint.windowMs = windowMs;
    this.#endpoints.set(name, endpoint);
    this.#primaries.set(token, endpoint);
    for (const backend of [...service.backends, ...(service.draining ?? [])]) {
      const series = endpoint.backends.get(backend.id) ?? aBackend(endpoint);
      series.retiredAtMs = null;
      endpoint.backends.set(backend.id, series);
      this.#servers.set(`${token}/${serverName(backend)}`, series);
    }
  }

  #forget(nowMs: number): void {
    const gone = ({ retiredAtMs, active }: BackendSeries) =>
      retiredAtMs !== null && active === 0 && retiredAtMs < nowMs - RETIRED_KEEP_MS;
    for (const [key, server] of this.#servers) if (gone(server)) this.#servers.delete(key);
    for (const [name, endpoint] of this.#endpoints) {
      for (const [id, backend] of endpoint.backends) if (gone(backend)) endpoint.backends.delete(id);
      const silent = [...endpoint.buckets.keys()].every((second) => second * 1000 < nowMs - RETIRED_KEEP_MS);
      const named = [...this.#primaries.values()].includes(endpoint);
      if (endpoint.backends.size === 0 && silent && !named) this.#endpoints.delete(name);
    }
  }
}

function aBackend(endpoint: EndpointSeries): BackendSeries {
  return { endpoint, buckets: new Map(), refused: 0, answered: false, active: 0, down: false, retiredAtMs: null };
}

function bucketOf(buckets: Map<number, Bucket>, second: number): Bucket {
  const known = buckets.get(second);
  if (known !== undefined) return known;
  const bucket = { requests: 0, bytes: 0, timed: 0, timeMs: 0, errors: 0, bins: new Map<number, number>() };
  buckets.set(second, bucket);
  return bucket;
}

function reportOf(endpoint: EndpointSeries, nowMs: number): EndpointTraffic {
  const since = Math.floor((nowMs - endpoint.windowMs) / 1000);
  const reach = Math.floor((nowMs - Math.max(endpoint.windowMs, BURST_WINDOW_MS)) / 1000);
  for (const second of endpoint.buckets.keys()) if (second < reach) endpoint.buckets.delete(second);
  const bins = new Map<number, number>();
  const buckets: TrafficBucket[] = [];
  for (const [second, bucket] of [...endpoint.buckets].sort(([a], [b]) => a - b)) {
    const { requests, bytes, timed, timeMs, errors } = bucket;
    buckets.push({ second, requests, bytes, timed, seconds: timeMs / 1000, errors });
    if (second >= since) for (const [bin, count] of bucket.bins) bins.set(bin, (bins.get(bin) ?? 0) + count);
  }
  const backends: Record<string, BackendTraffic> = {};
  let active = 0;
  for (const [id, backend] of endpoint.backends) {
    active += backend.active;
    backends[id] = reportBackend(backend, since, reach);
  }
  return { buckets, times: [...bins].sort(([a], [b]) => a - b).flat(), active, backends };
}

function reportBackend(backend: BackendSeries, since: number, reach: number): BackendTraffic {
  let requests = 0;
  let errors = 0;
  for (const [second, bucket] of backend.buckets) {
    if (second < reach) backend.buckets.delete(second);
    if (second < since) continue;
    requests += bucket.requests;
    errors += bucket.errors;
  }
  // What haproxy's own checks found down counts as a failed check, whether or not a request came to try it.
  const down = backend.down && backend.retiredAtMs === null ? REFUSALS_PER_MARK : 0;
  return { active: backend.active, requests, errors, refused: Math.max(backend.refused, down) };
}
