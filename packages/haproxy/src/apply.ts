import {
  type ApplyReport,
  describeError,
  type HaproxyService,
  type LogLevel,
  type Meter,
  type PortProblem,
  ReactorError,
  shortHash,
} from '@reactor/core';
import type { Files } from './files.js';
import { changeFrom, changeServers, isNothing, takeOut } from './membership.js';
import { findMaster, signalMaster, startMaster, testConfiguration, until } from './process.js';
import { portsOf, type Rendered, render, type Surroundings } from './render.js';
import type { Runtime } from './runtime.js';
import { groupServices, type VirtualService } from './virtual-service.js';

/**
 * One configuration to a running haproxy. Servers come and go over its socket; only another structure is tested, put in
 * place and reloaded. Nothing is assumed: what runs is asked for, before and after, so that a daemon that was killed in
 * between finds its way, and one that restarts with nothing to do does nothing.
 */
export interface ApplyOptions {
  readonly files: Files;
  readonly runtime: Runtime;
  readonly surroundings: Surroundings;
  readonly portProblem: PortProblem;
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
  /** haproxy, started by us, has ended. */
  readonly ended: () => void;
}

/** Finding k offenders among n takes about k log2 n tests of 10-100 ms; with more something else is wrong. */
const TEST_LIMIT = 200;
/** A refused service is tried again after this, in case what it lacked has come; until then its text is not tested again. */
const REFUSED_KEEP_MS = 60_000;
const ACKNOWLEDGE_LIMIT_MS = 5_000;
/** Certificates are read and threads begun: seconds, on a machine that is busy. */
const START_LIMIT_MS = 15_000;

export class Application {
  readonly #options: ApplyOptions;
  /** Digest of a refused virtual service -> why, and when. */
  readonly #refused = new Map<string, { readonly reason: string; readonly atMs: number }>();
  /** What was said last about certificates. */
  #remarks = '';

  constructor(options: ApplyOptions) {
    this.#options = options;
  }

  /** Backends' hosts must be addresses. Not reentrant. Fails with `balancer_*`; then the last good configuration runs on. */
  async apply(services: readonly HaproxyService[]): Promise<ApplyReport> {
    const { files, surroundings } = this.#options;
    const { virtual, setAside: faults, remarks } = groupServices(services);
    this.#remark(remarks);
    const setAside: Record<string, string> = { ...faults };
    const candidates = await this.#candidates(virtual, setAside);
    const before = files.current();
    let accepted = candidates;
    let rendered = render(accepted, surroundings);
    if (await this.#runs(rendered, accepted, before)) return { changed: false, setAside };
    if (before === null || structureOf(before) !== rendered.structure) {
      const { refused } = await this.#test(candidates);
      for (const [service, reason] of refused) leaveOut(setAside, service, reason);
      accepted = candidates.filter((service) => !refused.has(service));
      rendered = render(accepted, surroundings);
      if (await this.#runs(rendered, accepted, before)) return { changed: false, setAside };
    }
    await this.#takeUp(rendered, accepted, before);
    return { changed: true, setAside };
  }

  /** Starts it with the configuration that is in place. Fails with `balancer_unavailable`. */
  async start(): Promise<void> {
    const { files, log, ended } = this.#options;
    const started = startMaster(files.place, ended);
    const structure = structureOf(files.current() ?? '');
    const runs = await until(START_LIMIT_MS, async () => {
      if (started.problem() !== null) return false;
      return (await this.#current(structure)) === null ? null : true;
    });
    if (runs === true) return log('info', `haproxy started, process ${findMaster(files.place)}`);
    const why = started.problem() ?? `not running after ${START_LIMIT_MS / 1000} s`;
    throw new ReactorError('balancer_unavailable', `haproxy does not start: ${why}`);
  }

  #remark(remarks: readonly string[]): void {
    const text = remarks.join('; ');
    if (text !== this.#remarks && text !== '') this.#options.log('warning', text);
    this.#remarks = text;
  }

  /** Those that may be tried: their port is free, and they were not refused a moment ago. */
  async #candidates(virtual: readonly VirtualService[], setAside: Record<string, string>): Promise<readonly VirtualService[]> {
    const { files, surroundings, portProblem } = this.#options;
    const ours = findMaster(files.place) === null ? new Set<number>() : portsOf(files.current() ?? '');
    const wanted = [...new Set(virtual.map(({ url }) => url.port))].filter((port) => !ours.has(port));
    const taken = new Map(
      await Promise.all(wanted.map(async (port) => [port, await portProblem(port, surroundings.ipv6)] as const)),
    );
    return virtual.filter((service) => {
      const reason = taken.get(service.url.port) ?? this.#refusedBefore(service);
      if (reason !== null) leaveOut(setAside, service, reason);
      return reason === null;
    });
  }

  /** Whether exactly this is in place and running; said by the running process, not remembered. */
  async #runs(rendered: Rendered, virtual: readonly VirtualService[], inPlace: string | null): Promise<boolean> {
    if (inPlace !== rendered.text || findMaster(this.#options.files.place) === null) return false;
    const current = await this.#current(rendered.structure);
    return current !== null && isNothing(changeFrom(await this.#options.runtime.serversOf(current), virtual));
  }

  /** The worker that runs this structure and has no predecessor that still listens; null when there is none. */
  async #current(structure: string): Promise<number | null> {
    const { runtime } = this.#options;
    const workers = await runtime.workers().catch(() => []);
    let found: number | null = null;
    for (const { pid, old } of workers) {
      const state = await runtime.stateOf(pid);
      if (old && state !== null && !state.stopping) return null;
      if (!old && state?.structure === structure && !state.stopping) found = pid;
    }
    return found;
  }

  /** Tests the whole; when it is refused, finds whose fault it is by halves. */
  async #test(candidates: readonly VirtualService[]): Promise<{ readonly refused: ReadonlyMap<VirtualService, string> }> {
    const refused = new Map<VirtualService, string>();
    const whole = await this.#reasonAgainst(candidates);
    if (whole === null) return { refused };
    let accepted: readonly VirtualService[] = [];
    const open: (readonly VirtualService[])[] = [candidates];
    for (let tests = 0; open.length > 0; tests++) {
      if (tests >= TEST_LIMIT) throw refusal(`haproxy refuses too many endpoints at once, the last one with: ${whole}`);
      const group = open.pop()!;
      const reason = await this.#reasonAgainst([...accepted, ...group]);
      if (reason === null) {
        accepted = [...accepted, ...group];
      } else if (group.length > 1) {
        open.push(group.slice(group.length >> 1), group.slice(0, group.length >> 1));
      } else if (group.length === 1) {
        refused.set(group[0]!, `haproxy refuses it: ${reason}`);
        this.#refused.set(digestOf(group[0]!), { reason: `haproxy refuses it: ${reason}`, atMs: performance.now() });
      }
    }
    const last = await this.#reasonAgainst(accepted);
    if (last !== null) throw refusal(`haproxy refuses its configuration: ${last}`);
    return { refused };
  }

  async #reasonAgainst(virtual: readonly VirtualService[]): Promise<string | null> {
    const { files, surroundings } = this.#options;
    this.#written(() => files.writeAside(render(virtual, surroundings)));
    try {
      return await testConfiguration(files.place.binary, files.aside);
    } finally {
      files.dropAside();
    }
  }

  async #takeUp(rendered: Rendered, virtual: readonly VirtualService[], before: string | null): Promise<void> {
    const { files, meter, log } = this.#options;
    this.#written(() => {
      files.writeAside(rendered);
      files.putInPlace();
    });
    try {
      await this.#follow(rendered, virtual);
      files.dropPemsBut(rendered.pems);
    } catch (error) {
      meter.add('reactor_reloads_total', { result: 'unacknowledged' });
      files.restore(before);
      const master = findMaster(files.place);
      if (master !== null && before !== null) signalMaster(files.place, master, 'SIGUSR2');
      log('error', `haproxy keeps its last good configuration: ${describeError(error)}`);
      throw error;
    }
  }

  /** The configuration is in place: has it run, by as little as it takes. */
  async #follow(rendered: Rendered, virtual: readonly VirtualService[]): Promise<void> {
    const { files, runtime } = this.#options;
    if (findMaster(files.place) === null) return this.start();
    const workers = await runtime.workers();
    if ((await this.#current(rendered.structure)) !== null && (await changeServers(runtime, workers, virtual))) return;
    await this.#reload(rendered, virtual);
  }

  async #reload(rendered: Rendered, virtual: readonly VirtualService[]): Promise<void> {
    const { files, runtime, meter } = this.#options;
    const startedAt = performance.now();
    const workers = await runtime.workers();
    const before = new Set(workers.map(({ pid }) => pid));
    const master = findMaster(files.place);
    if (master === null || !signalMaster(files.place, master, 'SIGUSR2')) return this.start();
    const done = await until(ACKNOWLEDGE_LIMIT_MS, async () => {
      const current = await this.#current(rendered.structure);
      return current === null || before.has(current) ? null : true;
    });
    if (done === null) {
      throw new ReactorError(
        'balancer_unacknowledged',
        `haproxy was told to reload but its workers did not change; see ${files.place.errorLog}`,
      );
    }
    // Those that end listen no more, but a request they have yet to send on must not go to who is gone either.
    for (const worker of (await runtime.workers()).filter(({ old }) => old)) {
      const gone = changeFrom(await runtime.serversOf(worker.pid).catch(() => []), virtual).takeOut;
      await takeOut(runtime, [worker], gone);
    }
    meter.add('reactor_reloads_total', { result: 'acknowledged' });
    meter.observe('reactor_reload_seconds', {}, (performance.now() - startedAt) / 1000);
  }

  #written(work: () => void): void {
    try {
      work();
    } catch (cause) {
      const message = `haproxy's configuration cannot be written: ${describeError(cause)}`;
      throw new ReactorError('balancer_unavailable', message, { cause });
    }
  }

  #refusedBefore(service: VirtualService): string | null {
    for (const [digest, { atMs }] of this.#refused) {
      if (atMs < performance.now() - REFUSED_KEEP_MS) this.#refused.delete(digest);
    }
    return this.#refused.size === 0 ? null : (this.#refused.get(digestOf(service))?.reason ?? null);
  }
}

function leaveOut(setAside: Record<string, string>, service: VirtualService, reason: string): void {
  for (const endpoint of service.endpoints) setAside[endpoint] = reason;
}

/** The structure that a text of ours names in its own description. */
function structureOf(text: string): string {
  return /^ {4}description reactor-([0-9a-f]{12})$/m.exec(text)?.[1] ?? '';
}

const refusal = (message: string) => new ReactorError('balancer_refused', message);
/** Without its servers, which do not make it good or bad. */
const digestOf = (service: VirtualService) => shortHash(JSON.stringify({ ...service, servers: [] }));
