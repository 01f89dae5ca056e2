import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ApplyReport,
  describeError,
  type LoadBalancer,
  type NginxService as Service,
  type TrafficReport,
} from '@reactor/core';
import { Application } from './apply.js';
import { Certificates } from './certificates.js';
import { openConnections } from './connections.js';
import type { Home } from './home.js';
import { LogLines } from './log-line.js';
import { LogReader } from './log-reader.js';
import { rotateLogs } from './log-rotation.js';
import { checkOptions, type NginxOptions } from './options.js';
import { OwnHome } from './own-home.js';
import { findMaster, startMaster } from './process.js';
import { SystemHome } from './system-home.js';
import { Traffic } from './traffic.js';
import { childrenOf, holdsFile } from './workers.js';

/**
 * The load balancer port for one nginx. Nothing here is needed for requests to flow: it changes the configuration, starts
 * a dead nginx, reads and rotates the log.
 *
 * Applications are one at a time. Calls that come meanwhile share the next one, which takes the newest services.
 */
const WATCH_MS = 1_000;
/** Starting nginx is tried again this much later. */
const RESTART_DELAY_MS = 5_000;
/** Reloads at once, and one more per second: enough for instances that come up one by one, and few old workers. */
const RELOAD_BURST = 5;
const RELOAD_REFILL_MS = 1_000;
/** Counting connections reads every socket of the machine, a millisecond per 600; it may take so much of the time. */
const CONNECTIONS_KEEP_MS = 1_000;
const CONNECTIONS_KEEP_MOST_MS = 5_000;
const CONNECTIONS_SHARE = 1 / 50;

interface Waiting {
  services: readonly Service[];
  readonly report: Promise<ApplyReport>;
}

export function createNginx(options: NginxOptions): LoadBalancer<Service> {
  checkOptions(options);
  return new Nginx(options);
}

class Nginx implements LoadBalancer<Service> {
  readonly #options: NginxOptions;
  readonly #home: Home;
  readonly #application: Application;
  readonly #traffic = new Traffic();
  readonly #lines = new LogLines(this.#traffic);
  readonly #reader: LogReader;
  #configured = false;
  /** Ends when the application or restart in flight has. */
  #turn: Promise<unknown> = Promise.resolve();
  #waiting: Waiting | null = null;
  #reloadsLeft = RELOAD_BURST;
  #refilledAt = performance.now();
  #connections: { readonly atMs: number; readonly keepMs: number; readonly counts: ReadonlyMap<string, number> } | null = null;
  #reportedBadLines = 0;
  #restartAfter = 0;
  #watch: NodeJS.Timeout | null = null;
  #watching: Promise<void> = Promise.resolve();

  constructor(options: NginxOptions) {
    this.#options = options;
    const { binary, portProblem, meter, log } = options;
    const ipv6 = existsSync('/proc/net/if_inet6');
    this.#home =
      options.mode.kind === 'own' ? new OwnHome(options.mode, options, ipv6) : new SystemHome(options.mode, options, ipv6);
    const certificates = new Certificates({ directory: options.certificates, now: () => this.#now(), log });
    this.#application = new Application({ home: this.#home, certificates, binary, ipv6, portProblem, meter, log });
    this.#reader = new LogReader({
      path: this.#home.logPath,
      lines: this.#lines,
      isOpenInNginx: (inode) => isOpenIn(findMaster(this.#home.place), inode),
    });
  }

  async open(): Promise<void> {
    await this.#home.open();
    await this.#reader.open(this.#now());
    if (findMaster(this.#home.place) === null) await this.#start();
    this.#schedule();
  }

  apply(services: readonly Service[]): Promise<ApplyReport> {
    if (this.#waiting !== null) {
      this.#waiting.services = services;
      return this.#waiting.report;
    }
    const report = this.#inTurn(async () => {
      await this.#pace();
      const { services: newest } = this.#waiting!;
      this.#waiting = null;
      return this.#apply(newest);
    });
    this.#waiting = { services, report };
    return report;
  }

  async traffic(nowMs: number): Promise<TrafficReport> {
    const { meter } = this.#options;
    // Until it is known what the tokens mean, lines wait in the log.
    if (this.#configured) await this.#reader.read(nowMs);
    const bad = this.#lines.bad;
    if (bad > this.#reportedBadLines) meter.add('reactor_log_bad_lines_total', {}, bad - this.#reportedBadLines);
    this.#reportedBadLines = bad;
    meter.set('reactor_log_lag_bytes', {}, this.#reader.lagBytes);
    return {
      atMs: nowMs,
      completeSinceMs: this.#reader.completeSinceMs,
      endpoints: this.#traffic.report(nowMs, this.#openConnections(nowMs)),
      badLines: bad,
      lagBytes: this.#reader.lagBytes,
    };
  }

  async close(): Promise<void> {
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#watch = null;
    await this.#watching;
    await this.#turn;
    await this.#reader.close();
  }

  async #apply(services: readonly Service[]): Promise<ApplyReport> {
    // Before the reload: the first request of a new backend must find its counter. After it nothing new can come for the
    // old ones, which are remembered anyway.
    this.#traffic.configure(services.map(withDraining), this.#now());
    this.#configured = true;
    const report = await this.#application.apply(services);
    if (report.changed) this.#reloadsLeft -= 1;
    return report;
  }

  /** Runs alone, after whatever runs now; a failure is its caller's, not its successor's. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #pace(): Promise<void> {
    const refilled = Math.floor((performance.now() - this.#refilledAt) / RELOAD_REFILL_MS);
    this.#refilledAt += refilled * RELOAD_REFILL_MS;
    this.#reloadsLeft = Math.min(RELOAD_BURST, this.#reloadsLeft + refilled);
    if (this.#reloadsLeft > 0) return;
    await delay(this.#refilledAt + RELOAD_REFILL_MS - performance.now());
    this.#refilledAt = performance.now();
    this.#reloadsLeft = 1;
  }

  async #start(): Promise<void> {
    const { log } = this.#options;
    try {
      const pid = await startMaster(this.#home.place);
      log('info', `nginx started, process ${pid}`);
    } catch (error) {
      this.#restartAfter = performance.now() + RESTART_DELAY_MS;
      log('error', describeError(error));
    }
  }

  #schedule(): void {
    this.#watch = setTimeout(() => {
      this.#watching = this.#look()
        .catch((error: unknown) => this.#options.log('error', `nginx cannot be watched: ${describeError(error)}`))
        .then(() => {
          if (this.#watch !== null) this.#schedule();
        });
    }, WATCH_MS);
    this.#watch.unref();
  }

  /** Once a second: is it alive, is the log read, is it too large? */
  async #look(): Promise<void> {
    if (findMaster(this.#home.place) === null && performance.now() >= this.#restartAfter) {
      await this.#inTurn(async () => {
        if (findMaster(this.#home.place) !== null) return;
        this.#options.log('error', 'nginx is gone; starting it again');
        await this.#start();
      });
    }
    if (this.#configured) await this.#reader.read(this.#now());
    await rotateLogs({
      place: this.#home.place,
      reader: this.#reader,
      limitBytes: this.#options.logLimitBytes,
      errorLog: this.#options.mode.kind === 'own' ? `${this.#options.mode.directory}/logs/error.log` : null,
    });
    this.#traffic.forgetBefore(Math.floor(this.#now() / 1000));
  }

  #openConnections(nowMs: number): ReadonlyMap<string, number> {
    const known = this.#connections;
    if (known !== null && Math.abs(nowMs - known.atMs) < known.keepMs) return known.counts;
    const startedAt = performance.now();
    const counts = openConnections();
    const keepMs = Math.max(CONNECTIONS_KEEP_MS, (performance.now() - startedAt) / CONNECTIONS_SHARE);
    this.#connections = { atMs: nowMs, keepMs: Math.min(keepMs, CONNECTIONS_KEEP_MOST_MS), counts };
    return counts;
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

/** A daemon that starts while a backend drains knows it only from this list, and its connections must still be counted. */
function withDraining(service: Service): Service {
  return { ...service, backends: [...service.backends, ...(service.draining ?? [])] };
}

/** Null when it cannot be told: the master is gone, its workers may live, or we may not look. */
function isOpenIn(master: number | null, inode: number): boolean | null {
  if (master === null) return null;
  let answer: boolean | null = false;
  for (const pid of [master, ...childrenOf(master)]) {
    const holds = holdsFile(pid, inode);
    if (holds === true) return true;
    if (holds === null) answer = null;
  }
  return answer;
}
