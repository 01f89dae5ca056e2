import { ReactorError } from '@reactor/core';

/** What a daemon knows of its cluster state: whose it is and how far it had come. */
export interface StateIdentity {
  readonly clusterId: string;
  readonly revision: number;
  /** Tells the revision from another one of the same number, which a master that lost writes may have given; absent: unknown. */
  readonly mark?: string;
}

/** A moment as the scripts are told it: `<revision> <mark>`. */
export function momentText({ revision, mark = '' }: StateIdentity): string {
  return `${revision} ${mark}`;
}

/**
 * What a state that is not the known one is: nothing at all, the known one at an earlier revision, the known one on another
 * way since a revision this daemon never saw there, or another cluster's.
 */
export type ForeignKind = 'empty' | 'behind' | 'split' | 'other';

/**
 * Notices that the state behind a store is not the one it was: another cluster id (a flushed or a wrong store), a revision
 * that went backwards (a failover that lost writes, a restored backup) or one that means something else. Acting on such a
 * state would stop everything that runs, so every call fails with `state_foreign` until it is the known one again.
 */
export class IdentityGuard {
  /** Grows when the known state was given up for another one: nothing learnt before says anything about it. */
  generation = 0;
  #known: StateIdentity;

  /** @param where names the store in messages, without credentials. */
  constructor(
    readonly where: string,
    known: StateIdentity,
  ) {
    this.#known = known;
  }

  get known(): StateIdentity {
    return this.#known;
  }

  /** Takes note of an answer of the store; throws `state_foreign`. */
  observe(found: StateIdentity): void {
    const { clusterId, revision } = this.#known;
    if (found.clusterId !== clusterId) throw this.foreign(found.clusterId === '' ? 'empty' : 'other', found);
    if (found.revision < revision) throw this.foreign('behind', found);
  }

  /** Takes note of a later revision of the known state. */
  advance(revision: number, mark?: string): void {
    if (revision <= this.#known.revision) return;
    const { clusterId } = this.#known;
    this.#known = mark === undefined ? { clusterId, revision } : { clusterId, revision, mark };
  }

  /** Gives up what was known for what was found. */
  rebase(found: StateIdentity): void {
    this.generation += 1;
    this.#known = found;
  }

  foreign(kind: ForeignKind, found: StateIdentity): ReactorError {
    const known = this.#known;
    const { clusterId, revision } = found;
    return new ReactorError(
      'state_foreign',
      `the cluster state at ${this.where} ${describeForeign(kind, found)}, expected cluster ${known.clusterId} at revision ${known.revision} or later; nothing is changed until the former state is back`,
      { details: { kind, clusterId, revision, knownClusterId: known.clusterId, knownRevision: known.revision } },
    );
  }
}

function describeForeign(kind: ForeignKind, { clusterId, revision }: StateIdentity): string {
  switch (kind) {
    case 'empty':
      return 'is empty';
    case 'behind':
      return `went back to revision ${revision}`;
    case 'split':
      return `lost writes this daemon had seen and went on to revision ${revision}`;
    case 'other':
      return `belongs to cluster ${clusterId} at revision ${revision}`;
  }
}
