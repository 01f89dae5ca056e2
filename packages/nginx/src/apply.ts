import {
  type ApplyReport,
  describeError,
  type LogLevel,
  type Meter,
  type PortProblem,
  ReactorError,
  type NginxService as Service,
  shortHash,
} from '@reactor/core';
import type { Certificates } from './certificates.js';
import { type Home, type Staged, sameFiles } from './home.js';
import { findMaster, reloadMaster, signalMaster, startMaster, testConfiguration } from './process.js';
import { portsOf } from './render.js';
import { groupServices, type VirtualService } from './virtual-service.js';

/**
 * One configuration to a running nginx:
 * group -> leave out what cannot listen -> certificates -> render -> nothing to do? -> write aside -> test -> leave out what nginx refuses
 * -> put in place -> reload -> acknowledged by every worker -> confirm. On any failure the confirmed files come back.
 */
export interface ApplyOptions {
  readonly home: Home;
  readonly certificates: Certificates;
  readonly binary: string;
  readonly ipv6: boolean;
  readonly portProblem: PortProblem;
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
}

interface Acceptance {
  readonly staged: Staged;
  readonly refused: ReadonlyMap<VirtualService, string>;
}

/** Finding k offenders among n takes about k log2 n tests of 10-100 ms; with more something else is wrong. */
const TEST_LIMIT = 200;
/** A refused service is tried again after this, in case what it lacked has come; until then its text is not tested again. */
const REFUSED_KEEP_MS = 60_000;

export class Application {
  readonly #options: ApplyOptions;
  /** Digest of a refused virtual service -> why, and when. */
  readonly #refused = new Map<string, { readonly reason: string; readonly atMs: number }>();
  /** What was said last about places that send clients on to https. */
  #remarks = '';

  constructor(options: ApplyOptions) {
    this.#options = options;
  }

  /** Backends' hosts must be addresses. Not reentrant. Fails with `balancer_*`; then the last good configuration runs on. */
  async apply(services: readonly Service[]): Promise<ApplyReport> {
    const { home } = this.#options;
    const grouping = groupServices(services);
    const setAside: Record<string, string> = { ...grouping.setAside };
    const remarks: string[] = [...grouping.remarks];
    const leaveOut = (virtual: VirtualService, reason: string) => {
      // Without their place of http the endpoints are still served, so they are not set aside.
      if (virtual.httpsPort !== null) remarks.push(`redirect_http of '${virtual.endpoints.join("', '")}': ${reason}`);
      else for (const endpoint of virtual.endpoints) setAside[endpoint] = reason;
    };
    const running = findMaster(home.place) !== null;
    const taken = await this.#takenPorts(grouping.virtual, running);
    const candidates = grouping.virtual.flatMap((incomplete) => {
      const { virtual, fault } = this.#completed(incomplete);
      const reason = taken.get(virtual.url.port) ?? fault ?? this.#refusedBefore(virtual);
      if (reason === null) return [virtual];
      leaveOut(virtual, reason);
      return [];
    });
    if (running && home.isConfirmed() && sameFiles(home.render(candidates), home.files)) {
      this.#remark(remarks);
      return { changed: false, setAside };
    }

    const { staged, refused } = await this.#accept(candidates);
    for (const [virtual, reason] of refused) leaveOut(virtual, reason);
    this.#remark(remarks);
    if (running && home.isConfirmed() && sameFiles(staged.files, home.files)) {
      staged.discard();
      return { changed: false, setAside };
    }
    await this.#takeUp(staged);
    return { changed: true, setAside };
  }

  #completed(virtual: VirtualService): { readonly virtual: VirtualService; readonly fault: string | null } {
    try {
      return { virtual: this.#options.certificates.complete(virtual), fault: null };
    } catch (error) {
      return { virtual, fault: `ssl: no certificate can be made: ${describeError(error)}` };
    }
  }

  #remark(remarks: readonly string[]): void {
    const text = remarks.join('; ');
    if (text !== this.#remarks && text !== '') this.#options.log('warning', text);
    this.#remarks = text;
  }

  /** Ports nginx does not listen on yet and cannot: port -> why. */
  async #takenPorts(virtual: readonly VirtualService[], running: boolean): Promise<ReadonlyMap<number, string>> {
    const { home, ipv6, portProblem } = this.#options;
    const ours = running ? portsOf(home.files) : new Set<number>();
    const taken = new Map<number, string>();
    for (const port of new Set(virtual.map(({ url }) => url.port))) {
      if (ours.has(port)) continue;
      // Without a master its orphaned workers may hold the port; starting dismisses them.
      const reason = running || !portsOf(home.files).has(port) ? await portProblem(port, ipv6) : null;
      if (reason !== null) taken.set(port, reason);
    }
    return taken;
  }

  /** Tests all; when they are refused, finds by elimination which ones are to blame and leaves only those out. */
  async #accept(candidates: readonly VirtualService[]): Promise<Acceptance> {
    const whole = await this.#test(candidates);
    if (whole.staged !== null) return { staged: whole.staged, refused: new Map() };
    const none = await this.#test([]);
    if (none.staged === null) throw refusal(`nginx refuses its configuration without any endpoint: ${none.reason}`);
    none.staged.discard();

    const refused = new Map<VirtualService, string>();
    let accepted: readonly VirtualService[] = [];
    const open: (readonly VirtualService[])[] = [candidates];
    for (let tests = 0; open.length > 0; tests++) {
      if (tests >= TEST_LIMIT) throw refusal(`nginx refuses too many endpoints at once, the last one with: ${whole.reason}`);
      const group = open.pop()!;
      const { staged, reason } = await this.#test([...accepted, ...group]);
      staged?.discard();
      if (staged !== null) {
        accepted = [...accepted, ...group];
      } else if (group.length === 1) {
        refused.set(group[0]!, `nginx refuses it: ${reason}`);
        this.#refused.set(digestOf(group[0]!), { reason: `nginx refuses it: ${reason}`, atMs: performance.now() });
      } else {
        const half = group.length >> 1;
        open.push(group.slice(half), group.slice(0, half));
      }
    }
    const last = await this.#test(candidates.filter((virtual) => !refused.has(virtual)));
    if (last.staged === null) throw refusal(`nginx refuses its configuration: ${last.reason}`);
    return { staged: last.staged, refused };
  }

  async #test(virtual: readonly VirtualService[]): Promise<{ staged: Staged | null; reason: string }> {
    const { home, binary } = this.#options;
    let staged: Staged;
    try {
      staged = home.stage(virtual);
    } catch (cause) {
      throw new ReactorError('balancer_unavailable', `nginx's configuration cannot be written: ${describeError(cause)}`, {
        cause,
      });
    }
    try {
      const reason = await testConfiguration(binary, staged.test);
      if (reason === null) return { staged, reason: '' };
      staged.discard();
      // Where we wrote it aside says nothing to the reader.
      return { staged: null, reason: reason.replaceAll(`${staged.folder}/`, '') };
    } catch (error) {
      staged.discard();
      throw error;
    }
  }

  async #takeUp(staged: Staged): Promise<void> {
    const { home, meter, log } = this.#options;
    try {
      home.activate(staged);
      await this.#testWhole();
      const master = findMaster(home.place);
      if (master === null) await startMaster(home.place);
      else await this.#reload(master);
      home.confirm();
      meter.add('reactor_reloads_total', { result: 'acknowledged' });
    } catch (error) {
      const code = error instanceof ReactorError ? error.code : 'balancer_unavailable';
      meter.add('reactor_reloads_total', { result: code === 'balancer_refused' ? 'refused' : 'unacknowledged' });
      home.restore();
      // It may take the refused one up late; told once more, it ends with what is in place.
      const master = findMaster(home.place);
      if (code === 'balancer_unacknowledged' && master !== null) signalMaster(home.place, master, 'SIGHUP');
      log('error', `nginx keeps its last good configuration: ${describeError(error)}`);
      if (error instanceof ReactorError) throw error;
      throw new ReactorError('balancer_unavailable', `nginx's configuration cannot be written: ${describeError(error)}`, {
        cause: error,
      });
    }
  }

  async #testWhole(): Promise<void> {
    const { home, binary } = this.#options;
    if (home.wholeTest === null) return;
    const reason = await testConfiguration(binary, home.wholeTest);
    if (reason !== null) throw refusal(`nginx refuses the configuration as a whole, which is fine by itself: ${reason}`);
  }

  async #reload(master: number): Promise<void> {
    const ms = await reloadMaster(this.#options.home.place, master);
    if (ms === null) {
      throw new ReactorError(
        'balancer_unacknowledged',
        'nginx was told to reload but its workers did not change; see its error log',
      );
    }
    this.#options.meter.observe('reactor_reload_seconds', {}, ms / 1000);
  }

  #refusedBefore(virtual: VirtualService): string | null {
    for (const [digest, { atMs }] of this.#refused) {
      if (atMs < performance.now() - REFUSED_KEEP_MS) this.#refused.delete(digest);
    }
    return this.#refused.size === 0 ? null : (this.#refused.get(digestOf(virtual))?.reason ?? null);
  }
}

const refusal = (message: string) => new ReactorError('balancer_refused', message);
const digestOf = (virtual: VirtualService) => shortHash(JSON.stringify(virtual));
