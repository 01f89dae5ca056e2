import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  type ApplyReport,
  type DnsmasqService,
  describeError,
  type LoadBalancer,
  type LogLevel,
  ReactorError,
  type TrafficReport,
} from '@reactor/core';
import { answers, untilAnswered } from './acknowledgement.js';
import { findProcess, type Place, startProcess } from './dnsmasq-process.js';
import { type Hosts, renderHosts, renderOwn, renderSystem } from './render.js';

/**
 * The load balancer port for `dns://`: the hosts file of one dnsmasq. Its own one is started when there is a name to
 * answer and ended when there is none; the system's is told about the file and then only signalled.
 *
 * Names are answered with a time to live of 0, so what has left the file is found by nobody who asks after the
 * acknowledgement. Who asked before may still connect, which is why the drain that follows waits for the agent's own
 * timeouts and not for connections: those it never sees, and so it reports no metrics.
 */
export interface OwnMode {
  readonly kind: 'own';
  /** Absolute. Every directory above it must be passable for dnsmasq's account. */
  readonly directory: string;
}

export interface SystemMode {
  readonly kind: 'system';
  /** Directory of which dnsmasq reads every file at its start. */
  readonly configPath: string;
  readonly hostsPath: string;
  readonly pidFile: string;
}

export interface DnsmasqOptions {
  readonly mode: OwnMode | SystemMode;
  /** Absolute path of dnsmasq. */
  readonly binary: string;
  readonly port: number;
  readonly log: (level: LogLevel, message: string) => void;
}

const ACKNOWLEDGE_LIMIT_MS = 5_000;
const WATCH_MS = 1_000;
const READABLE = 0o644;

export function createDnsmasq(options: DnsmasqOptions): LoadBalancer<DnsmasqService> {
  return new Dnsmasq(options);
}

class Dnsmasq implements LoadBalancer<DnsmasqService> {
  readonly #options: DnsmasqOptions;
  readonly #place: Place;
  readonly #hostsFile: string;
  /** What it has to answer; null while there is no name. */
  #wanted: Hosts | null = null;
  #acknowledged: string | null = null;
  #watch: NodeJS.Timeout | null = null;
  #problem: string | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: DnsmasqOptions) {
    this.#options = options;
    const { mode, binary } = options;
    if (mode.kind === 'own') {
      this.#place = {
        binary,
        pidFile: join(mode.directory, 'dnsmasq.pid'),
        args: [`--conf-file=${join(mode.directory, 'dnsmasq.conf')}`],
      };
      this.#hostsFile = join(mode.directory, 'hosts');
    } else {
      this.#place = { binary, pidFile: mode.pidFile, args: [] };
      this.#hostsFile = mode.hostsPath;
    }
  }

  async open(): Promise<void> {
    this.#watch = setInterval(() => void this.#inTurn(() => this.#look()), WATCH_MS);
    this.#watch.unref();
  }

  apply(services: readonly DnsmasqService[]): Promise<ApplyReport> {
    return this.#inTurn(async () => ({ changed: await this.#apply(services), setAside: {} }));
  }

  async traffic(nowMs: number): Promise<TrafficReport> {
    return { atMs: nowMs, completeSinceMs: 0, endpoints: {}, badLines: 0, lagBytes: 0 };
  }

  async close(): Promise<void> {
    if (this.#watch !== null) clearInterval(this.#watch);
    await this.#turn;
  }

  async #apply(services: readonly DnsmasqService[]): Promise<boolean> {
    this.#wanted = services.length === 0 ? null : renderHosts(services);
    if (this.#wanted === null) return this.#leave();
    if (await this.#isTakenUp(this.#wanted)) return false;
    put(this.#hostsFile, this.#wanted.text);
    await this.#take(this.#wanted);
    return true;
  }

  async #isTakenUp({ text, mark }: Hosts): Promise<boolean> {
    if (readText(this.#hostsFile) !== text || !this.#isConfigured() || findProcess(this.#place) === null) return false;
    // Asked once after a start of ours; after that only what has changed is a reason to ask.
    return this.#acknowledged === mark || answers(mark, this.#options.port);
  }

  /** Has it read what lies in the file, however it was before. */
  async #take({ mark }: Hosts): Promise<void> {
    const { mode, port, log } = this.#options;
    this.#acknowledged = null;
    if (mode.kind === 'system') {
      put(join(mode.configPath, 'reactor.conf'), renderSystem(mode.hostsPath));
      if (findProcess(this.#place) === null) {
        throw new ReactorError('balancer_unavailable', `the system's dnsmasq does not run: no such process in ${mode.pidFile}`);
      }
      this.#signal('SIGHUP');
    } else if (this.#isConfigured() && findProcess(this.#place) !== null) {
      this.#signal('SIGHUP');
    } else {
      await this.#end();
      mkdirSync(mode.directory, { recursive: true, mode: 0o755 });
      put(this.#configFile, this.#configuration);
      await startProcess(this.#place);
      log('info', `dnsmasq started, process ${findProcess(this.#place)}`);
    }
    if (!(await untilAnswered(mark, port, ACKNOWLEDGE_LIMIT_MS))) {
      const once = mode.kind === 'system' ? `; restart it once, so that it reads ${join(mode.configPath, 'reactor.conf')}` : '';
      throw new ReactorError('balancer_unacknowledged', `dnsmasq does not answer for its names on port ${port}${once}`);
    }
    this.#acknowledged = mark;
  }

  /** Nothing to answer any more. */
  async #leave(): Promise<boolean> {
    const { mode } = this.#options;
    this.#acknowledged = null;
    if (mode.kind === 'own') return this.#end();
    const nothing = renderHosts([]);
    if (!existsSync(this.#hostsFile) || readText(this.#hostsFile) === nothing.text) return false;
    put(this.#hostsFile, nothing.text);
    if (findProcess(this.#place) !== null) await this.#take(nothing);
    return true;
  }

  async #end(): Promise<boolean> {
    if (!this.#signal('SIGTERM')) return false;
    const deadline = performance.now() + ACKNOWLEDGE_LIMIT_MS;
    while (findProcess(this.#place) !== null) {
      if (performance.now() > deadline) throw new ReactorError('balancer_unacknowledged', 'dnsmasq does not end');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return true;
  }

  /** Once a second: is it alive? */
  async #look(): Promise<void> {
    if (this.#wanted === null || this.#options.mode.kind === 'system' || findProcess(this.#place) !== null) return;
    try {
      await this.#take(this.#wanted);
      this.#problem = null;
    } catch (error) {
      const text = describeError(error);
      if (text !== this.#problem) this.#options.log('error', `dnsmasq is gone: ${text}`);
      this.#problem = text;
    }
  }

  get #configFile(): string {
    const { mode } = this.#options;
    return mode.kind === 'own' ? join(mode.directory, 'dnsmasq.conf') : join(mode.configPath, 'reactor.conf');
  }

  get #configuration(): string {
    const { mode, port } = this.#options;
    return mode.kind === 'own'
      ? renderOwn({ hosts: this.#hostsFile, pidFile: this.#place.pidFile, port })
      : renderSystem(mode.hostsPath);
  }

  #isConfigured(): boolean {
    return readText(this.#configFile) === this.#configuration;
  }

  #signal(signal: NodeJS.Signals): boolean {
    const pid = findProcess(this.#place);
    return pid !== null && process.kill(pid, signal);
  }

  /** Runs alone, after whatever runs now; a failure is its caller's, not its successor's. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Whole or not at all, whenever we are killed. A leading dot, and dnsmasq reads no such file of a directory. */
function put(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  const aside = join(dirname(file), `.${basename(file)}.new`);
  writeFileSync(aside, text, { mode: READABLE });
  renameSync(aside, file);
}
