import {
  addressText,
  type BackendTraffic,
  binOf,
  type EndpointTraffic,
  MAX_BIN,
  type NginxService as Service,
  type SketchBins,
  type TrafficBucket,
} from '@reactor/core';
import { addressKey } from './connections.js';
import { PairTable } from './pair-table.js';
import { groupServices, type VirtualService } from './virtual-service.js';

/**
 * What the log's lines add up to: per endpoint one-second buckets over its window, per backend the same window and the
 * connect errors in a row. Lines are told by token and address; what was taken out of the configuration is still known for
 * a while, because old workers finish requests and a draining backend's connections are waited for.
 */

/** Longer than any default drain; a backend with open connections is kept beyond it. */
const RETIRED_KEEP_MS = 15 * 60_000;
/** The burst window that is looked at besides the endpoint's own. */
const BURST_WINDOW_MS = 2_000;
/** A line this far in the future of our clock was written before the clock was set back; it counts as of now. */
const AHEAD_LIMIT_SECONDS = 2;

const BINS_BY_MS = Int32Array.from({ length: 4096 }, (_, ms) => binOf(ms / 1000));

interface Bucket {
  requests: number;
  bytes: number;
  timed: number;
  timeMs: number;
  errors: number;
  readonly bins: Map<number, number>;
}

interface BackendBucket {
  requests: number;
  errors: number;
}

/**
 * One endpoint's sums. The times of the second that is being counted stand in a plain array, a bin an element, which costs a
 * fraction of a map per line; they go into the second's own map when another second's turn comes or somebody wants to see it.
 */
export class EndpointSeries {
  readonly buckets = new Map<number, Bucket>();
  readonly backends = new Map<string, BackendSeries>();
  private newest: Bucket | null = null;
  private newestSecond = -1;
  /** Made with the first line: most of many endpoints are quiet. */
  private counts: Int32Array | null = null;
  /** The bins of `counts` that are not 0, so that lines of two seconds in turn stay cheap. */
  private readonly used: number[] = [];

  constructor(public windowMs: number) {}

  /** A request finished in that second; `timeMs` below 0: it reached no backend. */
  count(second: number, bytes: number, timeMs: number, isError: boolean): void {
    if (second !== this.newestSecond) this.open(second);
    const bucket = this.newest!;
    bucket.requests += 1;
    bucket.bytes += bytes;
    if (timeMs < 0) return;
    bucket.timed += 1;
    bucket.timeMs += timeMs;
    if (isError) bucket.errors += 1;
    const bin = timeMs < BINS_BY_MS.length ? BINS_BY_MS[timeMs]! : binOf(timeMs / 1000);
    const counts = this.counts!;
    if (counts[bin]!++ === 0) this.used.push(bin);
  }

  /** Ends the second that is being counted: from now on its bucket says everything. */
  private settle(): void {
    const { newest, counts } = this;
    if (newest !== null && counts !== null) {
      for (const bin of this.used) {
        newest.bins.set(bin, (newest.bins.get(bin) ?? 0) + counts[bin]!);
        counts[bin] = 0;
      }
    }
    this.used.length = 0;
    this.newest = null;
    this.newestSecond = -1;
  }

  forget(before: number): void {
    this.settle();
    forgetBefore(this.buckets, before);
    for (const backend of this.backends.values()) backend.forget(before);
  }

  private open(second: number): void {
    this.settle();
    this.counts ??= new Int32Array(MAX_BIN + 1);
    this.newest = this.buckets.get(second) ?? { requests: 0, bytes: 0, timed: 0, timeMs: 0, errors: 0, bins: new Map() };
    this.buckets.set(second, this.newest);
    this.newestSecond = second;
  }
}

export class BackendSeries {
  readonly buckets = new Map<number, BackendBucket>();
  /** As `addressKey` spells them. */
  addresses: readonly string[] = [];
  /** Null while it is in the configuration; else since when it is out of it and without connections. */
  retiredAtMs: number | null = null;
  refused = 0;
  private newest: BackendBucket | null = null;
  private newestSecond = -1;

  constructor(readonly endpoint: EndpointSeries) {}

  count(second: number, isError: boolean): void {
    if (second !== this.newestSecond) this.open(second);
    const bucket = this.newest!;
    bucket.requests += 1;
    if (isError) bucket.errors += 1;
  }

  forget(before: number): void {
    forgetBefore(this.buckets, before);
    this.newestSecond = -1;
  }

  private open(second: number): void {
    this.newest = this.buckets.get(second) ?? { requests: 0, errors: 0 };
    this.buckets.set(second, this.newest);
    this.newestSecond = second;
  }
}

/** What a log token stands for. */
export interface TokenSeries {
  /** Counts the requests that reached no known backend. */
  readonly primary: EndpointSeries;
  /** IPv4 backends by address and port, others by text. */
  readonly byNumber: PairTable<BackendSeries>;
  readonly byText: Map<string, BackendSeries>;
  retiredAtMs: number | null;
}

export class Traffic {
  /** By the first and last six of the token's hex digits. */
  readonly tokens = new PairTable<TokenSeries>();
  readonly #endpoints = new Map<string, EndpointSeries>();
  #retentionSeconds = 0;

  /** What is configured from now on; everything else is retired and later forgotten. */
  configure(services: readonly Service[], nowMs: number): void {
    const claimed = this.#configureEndpoints(services, nowMs);
    for (const token of this.tokens.all()) token.retiredAtMs ??= nowMs;
    const byName = new Map(services.map((service) => [service.endpoint, service]));
    for (const virtual of groupServices(services).virtual) this.#configureToken(virtual, byName);
    this.#retireClaimed(claimed);
    this.#forgetRetired(nowMs);
    const longest = Math.max(BURST_WINDOW_MS, ...services.map((service) => service.windowMs));
    this.#retentionSeconds = Math.ceil(longest / 1000) + AHEAD_LIMIT_SECONDS + 1;
  }

  /** Second whose bucket takes a line of that second, or null when it is too old to matter. */
  placeOf(second: number, nowSecond: number): number | null {
    if (second > nowSecond + AHEAD_LIMIT_SECONDS) return nowSecond;
    return second < nowSecond - this.#retentionSeconds ? null : second;
  }

  forgetBefore(nowSecond: number): void {
    for (const endpoint of this.#endpoints.values()) endpoint.forget(nowSecond - this.#retentionSeconds);
  }

  /** Reports of all endpoints, configured or lately so. `open` are connections by `addressKey`. */
  report(nowMs: number, open: ReadonlyMap<string, number>): Record<string, EndpointTraffic> {
    this.forgetBefore(Math.floor(nowMs / 1000));
    const reports: Record<string, EndpointTraffic> = {};
    for (const [name, series] of this.#endpoints) reports[name] = reportEndpoint(series, nowMs, open);
    return reports;
  }

  #configureEndpoints(services: readonly Service[], nowMs: number): ReadonlyMap<string, BackendSeries[]> {
    for (const endpoint of this.#endpoints.values()) {
      for (const backend of endpoint.backends.values()) backend.retiredAtMs ??= nowMs;
    }
    const claimed = new Map<string, BackendSeries[]>();
    for (const service of services) {
      const endpoint = this.#endpoints.get(service.endpoint) ?? new EndpointSeries(service.windowMs);
      endpoint.windowMs = service.windowMs;
      this.#endpoints.set(service.endpoint, endpoint);
      const addresses = new Map<string, string[]>();
      for (const { id, host, port } of service.backends) {
        addresses.set(id, [...(addresses.get(id) ?? []), addressKey(host, port)]);
      }
      for (const [id, list] of addresses) {
        const backend = endpoint.backends.get(id) ?? new BackendSeries(endpoint);
        endpoint.backends.set(id, backend);
        // An instance that moved starts anew: marks of its former address are not its own.
        if (backend.addresses.join() !== list.join()) backend.refused = 0;
        backend.addresses = list;
        backend.retiredAtMs = null;
        for (const address of list) claimed.set(address, [...(claimed.get(address) ?? []), backend]);
      }
    }
    return claimed;
  }

  #configureToken(virtual: VirtualService, services: ReadonlyMap<string, Service>): void {
    const [high, low] = [Number.parseInt(virtual.token.slice(0, 6), 16), Number.parseInt(virtual.token.slice(6), 16)];
    const known = this.tokens.get(high, low);
    const primary = this.#endpoints.get(virtual.endpoints[0]!)!;
    const token: TokenSeries =
      known?.primary === primary ? known : { primary, byNumber: new PairTable(), byText: new Map(), retiredAtMs: null };
    token.retiredAtMs = null;
    this.tokens.set(high, low, token);
    // First endpoint last: it is the one that keeps an address which two endpoints of one URL name.
    for (const name of [...virtual.endpoints].reverse()) {
      for (const { id, host, port } of services.get(name)!.backends) {
        const backend = this.#endpoints.get(name)!.backends.get(id)!;
        const address = addressNumber(host);
        if (address === null) token.byText.set(addressText(host, port), backend);
        else token.byNumber.set(address, port, backend);
      }
    }
  }

  /** An address somebody else has now says nothing about the retired backend that had it before. */
  #retireClaimed(claimed: ReadonlyMap<string, readonly BackendSeries[]>): void {
    for (const endpoint of this.#endpoints.values()) {
      for (const backend of endpoint.backends.values()) {
        if (backend.retiredAtMs !== null) backend.addresses = backend.addresses.filter((address) => !claimed.has(address));
      }
    }
  }

  #forgetRetired(nowMs: number): void {
    const gone = (atMs: number | null) => atMs !== null && atMs < nowMs - RETIRED_KEEP_MS;
    this.tokens.keep((token) => !gone(token.retiredAtMs));
    for (const token of this.tokens.all()) {
      token.byNumber.keep((backend) => !gone(backend.retiredAtMs));
      forgetWhere(token.byText, (backend) => gone(backend.retiredAtMs));
    }
    const referenced = new Set(this.tokens.all().map((token) => token.primary));
    for (const [name, endpoint] of this.#endpoints) {
      forgetWhere(endpoint.backends, (backend) => gone(backend.retiredAtMs));
      if (endpoint.backends.size === 0 && !referenced.has(endpoint)) this.#endpoints.delete(name);
    }
  }
}

/** `a.b.c.d` as a 32-bit integer; null for anything but IPv4. */
export function addressNumber(host: string): number | null {
  const bytes = host.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte))) return null;
  return bytes.reduce((sum, byte) => (sum << 8) | byte, 0);
}

function reportEndpoint(series: EndpointSeries, nowMs: number, open: ReadonlyMap<string, number>): EndpointTraffic {
  const since = Math.floor((nowMs - series.windowMs) / 1000);
  const reach = Math.floor((nowMs - Math.max(series.windowMs, BURST_WINDOW_MS)) / 1000);
  const buckets: TrafficBucket[] = [];
  const bins = new Map<number, number>();
  for (const [second, bucket] of [...series.buckets].sort(([a], [b]) => a - b)) {
    if (second < reach) continue;
    const { requests, bytes, timed, timeMs, errors } = bucket;
    buckets.push({ second, requests, bytes, timed, seconds: timeMs / 1000, errors });
    if (second < since) continue;
    for (const [bin, count] of bucket.bins) bins.set(bin, (bins.get(bin) ?? 0) + count);
  }
  const times: SketchBins = [...bins].sort(([a], [b]) => a - b).flat();
  const backends: Record<string, BackendTraffic> = {};
  let active = 0;
  for (const [id, backend] of series.backends) {
    const held = backend.addresses.reduce((sum, address) => sum + (open.get(address) ?? 0), 0);
    if (held > 0 && backend.retiredAtMs !== null) backend.retiredAtMs = nowMs;
    active += held;
    let requests = 0;
    let errors = 0;
    for (const [second, bucket] of backend.buckets) {
      if (second < since) continue;
      requests += bucket.requests;
      errors += bucket.errors;
    }
    backends[id] = { active: held, requests, errors, refused: backend.refused };
  }
  return { buckets, times, active, backends };
}

function forgetBefore(buckets: Map<number, unknown>, before: number): void {
  for (const second of buckets.keys()) if (second < before) buckets.delete(second);
}

function forgetWhere<K, V>(map: Map<K, V>, gone: (value: V) => boolean): void {
  for (const [key, value] of map) if (gone(value)) map.delete(key);
}
