import { existsSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { type ApplyReport, describeError, type HaproxyService, type LoadBalancer, type TrafficReport } from '@reactor/core';
import { AccessLog } from './access-log.js';
import { Application } from './apply.js';
import { Files } from './files.js';
import { sweep } from './membership.js';
import { checkOptions, type HaproxyOptions } from './options.js';
import { findMaster, signalMaster } from './process.js';
import type { Surroundings } from './render.js';
import { Runtime, type ServerFigures } from './runtime.js';
import { Traffic } from './traffic.js';

/**
 * The load balancer port for one haproxy. Nothing here is needed for requests to flow: it changes who the servers are, starts
 * a dead haproxy, reads its log and figures. One application at a time; calls that come meanwhile share the next one, which
 * takes the newest services. With nothing to serve, and nothing left to finish, haproxy is stopped.
 */
const WATCH_MS = 1_000;
/** Starting haproxy is tried again this much later. */
const RESTART_DELAY_MS = 5_000;
const ERROR_LOG_LIMIT_BYTES = 4 * 2 ** 20;

interface Waiting {
  services: readonly HaproxyService[];
  readonly report: Promise<ApplyReport>;
}

export function createHaproxy(options: HaproxyOptions): LoadBalancer<HaproxyService> {
  checkOptions(options);
  return new Haproxy(options);
}

class Haproxy implements LoadBalancer<HaproxyService> {
  readonly #options: HaproxyOptions;
  readonly #files: Files;
  readonly #runtime: Runtime;
  readonly #application: Application;
  readonly #accessLog: AccessLog;
  readonly #traffic: Traffic;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting: Waiting | null = null;
  #idle = false;
  #restartAfter = 0;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: HaproxyOptions) {
    const { directory, binary, portProblem, meter, log } = options;
    this.#options = options;
    this.#files = new Files(directory, binary);
    this.#runtime = new Runtime(this.#files.place.masterSocket);
    this.#application = new Application({
      files: this.#files,
      runtime: this.#runtime,
      surroundings: surroundingsOf(options),
      portProblem,
      meter,
      log,
      ended: () => this.#lookSoon(0),
    });
    this.#accessLog = new AccessLog(this.#files.place.accessLog);
    this.#traffic = new Traffic(this.#now());
  }

  async open(): Promise<void> {
    this.#files.open();
    this.#accessLog.read(() => {});
    if (this.#files.current() !== null && findMaster(this.#files.place) === null) await this.#start();
    this.#lookSoon(WATCH_MS);
  }

  apply(services: readonly HaproxyService[]): Promise<ApplyReport> {
    if (this.#waiting !== null) {
      this.#waiting.services = services;
      return this.#waiting.report;
    }
    const report = this.#inTurn(async () => {
      const { services: newest } = this.#waiting!;
      this.#waiting = null;
      return this.#apply(newest);
    });
    this.#waiting = { services, report };
    return report;
  }

  async traffic(nowMs: number): Promise<TrafficReport> {
    this.#accessLog.read((line) => this.#traffic.count(line, nowMs));
    const { figures, current } = await this.#figures();
    this.#traffic.observe(figures, current);
    return {
      atMs: nowMs,
      // Each endpoint says it of itself: nobody else's numbers are the less complete for a haproxy that was started late.
      completeSinceMs: Number.MIN_SAFE_INTEGER,
      endpoints: this.#traffic.report(nowMs),
      badLines: 0,
      lagBytes: 0,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#looking;
    await this.#turn;
  }

  async #apply(services: readonly HaproxyService[]): Promise<ApplyReport> {
    this.#traffic.configure(services, this.#now());
    this.#idle = services.length === 0;
    if (this.#idle && this.#files.current() === null) return { changed: false, setAside: {} };
    return this.#application.apply(services);
  }

  /** Nobody's connections are open while it does not run. */
  async #figures(): Promise<{
    readonly figures: ReadonlyMap<number, readonly ServerFigures[]>;
    readonly current: number | null;
  }> {
    const figures = new Map<number, readonly ServerFigures[]>();
    if (findMaster(this.#files.place) === null) return { figures, current: null };
    const workers = await this.#runtime.workers();
    for (const { pid } of workers) figures.set(pid, await this.#runtime.figuresOf(pid));
    return { figures, current: workers.find(({ old }) => !old)?.pid ?? null };
  }

  /** Runs alone, after whatever runs now; a failure is its caller's, not its successor's. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #start(): Promise<void> {
    try {
      await this.#application.start();
    } catch (error) {
      this.#restartAfter = performance.now() + RESTART_DELAY_MS;
      this.#options.log('error', describeError(error));
    }
  }

  #lookSoon(ms: number): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
        .catch((error: unknown) => this.#options.log('error', `haproxy cannot be watched: ${describeError(error)}`))
        .then(() => this.#lookSoon(WATCH_MS));
    }, ms);
    this.#timer.unref();
  }

  /** Is it alive, has anything drained, may it stop? */
  async #look(): Promise<void> {
    await this.#inTurn(async () => {
      const { place } = this.#files;
      if (this.#files.current() === null) return;
      const master = findMaster(place);
      if (master !== null) return this.#tidy(master);
      if (performance.now() < this.#restartAfter) return;
      this.#options.log('error', 'haproxy is gone; starting it again');
      await this.#start();
    });
    truncateBeyond(this.#files.place.errorLog, ERROR_LOG_LIMIT_BYTES);
  }

  async #tidy(master: number): Promise<void> {
    const workers = await this.#runtime.workers();
    const current = workers.find(({ old }) => !old);
    if (current === undefined) return;
    await sweep(this.#runtime, current.pid);
    const finished = workers.length === 1 && (await this.#runtime.serversOf(current.pid)).length === 0;
    if (!this.#idle || !finished) return;
    this.#options.log('info', 'haproxy has nothing left to serve and is stopped');
    this.#files.restore(null);
    signalMaster(this.#files.place, master, 'SIGTERM');
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

function surroundingsOf(options: HaproxyOptions): Surroundings {
  const { directory, globalOptions, maxConnections, clientTimeoutMs, statsPath, statsMode } = options;
  const ipv6 = existsSync('/proc/net/if_inet6');
  return { directory, account: accountOf(), globalOptions, maxConnections, clientTimeoutMs, statsPath, statsMode, ipv6 };
}

/** Workers need no rights: Debian's account for them, or the one for nobody. Only root may choose. */
function accountOf(): Surroundings['account'] {
  if (process.getuid?.() !== 0) return null;
  const has = (file: string, name: string) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .some((line) => line.startsWith(`${name}:`));
  if (has('/etc/passwd', 'haproxy') && has('/etc/group', 'haproxy')) return { user: 'haproxy', group: 'haproxy' };
  return { user: 'nobody', group: has('/etc/group', 'nogroup') ? 'nogroup' : 'nobody' };
}

function truncateBeyond(file: string, limitBytes: number): void {
  try {
    if (statSync(file).size > limitBytes) truncateSync(file, 0);
  } catch {
    // Not there yet.
  }
}
