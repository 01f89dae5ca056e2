import type { CommitResult, Json, StateChange, StateEntry } from '@reactor/core';
import type { Revision } from './change-history.js';
import { entriesKept, type PreparedCommit } from './limits.js';

export interface HeldEntry {
  readonly entry: StateEntry;
  /** Lease the key lives by. */
  readonly lease: string | null;
}

export interface DraftedEntry extends HeldEntry {
  /** The value as it is stored. */
  readonly text: string;
}

export interface LogWrite {
  readonly log: string;
  readonly seq: number;
  readonly text: string;
}

/** What changes come out of; never written to by a draft. */
export interface DraftBase {
  readonly revision: number;
  readonly values: ReadonlyMap<string, HeldEntry>;
  readonly lastSeq: (log: string) => number;
  readonly isLive: (lease: string) => boolean;
}

/**
 * What a batch of calls would make of the state. It is written to disk as one transaction and only then taken as the state,
 * so nobody ever reads what a full disk or a kill could still take back.
 */
export class Draft {
  readonly values = new Map<string, DraftedEntry | null>();
  readonly revisions: Revision[] = [];
  readonly logWrites: LogWrite[] = [];
  readonly lastSeq = new Map<string, number>();
  revision: number;

  constructor(private readonly base: DraftBase) {
    this.revision = base.revision;
  }

  get isEmpty(): boolean {
    return this.revisions.length === 0 && this.logWrites.length === 0;
  }

  commit(change: PreparedCommit): CommitResult {
    for (const { key, revision } of change.expect) {
      if ((this.#get(key)?.entry.revision ?? 0) !== revision) return { kind: 'conflict', key };
    }
    for (const { key, lease } of change.write) {
      if (lease !== null && !this.base.isLive(lease)) return { kind: 'conflict', key };
    }
    const revision = this.revision + 1;
    const changes: StateChange[] = [];
    let bytes = 0;
    for (const { key, text, lease } of change.write) {
      // Parsed from the stored text, so that what a caller later does to its object never shows up in the state.
      const value = text === null ? null : (JSON.parse(text) as Json);
      this.values.set(key, text === null ? null : { entry: { value, revision }, text, lease });
      changes.push({ key, value, revision });
      bytes += key.length + (text?.length ?? 0);
    }
    this.#record({ revision, changes, bytes });
    return { kind: 'committed', revision };
  }

  /** Ends a lease: its keys vanish with one revision. */
  lapse(lease: string): void {
    const keys = new Set<string>();
    for (const [key, held] of this.base.values) if (held.lease === lease) keys.add(key);
    for (const key of this.values.keys()) keys.add(key);
    const revision = this.revision + 1;
    const changes = [...keys]
      .filter((key) => this.#get(key)?.lease === lease)
      .sort()
      .map((key) => ({ key, value: null, revision }));
    for (const { key } of changes) this.values.set(key, null);
    this.#record({ revision, changes, bytes: changes.reduce((sum, { key }) => sum + key.length, 0) });
  }

  append(log: string, texts: readonly string[]): void {
    let seq = this.lastSeq.get(log) ?? this.base.lastSeq(log);
    for (const text of texts) {
      seq += 1;
      this.logWrites.push({ log, seq, text });
    }
    this.lastSeq.set(log, seq);
  }

  /** Log entries that are too many once this draft is written, as [log, seq]. */
  get outdatedLogEntries(): readonly (readonly [log: string, seq: number])[] {
    return this.logWrites
      .filter(({ log, seq }) => seq > entriesKept(log))
      .map(({ log, seq }) => [log, seq - entriesKept(log)] as const);
  }

  #get(key: string): HeldEntry | null {
    const drafted = this.values.get(key);
    return drafted === undefined ? (this.base.values.get(key) ?? null) : drafted;
  }

  #record(revision: Revision): void {
    this.revision = revision.revision;
    this.revisions.push(revision);
  }
}
