import type { BackendTraffic, EndpointTraffic } from '@reactor/core';

/** What happened at one endpoint, by second: connections begun, bytes sent to clients, clients no backend took. */
interface Second {
  connections: number;
  bytes: number;
  failures: number;
}

/** The burst window is looked at besides the endpoint's own. */
const BURST_SECONDS = 2;

export class Tally {
  readonly #seconds = new Map<number, Second>();
  readonly #backends = new Map<string, Map<number, Second>>();
  windowMs: number;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
  }

  connection(backend: string, nowMs: number): void {
    for (const series of this.#both(backend)) secondOf(series, nowMs).connections += 1;
  }

  bytes(count: number, nowMs: number): void {
    if (count > 0) secondOf(this.#seconds, nowMs).bytes += count;
  }

  /** Null: no backend took the client at all. */
  failure(backend: string | null, nowMs: number): void {
    for (const series of backend === null ? [this.#seconds] : [this.#seriesOf(backend)]) secondOf(series, nowMs).failures += 1;
  }

  forget(nowMs: number): void {
    const before = this.#since(nowMs);
    for (const [backend, series] of [['', this.#seconds] as const, ...this.#backends]) {
      for (const second of series.keys()) if (second < before) series.delete(second);
      if (series.size === 0) this.#backends.delete(backend);
    }
  }

  report(nowMs: number): Pick<EndpointTraffic, 'buckets' | 'times'> {
    const buckets = [...this.#seconds]
      .filter(([second]) => second >= this.#since(nowMs))
      .sort(([a], [b]) => a - b)
      .map(([second, { connections, bytes, failures }]) => ({
        second,
        requests: connections + failures,
        bytes,
        timed: 0,
        seconds: 0,
        errors: failures,
      }));
    return { buckets, times: [] };
  }

  backend(id: string, nowMs: number): Pick<BackendTraffic, 'requests' | 'errors'> {
    let requests = 0;
    let errors = 0;
    const since = Math.floor((nowMs - this.windowMs) / 1000);
    for (const [second, { connections, failures }] of this.#backends.get(id) ?? []) {
      if (second < since) continue;
      requests += connections;
      errors += failures;
    }
    return { requests, errors };
  }

  #since(nowMs: number): number {
    return Math.floor(nowMs / 1000 - Math.max(this.windowMs / 1000, BURST_SECONDS));
  }

  #both(backend: string): readonly Map<number, Second>[] {
    return [this.#seconds, this.#seriesOf(backend)];
  }

  #seriesOf(backend: string): Map<number, Second> {
    const known = this.#backends.get(backend) ?? new Map<number, Second>();
    this.#backends.set(backend, known);
    return known;
  }
}

function secondOf(series: Map<number, Second>, nowMs: number): Second {
  const second = Math.floor(nowMs / 1000);
  const known = series.get(second) ?? { connections: 0, bytes: 0, failures: 0 };
  series.set(second, known);
  return known;
}
