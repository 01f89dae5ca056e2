import { createFakeStore, type FakeStore } from '../../packages/testkit/src/fake-store.js';
import { type Chance, createChance } from './chance.js';
import type { Machine } from './machine.js';
import { PROFILES, type Profile } from './profiles.js';
import { Scheduler } from './scheduler.js';
import { StoreHistory } from './store-history.js';

/** One simulated cluster: the time, the store and the machines, and what is written down about them. */

export interface Weather {
  /** Chance that a request to the store, or its answer, is lost. */
  lossRate: number;
  /** Longest time a request, and an answer, is under way. */
  delayMs: number;
  /** Chance that the answer of Docker to a start or a removal is lost, or that a start stops half way. */
  ambiguityRate: number;
  /** Chance that an event of Docker is lost; as many are told twice. */
  eventLossRate: number;
  /** Chance that a load balancer fails to take a configuration up. */
  refusalRate: number;
  /** Chance that a daemon stands still for longer than a lease, just when it has read the state and is about to act on it. */
  stallRate: number;
  /** Chance that the store's replicas do not acknowledge in time. */
  laggingRate: number;
  /** Chance that a request to the store arrives long after its caller gave it up. */
  straggleRate: number;
  storeDown: boolean;
  /** The store holds something else than it did; nobody is to act on it. */
  storeForeign: boolean;
  /** All faults are over. */
  calm: boolean;
}

export const FAIR_WEATHER: Readonly<Weather> = {
  lossRate: 0,
  delayMs: 4,
  ambiguityRate: 0,
  eventLossRate: 0,
  refusalRate: 0,
  stallRate: 0,
  laggingRate: 0,
  straggleRate: 0,
  storeDown: false,
  storeForeign: false,
  calm: false,
};

/** Something that must never happen did. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** A Saturday in November 2023; only its being large and fixed matters. */
const EPOCH_MS = 1_700_000_000_000;
const JOURNAL_LINES = 400;
/** Of all seeds. */
const PROFILED = 0.25;

export class World {
  readonly chance: Chance;
  /** Null in an ordinary seed. */
  readonly profile: Profile | null;
  readonly scheduler: Scheduler;
  readonly store: FakeStore;
  readonly history: StoreHistory;
  readonly machines: Machine[] = [];
  readonly weather: Weather = { ...FAIR_WEATHER };
  /** What happened at least once, for the account of all seeds. */
  readonly covered = new Set<string>();
  readonly #journal: string[] = [];
  #violation: Violation | null = null;
  #ids = 0;

  constructor(
    readonly seed: number,
    profile: Profile | null,
  ) {
    const root = createChance(seed);
    this.chance = root.fork();
    const ranks = root.fork();
    this.scheduler = new Scheduler(ranks.next);
    const own = root.fork();
    this.profile = profile ?? (own.happens(PROFILED) ? own.pick(PROFILES) : null);
    this.store = createFakeStore({ now: () => EPOCH_MS + this.nowMs, clusterId: 'simulated', sharesValues: true });
    this.history = new StoreHistory(this.store);
  }

  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  get wallMs(): number {
    return EPOCH_MS + this.nowMs;
  }

  get violation(): Violation | null {
    return this.#violation;
  }

  get journal(): readonly string[] {
    return this.#journal;
  }

  newId(): string {
    this.#ids += 1;
    return `i${this.#ids.toString(36).padStart(4, '0')}`;
  }

  cover(what: string): void {
    this.covered.add(what);
  }

  write(who: string, what: string): void {
    const line = `${(this.nowMs / 1000).toFixed(3).padStart(9)} ${who.padEnd(6)} ${what}`;
    this.scheduler.mix(line);
    this.#journal.push(line);
    if (this.#journal.length > 2 * JOURNAL_LINES) this.#journal.splice(0, JOURNAL_LINES);
  }

  /** Notes the first violation and ends the run; it does not throw, for production code would catch it. */
  violate(rule: string, details: string): void {
    if (this.#violation !== null) return;
    this.#violation = new Violation(`${rule}: ${details}`);
    this.write('ORACLE', this.#violation.message);
  }
}
