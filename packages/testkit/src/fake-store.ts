/**
 * The cluster state in memory: the same meaning as the real ones, which the conformance suite sees to, with switches that
 * make it fail. Long, but one thing: every verb of the port on the same maps.
 */
import {
  type Commit,
  type CommitResult,
  type ErrorCode,
  type Json,
  type Lease,
  LOGS,
  type LogEntry,
  ReactorError,
  type StateChange,
  type StateEntry,
  type StateStore,
  type StateView,
  type WatchEvent,
} from '@reactor/core';

const KEY = /^[A-Za-z0-9._:/-]{1,512}$/;
const VALUE_BYTES = 1024 * 1024;
const COMMIT_BYTES = 16 * 1024 * 1024;
const COMMIT_WRITES = 10_000;
const LOG_ENTRIES = 1_000;
const DECISION_ENTRIES = 10_000;
const CHANGES_KEPT = 2_000;

export interface FakeStore extends StateStore {
  readonly clusterId: string;
  readonly revision: number;
  /** The next calls fail with this code; watches and `close` do not. */
  failNext(code: ErrorCode, calls?: number): void;
  /** Ends the leases that are over by now and wakes watchers, as a real store does by itself. Call it after moving the clock. */
  tick(): void;
  /** Forgets the history of changes, so that watchers from before resync. */
  forgetChanges(): void;
  /** From now on the contents are another cluster's: every call fails with `state_foreign`. */
  replaceContents(): void;
  /** What a read would answer, at once and whatever switch is on. */
  view(prefix: string): StateView;
  /** Everything that a backup of the store would hold. */
  dump(): StoreDump;
  /** Puts a backup in the place of what there is, or nothing at all under the identity of a new cluster. Nobody is told. */
  load(dump: StoreDump | { readonly clusterId: string }): void;
}

type Held = { readonly entry: StateEntry; readonly lease: string | null };

export interface StoreDump {
  readonly clusterId: string;
  readonly revision: number;
  readonly values: ReadonlyMap<string, Held>;
  readonly leases: ReadonlyMap<string, { readonly ttlMs: number; readonly untilMs: number }>;
}

export interface FakeStoreOptions {
  readonly now: () => number;
  readonly clusterId?: string;
  /** Keeps values as they are given, instead of a copy through JSON: for whoever measures in millions of calls. */
  readonly sharesValues?: boolean;
}

/** The state in memory for tests of loops: the same meaning as the real ones, on a clock the test moves. */
export function createFakeStore(options: FakeStoreOptions): FakeStore {
  return new MemoryStore(options.now, options.clusterId ?? 'fake-cluster', options.sharesValues ?? false);
}

class MemoryStore implements FakeStore {
  revision = 0;
  readonly #values = new Map<string, Held>();
  /** By prefix, of the current revision: views are never written to, so all readers may share one. */
  readonly #views = new Map<string, StateView>();
  /** One item per revision, ending with the current one. */
  #history: (readonly StateChange[])[] = [];
  readonly #leases = new Map<string, { readonly ttlMs: number; untilMs: number }>();
  readonly #logs = new Map<string, readonly LogEntry[]>();
  readonly #topics = new Map<string, { readonly value: Json; readonly untilMs: number }>();
  readonly #waiting = new Set<() => void>();
  #failure: { readonly code: ErrorCode; calls: number } | null = null;
  #leaseNumber = 0;
  #isForeign = false;
  #isClosed = false;

  constructor(
    private readonly now: () => number,
    public clusterId: string,
    private readonly sharesValues: boolean,
  ) {}

  failNext(code: ErrorCode, calls = 1): void {
    this.#failure = { code, calls };
  }

  tick(): void {
    this.#sweep();
    this.#wake();
  }

  dump(): StoreDump {
    const leases = new Map([...this.#leases].map(([id, lease]) => [id, { ...lease }]));
    return { clusterId: this.clusterId, revision: this.revision, values: new Map(this.#values), leases };
  }

  load(dump: StoreDump | { readonly clusterId: string }): void {
    const { clusterId, revision = 0, values = [], leases = [] } = dump as Partial<StoreDump> & { clusterId: string };
    this.clusterId = clusterId;
    this.revision = revision;
    for (const held of [this.#values, this.#leases, this.#views, this.#topics, this.#logs]) held.clear();
    for (const [key, held] of values) this.#values.set(key, held);
    for (const [id, lease] of leases) this.#leases.set(id, { ...lease });
    this.forgetChanges();
  }

  forgetChanges(): void {
    this.#history = [];
    this.#wake();
  }

  replaceContents(): void {
    this.#isForeign = true;
    this.#wake();
  }

  async read(prefix: string, known?: StateView): Promise<StateView> {
    this.#begin(prefix);
    if (known !== undefined && known.clusterId === this.clusterId && known.revision === this.revision) return known;
    return this.view(prefix);
  }

  view(prefix: string): StateView {
    const shared = this.#views.get(prefix);
    if (shared?.revision === this.revision) return shared;
    const entries = new Map<string, StateEntry>();
    for (const [key, { entry }] of this.#values) if (key.startsWith(prefix)) entries.set(key, entry);
    const view = { clusterId: this.clusterId, revision: this.revision, entries };
    this.#views.set(prefix, view);
    return view;
  }

  async commit(change: Commit): Promise<CommitResult> {
    checkCount(Math.max(change.write.length, change.expect.length));
    const writes = change.write.map(({ key, value, lease }) => {
      checkKey(key);
      return { key, value: this.#taken(value), lease: value === null ? null : (lease ?? null) };
    });
    if (!this.sharesValues) checkBytes(writes.map(({ value }) => encode(value)));
    if (new Set(writes.map(({ key }) => key)).size < writes.length) throw new Error('a commit writes every key at most once');
    this.#begin('');
    for (const { key, revision } of change.expect) {
      checkKey(key);
      if ((this.#values.get(key)?.entry.revision ?? 0) !== revision) return { kind: 'conflict', key };
    }
    const orphan = writes.find(({ lease }) => lease !== null && !this.#leases.has(lease));
    if (orphan !== undefined) return { kind: 'conflict', key: orphan.key };
    const revision = this.revision + 1;
    const changes = writes.map(({ key, value, lease }) => {
      if (value === null) this.#values.delete(key);
      else this.#values.set(key, { entry: { value, revision }, lease });
      return { key, value, revision };
    });
    this.#record(changes);
    return { kind: 'committed', revision };
  }

  async *watch(prefix: string, from: number, signal: AbortSignal): AsyncIterable<WatchEvent> {
    let at = from;
    let wasForeign = false;
    while (!signal.aborted && !this.#isClosed) {
      const changes = this.#isForeign ? null : this.#since(at, prefix);
      at = this.revision;
      const isTold = this.#isForeign && wasForeign;
      wasForeign = this.#isForeign;
      if (changes === null && !isTold) yield { kind: 'resync' };
      else if (changes !== null && changes.length > 0) yield { kind: 'changes', changes };
      // Nothing was awaited since the look, except at a yield: then look again instead of missing what came meanwhile.
      else await this.#next(signal);
    }
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#begin('');
    this.#leaseNumber += 1;
    const id = `lease-${this.#leaseNumber}`;
    this.#leases.set(id, { ttlMs, untilMs: this.now() + ttlMs });
    return {
      id,
      keep: async () => {
        this.#begin('');
        const held = this.#leases.get(id);
        if (held !== undefined) held.untilMs = this.now() + held.ttlMs;
        return held !== undefined;
      },
      release: async () => {
        this.#begin('');
        if (this.#leases.has(id)) this.#end(id);
      },
    };
  }

  async append(log: string, entries: readonly Omit<LogEntry, 'seq'>[]): Promise<void> {
    checkKey(log);
    checkCount(entries.length);
    checkBytes(entries.map((entry) => encode({ ...entry })));
    this.#begin('');
    const held = this.#logs.get(log) ?? [];
    const last = held.at(-1)?.seq ?? 0;
    const added = entries.map((entry, index) => ({ ...entry, seq: last + 1 + index }));
    this.#logs.set(log, [...held, ...added].slice(-(log === LOGS.decisions ? DECISION_ENTRIES : LOG_ENTRIES)));
  }

  async tail(log: string, since: number, limit: number): Promise<readonly LogEntry[]> {
    this.#begin(log);
    if (limit <= 0) return [];
    return (this.#logs.get(log) ?? []).filter(({ seq }) => seq > since).slice(-limit);
  }

  async publish(values: Readonly<Record<string, Json>>, ttlMs: number): Promise<void> {
    const topics = Object.entries(values);
    checkCount(topics.length);
    for (const [topic] of topics) checkKey(topic);
    if (!this.sharesValues) checkBytes(topics.map(([, value]) => encode(value)));
    this.#begin('');
    for (const [topic, value] of topics) {
      this.#topics.set(topic, { value: this.#taken(value), untilMs: this.now() + ttlMs });
    }
  }

  async latest(prefix: string): Promise<ReadonlyMap<string, Json>> {
    this.#begin(prefix);
    for (const [topic, { untilMs }] of this.#topics) if (untilMs <= this.now()) this.#topics.delete(topic);
    return new Map([...this.#topics].filter(([topic]) => topic.startsWith(prefix)).map(([topic, { value }]) => [topic, value]));
  }

  async settled(): Promise<boolean> {
    this.#begin('');
    return true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
  }

  #begin(prefix: string): void {
    if (prefix !== '') checkKey(prefix);
    if (this.#isClosed) throw new ReactorError('state_unavailable', 'the cluster state is closed');
    if (this.#failure !== null) {
      const { code } = this.#failure;
      this.#failure.calls -= 1;
      if (this.#failure.calls <= 0) this.#failure = null;
      throw new ReactorError(code, `the test made this call fail with ${code}`);
    }
    if (this.#isForeign) {
      throw new ReactorError('state_foreign', `the cluster state belongs to another cluster, expected ${this.clusterId}`);
    }
    this.#sweep();
  }

  #taken(value: Json): Json {
    return this.sharesValues ? value : (JSON.parse(encode(value)) as Json);
  }

  /** Whoever watches is woken by the end of a lease alone. */
  #sweep(): void {
    const nowMs = this.now();
    for (const [id, { untilMs }] of this.#leases) if (untilMs <= nowMs) this.#end(id);
  }

  #end(lease: string): void {
    this.#leases.delete(lease);
    const revision = this.revision + 1;
    const keys = [...this.#values].filter(([, held]) => held.lease === lease).map(([key]) => key);
    for (const key of keys) this.#values.delete(key);
    this.#record(keys.sort().map((key) => ({ key, value: null, revision })));
  }

  #record(changes: readonly StateChange[]): void {
    this.revision += 1;
    this.#history.push(changes);
    if (this.#history.length > CHANGES_KEPT) this.#history.shift();
    this.#wake();
  }

  #since(from: number, prefix: string): readonly StateChange[] | null {
    const missing = this.revision - from;
    if (missing === 0) return [];
    if (missing < 0 || missing > this.#history.length) return null;
    return this.#history.slice(-missing).flatMap((changes) => changes.filter(({ key }) => key.startsWith(prefix)));
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

function encode(value: Json): string {
  const text = JSON.stringify(value);
  if (Buffer.byteLength(text) > VALUE_BYTES) throw limit(`a value is larger than ${VALUE_BYTES} bytes`);
  return text;
}

function checkKey(key: string): void {
  if (!KEY.test(key)) throw limit(`the key ${JSON.stringify(key.slice(0, 40))} is too long or has other characters`);
}

function checkCount(count: number): void {
  if (count > COMMIT_WRITES) throw limit(`${count} entries, at most ${COMMIT_WRITES}`);
}

function checkBytes(encoded: readonly string[]): void {
  const bytes = encoded.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > COMMIT_BYTES) throw limit(`${bytes} bytes, at most ${COMMIT_BYTES}`);
}

function limit(message: string): ReactorError {
  return new ReactorError('state_limit', message);
}
