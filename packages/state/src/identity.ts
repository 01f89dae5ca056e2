import { ReactorError } from '@reactor/core';

/** What a daemon knows of its cluster state: whose it is and how far it had come. */
export interface StateIdentity {
  readonly clusterId: string;
  readonly revision: number;
}

/**
 * Notices that the state behind a store is not the one it was: another cluster id (a flushed or a wrong store) or a revision
 * that went backwards (a failover that lost writes, a restored backup). Acting on such a state would stop everything that
 * runs, so every call fails with `state_foreign` until the daemon is restarted or the former state is back.
 */
export class IdentityGuard {
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
    if (found.clusterId !== this.#known.clusterId || found.revision < this.#known.revision) throw this.foreign(found);
  }

  /** Takes note of a later revision of the known state. */
  advance(revision: number): void {
    if (revision > this.#known.revision) this.#known = { clusterId: this.#known.clusterId, revision };
  }

  foreign(found: StateIdentity): ReactorError {
    const known = this.#known;
    const what =
      found.clusterId === ''
        ? 'is empty'
        : found.clusterId === known.clusterId
          ? `went back to revision ${found.revision}`
          : `belongs to cluster ${found.clusterId} at revision ${found.revision}`;
    return new ReactorError(
      'state_foreign',
      `the cluster state at ${this.where} ${what}, expected cluster ${known.clusterId} at revision ${known.revision} or later; nothing is changed until the former state is back or the daemon is restarted to accept this one`,
      {
        details: {
          clusterId: found.clusterId,
          revision: found.revision,
          knownClusterId: known.clusterId,
          knownRevision: known.revision,
        },
      },
    );
  }
}
