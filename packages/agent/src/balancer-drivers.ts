import {
  type ApplyReport,
  type BalancerFailure,
  type BalancerKind,
  type Clock,
  describeError,
  type EndpointTraffic,
  type LoadBalancer,
  type LogLevel,
  ReactorError,
  type Service,
  type Sessions,
  type TrafficReport,
} from '@reactor/core';
import { BackendAddresses } from './backend-addresses.js';

/**
 * All load balancers of a host as one. Each gets its own services and nothing else; it is opened when an endpoint first
 * needs it, or at once when it ran before. One that is not installed or fails keeps nobody else from being served, drained
 * or counted: its endpoints are named, and what it may still serve counts as served.
 */
export interface BalancerDriver {
  readonly kind: BalancerKind;
  /** It is opened at once: it ran before, so it may be serving now. */
  readonly ranBefore: boolean;
  /** Null when it can be made; otherwise, in plain words, why not. */
  missing(): string | null;
  create(): LoadBalancer;
}

export interface BalancerDriverOptions {
  readonly drivers: readonly BalancerDriver[];
  readonly clock: Clock;
  readonly log: (level: LogLevel, message: string) => void;
}

/** Opening one that failed is tried again this much later. */
const REOPEN_MS = 5_000;

export function combineDrivers({ drivers, clock, log }: BalancerDriverOptions): LoadBalancer {
  const seats = drivers.map((driver) => new Seat(driver, clock, log));
  const addresses = new BackendAddresses((message) => log('warning', message));
  return {
    async open() {
      await Promise.all(seats.map((seat) => seat.openIfItRan()));
    },
    async apply(services) {
      const resolved = await addresses.resolve(services);
      const outcomes = await Promise.all(
        seats.map((seat) => seat.apply(resolved.filter((service) => service.kind === seat.kind))),
      );
      return merged(outcomes, resolved, new Set(seats.map(({ kind }) => kind)));
    },
    async traffic(nowMs) {
      const reports = await Promise.all(seats.map((seat) => seat.traffic(nowMs)));
      const heard = reports.filter((report) => report !== null);
      const deaf = seats.flatMap((seat) => seat.deafness ?? []);
      // Nobody has anything to say: then what was said last is worth more than a report of unknowns.
      if (deaf.length > 0 && deaf.length === heard.length) throw deaf[0]!;
      return {
        atMs: nowMs,
        completeSinceMs: Math.max(Number.MIN_SAFE_INTEGER, ...heard.map((report) => report.completeSinceMs)),
        endpoints: Object.assign({}, ...heard.map((report) => report.endpoints)),
        badLines: heard.reduce((sum, report) => sum + report.badLines, 0),
        lagBytes: heard.reduce((sum, report) => sum + report.lagBytes, 0),
      };
    },
    sessions: {
      async list() {
        return (await Promise.all(seats.map((seat) => seat.sessions?.list() ?? []))).flat();
      },
      async kill(endpoint, client) {
        const killed = await Promise.all(seats.map((seat) => seat.sessions?.kill(endpoint, client) ?? false));
        return killed.includes(true);
      },
    },
    async close() {
      await Promise.all(seats.map((seat) => seat.close()));
    },
  };
}

type Outcome = Pick<ApplyReport, 'changed' | 'setAside'> & { readonly failed: BalancerFailure | null };

const NOTHING: Outcome = { changed: false, setAside: {}, failed: null };

function merged(outcomes: readonly Outcome[], services: readonly Service[], known: ReadonlySet<BalancerKind>): ApplyReport {
  const failures = outcomes.flatMap(({ failed }) => failed ?? []);
  const orphans = services
    .filter(({ kind }) => !known.has(kind))
    .map(({ endpoint, kind }) => [endpoint, `this host has no ${kind}`]);
  const report = {
    changed: outcomes.some(({ changed }) => changed),
    setAside: Object.assign(Object.fromEntries(orphans), ...outcomes.map(({ setAside }) => setAside)),
  };
  if (failures.length === 0) return report;
  const problem = failures.map((failure) => failure.problem).join('; ');
  return { ...report, failed: { problem, endpoints: failures.flatMap(({ endpoints }) => endpoints) } };
}

/** One driver, and what is known of it. */
class Seat {
  readonly kind: BalancerKind;
  readonly #driver: BalancerDriver;
  readonly #clock: Clock;
  readonly #log: (level: LogLevel, message: string) => void;
  #balancer: LoadBalancer | null = null;
  #openProblem: { readonly text: string; readonly atMs: number } | null = null;
  /** Why its traffic could not be read the last time; null when it could. */
  deafness: Error | null = null;
  /** Endpoints it may be serving, and those it is meant to serve now. */
  #served: readonly string[] = [];
  #meant: readonly string[] = [];
  #lastTraffic: TrafficReport | null = null;

  constructor(driver: BalancerDriver, clock: Clock, log: (level: LogLevel, message: string) => void) {
    this.kind = driver.kind;
    this.#driver = driver;
    this.#clock = clock;
    this.#log = log;
  }

  async openIfItRan(): Promise<void> {
    if (this.#driver.ranBefore) await this.#open();
  }

  async apply(services: readonly Service[]): Promise<Outcome> {
    this.#meant = services.map(({ endpoint }) => endpoint);
    if (services.length === 0 && this.#balancer === null && !this.#driver.ranBefore) return NOTHING;
    const missing = this.#balancer === null ? this.#driver.missing() : null;
    const problem = missing ?? (await this.#open());
    if (problem !== null) return this.#shut(problem, missing !== null);
    try {
      const report = await this.#balancer!.apply(services);
      this.#served = this.#meant.filter((endpoint) => !(endpoint in report.setAside));
      return { changed: report.changed, setAside: report.setAside, failed: null };
    } catch (error) {
      return { ...NOTHING, failed: this.#failure(`${this.kind}: ${textOf(error)}`) };
    }
  }

  /** Not opened: none of its endpoints is served by us, but one that ran before may go on by itself. */
  #shut(problem: string, missing: boolean): Outcome {
    const text = `${this.kind}: ${problem}`;
    const setAside = Object.fromEntries(this.#meant.map((endpoint) => [endpoint, text]));
    // One that was never here has nothing to take up: its endpoints are told, and that is all.
    if (missing && !this.#driver.ranBefore) return { ...NOTHING, setAside };
    return { ...NOTHING, setAside, failed: this.#failure(text) };
  }

  #failure(problem: string): BalancerFailure {
    this.#served = [...new Set([...this.#served, ...this.#meant])];
    return { problem, endpoints: this.#served };
  }

  /** Null once it is open; otherwise why it is not. */
  async #open(): Promise<string | null> {
    if (this.#balancer !== null) return null;
    const known = this.#openProblem;
    const nowMs = this.#clock.monotonic();
    if (known !== null && nowMs - known.atMs < REOPEN_MS) return known.text;
    let text: string;
    try {
      const missing = this.#driver.missing();
      if (missing === null) {
        const balancer = this.#driver.create();
        await balancer.open();
        this.#balancer = balancer;
        this.#openProblem = null;
        return null;
      }
      text = missing;
    } catch (error) {
      text = textOf(error);
    }
    if (known?.text !== text) this.#log('error', `${this.kind}: ${text}`);
    this.#openProblem = { text, atMs: this.#clock.monotonic() };
    return text;
  }

  /** What it cannot tell is said to be unknown, not none. */
  async traffic(nowMs: number): Promise<TrafficReport | null> {
    if (this.#balancer === null) return this.#meant.length === 0 ? null : this.#unknown(nowMs);
    try {
      const report = await this.#balancer.traffic(nowMs);
      this.#lastTraffic = report;
      this.deafness = null;
      return report;
    } catch (error) {
      const former = this.deafness?.message;
      this.deafness = error instanceof Error ? error : new Error(describeError(error));
      if (former !== this.deafness.message) this.#log('error', `${this.kind}: its traffic cannot be read: ${textOf(error)}`);
      return this.#unknown(nowMs);
    }
  }

  #unknown(nowMs: number): TrafficReport {
    const names = new Set([...this.#meant, ...this.#served]);
    const endpoints = Object.fromEntries([...names].map((name) => [name, this.#lastSeen(name, nowMs)]));
    return { atMs: nowMs, completeSinceMs: Number.MIN_SAFE_INTEGER, endpoints, badLines: 0, lagBytes: 0 };
  }

  /** Connections that were open count as open: their instance is not stopped for want of news. */
  #lastSeen(endpoint: string, nowMs: number): EndpointTraffic {
    const last = this.#lastTraffic?.endpoints[endpoint];
    const { active, backends } = last ?? { active: 0, backends: {} };
    return { buckets: [], times: [], active, backends, completeSinceMs: nowMs };
  }

  get sessions(): Sessions | undefined {
    return this.#balancer?.sessions;
  }

  async close(): Promise<void> {
    await this.#balancer?.close();
  }
}

function textOf(error: unknown): string {
  if (error instanceof ReactorError || !(error instanceof Error)) return describeError(error);
  return `${describeError(error)} ${error.stack?.split('\n')[1]?.trim() ?? ''}`.trim();
}
