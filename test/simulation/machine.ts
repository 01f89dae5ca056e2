import { type Clock, type EpochMark, type MarkKeeper, type PortKeeper, ReactorError } from '@reactor/core';
import type { IdentityGuard, StateIdentity } from '../../packages/state/src/identity.js';
import { createFakeEngine, type FakeEngine } from '../../packages/testkit/src/fake-engine.js';
import { type BalancerState, createBalancerState } from './balancer.js';
import type { Scheduled } from './scheduler.js';
import type { World } from './world.js';

/** A host of the simulated cluster: what outlives its daemon, and what can go wrong with it as a whole. */
export class Machine {
  readonly engine: FakeEngine;
  readonly balancer: BalancerState;
  /** By container id: from when on its program answers; never for one that is broken. */
  readonly answersAtMs = new Map<string, number>();
  process: Process | null = null;
  powered = true;
  /** Its daemon publishes nothing until then. */
  mutedUntilMs = 0;
  /** What its copy of the state, on its disk, knows of it. */
  known: StateIdentity | null = null;
  /** When its daemon stood still, and when its clock was set: newest last. */
  readonly stills: { readonly fromMs: number; untilMs: number }[] = [];
  readonly steps: { readonly atMs: number; readonly byMs: number }[] = [];
  #skewMs = 0;
  /** Every wait and every answer takes so many times as long. */
  slowness = 1;
  /** Whether requests reach the store, and its answers this machine. */
  storeRequests = true;
  storeAnswers = true;
  /** Cut from the other machines. */
  isolated = false;
  engineHungUntilMs = 0;
  /** Its disk can be neither read nor written until then. */
  diskBrokenUntilMs = 0;
  /** What its disk keeps of the terms of leadership it has obeyed. */
  mark: EpochMark | null = null;
  readonly marks: MarkKeeper = {
    read: () => {
      this.#disk();
      return this.mark;
    },
    write: (mark) => {
      this.#disk();
      this.mark = mark;
    },
  };
  /** What its disk keeps of the ports it has handed out. */
  nextPort: number | null = null;
  readonly portsHandedOut: PortKeeper = {
    read: () => {
      this.#disk();
      return this.nextPort;
    },
    write: (port) => {
      this.#disk();
      this.nextPort = port;
    },
  };
  engineDownUntilMs = 0;

  constructor(
    readonly world: World,
    readonly id: string,
    readonly address: string,
    readonly slots: number,
  ) {
    this.engine = createFakeEngine({ cluster: 'simulated', images: ['good:1', 'good:2', 'bad:1'], nowMs: () => this.wallMs() });
    this.balancer = createBalancerState();
  }

  wallMs(): number {
    return this.world.wallMs + this.skewMs;
  }

  #disk(): void {
    if (this.diskBrokenUntilMs <= this.world.nowMs) return;
    this.world.cover('a mark cannot be read or written');
    throw new ReactorError('mark_unreadable', 'the disk does not answer');
  }

  /** Added to the world's time by this machine's clock. */
  get skewMs(): number {
    return this.#skewMs;
  }

  setClock(skewMs: number): void {
    if (skewMs === this.#skewMs) return;
    this.steps.push({ atMs: this.world.nowMs, byMs: skewMs - this.#skewMs });
    this.#skewMs = skewMs;
  }

  /** Its daemon does not run until then, while the clock goes on. */
  get pausedUntilMs(): number {
    return this.stills.at(-1)?.untilMs ?? 0;
  }

  standStill(forMs: number): void {
    const { nowMs } = this.world;
    const last = this.stills.at(-1);
    if (last === undefined || last.untilMs <= nowMs) this.stills.push({ fromMs: nowMs, untilMs: nowMs + forMs });
    else last.untilMs = nowMs + forMs;
  }

  goOn(): void {
    const last = this.stills.at(-1);
    if (last !== undefined) last.untilMs = Math.min(last.untilMs, this.world.nowMs);
  }

  /** Whether a connection from here to `other` comes about. */
  reaches(other: Machine): boolean {
    return other.powered && (other === this || (!this.isolated && !other.isolated));
  }
}

/**
 * One run of a daemon, from its start to its end. Whatever is to wake its code comes through `after`, so killing it at any
 * await is not to wake it any more, and pausing it is to wake it later.
 */
export class Process {
  alive = true;
  stop: (() => Promise<void>) | null = null;
  /** When its controller began to look at its clocks. */
  commandsSinceMs = 0;
  /** Of its one connection to the store, whoever uses it. */
  guard: IdentityGuard | null = null;
  /** The store is not the one it knew, and it waits for what becomes of that. */
  recovering = false;
  /** Ends what others hold for it: its watches on the store and on Docker. */
  readonly ended = new AbortController();
  readonly clock: Clock;

  constructor(
    readonly machine: Machine,
    readonly number: number,
  ) {
    const bornMs = machine.world.nowMs;
    this.clock = {
      now: () => machine.wallMs(),
      // Of this run of the daemon: neither a set clock nor a pause moves it, and no other run's is comparable.
      monotonic: () => machine.world.nowMs - bornMs,
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
  }

  get name(): string {
    return `${this.machine.id}#${this.number}`;
  }

  kill(): void {
    this.alive = false;
    this.ended.abort();
    if (this.machine.process === this) this.machine.process = null;
  }

  after(delayMs: number, kind: string, run: () => void): Scheduled {
    const { machine } = this;
    const { scheduler } = machine.world;
    const wake = (): void => {
      if (!this.alive) return;
      const left = machine.pausedUntilMs - scheduler.nowMs;
      if (left > 0) scheduler.after(left, kind, wake);
      else run();
    };
    return scheduler.after(delayMs, kind, wake);
  }

  /** As `after`, at once when nothing is in the way: an event less. */
  now(kind: string, run: () => void): void {
    if (!this.alive) return;
    if (this.machine.pausedUntilMs > this.machine.world.nowMs) this.after(0, kind, run);
    else run();
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const { slowness } = this.machine;
      const late = slowness === 1 ? 1 : this.machine.world.chance.whole(1, 20 * slowness);
      const end = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.after(Math.max(0, ms) + late, 'timer', end);
      signal?.addEventListener('abort', end, { once: true });
    });
  }
}
