// The embedded state is one thing: its verbs, and the one queue that makes what they change durable and ordered.
import { randomUUID } from 'node:crypto';
import {
  type Commit,
  type CommitResult,
  type Json,
  type Lease,
  type LogEntry,
  ReactorError,
  type StateEntry,
  type StateStore,
  type StateView,
  type WatchEvent,
} from '@reactor/core';
import { Bell } from './bell.js';
import { ChangeHistory } from './change-history.js';
import { lockDirectory } from './directory-lock.js';
import { Draft, type HeldEntry } from './draft.js';
import { type DiskContents, EmbeddedDisk, LEFT_OVER } from './embedded-disk.js';
import { IdentityGuard, type StateIdentity } from './identity.js';
import { checkPrefix, checkTtl, prepareAppend, prepareCommit, preparePublication } from './limits.js';
import { Publications } from './publications.js';
import { laterView } from './view.js';

/** The longest batch one transaction writes; more callers wait for the next one. Bounds how long a flush can take. */
const BATCH_CALLS = 1_000;
/** After a lapse could not be written (the disk is full) the next try. */
const LAPSE_RETRY_MS = 1_000;
/** Timers of Node cannot wait longer than 24 days; looking once a minute costs nothing. */
const LAPSE_LOOK_MS = 60_000;

export interface EmbeddedOptions {
  /** Created if missing; used by one process at a time. */
  readonly directory: string;
  /** What the daemon last knew of its state; contents that are not it are refused with `state_foreign`. */
  readonly known?: StateIdentity;
}

interface HeldLease {
  readonly ttlMs: number;
  untilMs: number;
}

interface Call {
  /** Works on the draft; the result it returns is answered once the draft is on disk. */
  readonly apply: (draft: Draft) => () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens the state of a single host, kept in a directory. A commit that was answered survives `kill -9` and a power cut.
 * Throws `state_unavailable` (in use, damaged, not writable) or `state_foreign` (something else's directory).
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<StateStore> {
  const unlock = lockDirectory(options.directory);
  let opened: EmbeddedDisk | null = null;
  try {
    const { disk, contents } = EmbeddedDisk.open(options.directory, randomUUID());
    opened = disk;
    if (options.known !== undefined) new IdentityGuard(options.directory, options.known).observe(contents);
    const store = new EmbeddedStore(disk, contents, unlock);
    await store.dropLeftovers();
    return store;
  } catch (error) {
    await opened?.close();
    unlock();
    throw error;
  }
}

/**
 * The state in memory, what is durable in LMDB. Invariants:
 * 1. Memory changes only after the disk has it: a reader never sees what a crash could undo.
 * 2. Calls are applied one after the other in the order they came; those that wait together share one flush.
 * 3. A lease is over at its deadline: no read, keep or commit sees it alive later, even if a timer is late.
 * Leases do not outlive the process, so neither do their keys; publications and the history of changes are not kept either.
 */
class EmbeddedStore implements StateStore {
  readonly #clusterId: string;
  readonly #values: Map<string, HeldEntry>;
  readonly #history: ChangeHistory;
  readonly #moved = new Bell();
  readonly #leases = new Map<string, HeldLease>();
  /** Over, but their keys are not yet gone from the disk. */
  readonly #lapsed = new Set<string>();
  readonly #lastSeq = new Map<string, number>();
  readonly #publications = new Publications();
  /** Views this store made: only of those it is sure what has changed since. */
  readonly #views = new WeakSet<StateView>();
  readonly #closing = new AbortController();
  #queue: Call[] = [];
  #draining: Promise<void> | null = null;
  #lapseTimer: NodeJS.Timeout | undefined;
  #revision: number;

  constructor(
    private readonly disk: EmbeddedDisk,
    contents: DiskContents,
    private readonly unlock: () => void,
  ) {
    this.#clusterId = contents.clusterId;
    this.#revision = contents.revision;
    this.#values = new Map(contents.values);
    this.#history = new ChangeHistory(contents.revision);
  }

  /** Removes the keys of leases of the former process. */
  async dropLeftovers(): Promise<void> {
    if (![...this.#values.values()].some(({ lease }) => lease !== null)) return;
    this.#lapsed.add(LEFT_OVER);
    await this.#settleLeases();
  }

  async read(prefix: string, known?: StateView): Promise<StateView> {
    this.#checkOpen();
    checkPrefix(prefix);
    await this.#settleLeases();
    const view = this.#laterThan(prefix, known) ?? this.#wholeView(prefix);
    this.#views.add(view);
    return view;
  }

  async commit(change: Commit): Promise<CommitResult> {
    const prepared = prepareCommit(change);
    this.#sweep();
    return this.#write((draft) => draft.commit(prepared));
  }

  async *watch(prefix: string, from: number, signal: AbortSignal): AsyncIterable<WatchEvent> {
    this.#checkOpen();
    checkPrefix(prefix);
    const ending = AbortSignal.any([signal, this.#closing.signal]);
    let at = from;
    while (!ending.aborted) {
      const seen = this.#moved.rings;
      const changes = this.#history.since(at, prefix);
      at = this.#revision;
      if (changes === null) yield { kind: 'resync' };
      else if (changes.length > 0) yield { kind: 'changes', changes };
      await this.#moved.wait(seen, ending);
    }
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#checkOpen();
    checkTtl(ttlMs);
    const id = randomUUID();
    this.#leases.set(id, { ttlMs, untilMs: performance.now() + ttlMs });
    this.#scheduleLapse();
    return {
      id,
      keep: async () => {
        this.#checkOpen();
        this.#sweep();
        const held = this.#leases.get(id);
        if (held === undefined) return false;
        held.untilMs = performance.now() + held.ttlMs;
        return true;
      },
      release: async () => {
        if (this.#leases.delete(id)) this.#lapsed.add(id);
        await this.#settleLeases();
      },
    };
  }

  async append(log: string, entries: readonly Omit<LogEntry, 'seq'>[]): Promise<void> {
    const texts = prepareAppend(log, entries);
    await this.#write((draft) => draft.append(log, texts));
  }

  async tail(log: string, since: number, limit: number): Promise<readonly LogEntry[]> {
    this.#checkOpen();
    checkPrefix(log);
    return this.disk.tail(log, since, limit);
  }

  async publish(values: Readonly<Record<string, Json>>, ttlMs: number): Promise<void> {
    this.#checkOpen();
    checkTtl(ttlMs);
    const nowMs = performance.now();
    this.#publications.publish(preparePublication(values), nowMs + ttlMs, nowMs);
  }

  async latest(prefix: string): Promise<ReadonlyMap<string, Json>> {
    this.#checkOpen();
    checkPrefix(prefix);
    return this.#publications.latest(prefix, performance.now());
  }

  /** There are no replicas: what was answered is on this disk. */
  async settled(): Promise<boolean> {
    this.#checkOpen();
    return true;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    clearTimeout(this.#lapseTimer);
    await this.#draining;
    await this.disk.close();
    this.unlock();
  }

  #laterThan(prefix: string, known: StateView | undefined): StateView | null {
    if (known === undefined || !this.#views.has(known)) return null;
    if (known.revision === this.#revision) return known;
    const changes = this.#history.since(known.revision, prefix);
    return changes === null ? null : laterView(known, this.#revision, changes);
  }

  #wholeView(prefix: string): StateView {
    const entries = new Map<string, StateEntry>();
    for (const [key, held] of this.#values) if (key.startsWith(prefix)) entries.set(key, held.entry);
    return { clusterId: this.#clusterId, revision: this.#revision, entries };
  }

  /** Queues a change; resolves once it is on disk and in memory. */
  #write<T>(apply: (draft: Draft) => T): Promise<T> {
    this.#checkOpen();
    return new Promise((resolve, reject) => {
      this.#queue.push({
        apply: (draft) => {
          const result = apply(draft);
          return () => resolve(result);
        },
        reject,
      });
      this.#draining ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    // A moment for those who call in the same turn, so that they share the flush.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_CALLS);
      const lapsed = [...this.#lapsed];
      try {
        const draft = this.#draft();
        for (const lease of lapsed) draft.lapse(lease);
        const answers = batch.map(({ apply }) => apply(draft));
        if (!draft.isEmpty) await this.disk.save(draft);
        for (const lease of lapsed) this.#lapsed.delete(lease);
        this.#adopt(draft);
        for (const answer of answers) answer();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#draining = null;
    this.#scheduleLapse();
  }

  #draft(): Draft {
    return new Draft({
      revision: this.#revision,
      values: this.#values,
      lastSeq: (log) => this.#lastSeq.get(log) ?? this.disk.lastSeq(log),
      isLive: (lease) => this.#leases.has(lease),
    });
  }

  #adopt(draft: Draft): void {
    for (const [key, held] of draft.values) {
      if (held === null) this.#values.delete(key);
      else this.#values.set(key, { entry: held.entry, lease: held.lease });
    }
    for (const revision of draft.revisions) this.#history.push(revision);
    for (const [log, seq] of draft.lastSeq) this.#lastSeq.set(log, seq);
    this.#revision = draft.revision;
    if (draft.revisions.length > 0) this.#moved.ring();
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const [id, { untilMs }] of this.#leases) {
      if (untilMs > nowMs) continue;
      this.#leases.delete(id);
      this.#lapsed.add(id);
    }
  }

  /** Resolves once the keys of every lease that is over are gone. */
  async #settleLeases(): Promise<void> {
    this.#sweep();
    if (this.#lapsed.size > 0) await this.#write(() => undefined);
  }

  #scheduleLapse(): void {
    clearTimeout(this.#lapseTimer);
    if (this.#closing.signal.aborted) return;
    const nextMs = Math.min(...[...this.#leases.values()].map(({ untilMs }) => untilMs)) - performance.now();
    const delayMs = this.#lapsed.size > 0 ? LAPSE_RETRY_MS : nextMs;
    if (delayMs === Number.POSITIVE_INFINITY) return;
    this.#lapseTimer = setTimeout(
      () => {
        this.#settleLeases().catch(() => {
          // The lapse stays pending: the next read reports the failure, and it is tried again.
        });
        this.#scheduleLapse();
      },
      Math.min(Math.max(1, Math.ceil(delayMs)), LAPSE_LOOK_MS),
    );
    this.#lapseTimer.unref();
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new ReactorError('state_unavailable', 'the cluster state is closed');
  }
}
