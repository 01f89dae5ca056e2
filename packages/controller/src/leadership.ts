import { type Clock, KEYS, type LeaderRecord, type Lease, ReactorError, type StateStore } from '@reactor/core';

/**
 * Who leads. Purpose: at most one controller commits at a time. Not its purpose: to notice quickly; a takeover waits for
 * the lease of the former leader to end.
 *
 * 1. The leader's key lives under a lease; every commit of a round expects that key at the revision of its taking, so the
 *    commits of a deposed leader are refused by the store itself, whatever its clock says.
 * 2. The epoch grows with every taking, and is part of every record written.
 * 3. A leader that could not renew for `RENEW_DEADLINE_MS` ends its term by itself, before its lease can have ended; what it
 *    does next is in another term, with another epoch.
 */
export interface Leadership {
  readonly epoch: number;
  /** Revision of `controller/leader`, for commits to expect. */
  readonly revision: number;
}

export const LEASE_MS = 15_000;
const RENEW_EVERY_MS = 4_000;
/** Two thirds of the lease: leaves 5 s for a slow clock and for commits under way. */
const RENEW_DEADLINE_MS = 10_000;

export interface Candidate {
  /** The leadership held now, taking or renewing it as needed; null while another daemon leads. */
  lead(): Promise<Leadership | null>;
  resign(): Promise<void>;
}

interface Term extends Leadership {
  readonly lease: Lease;
  readonly renewedAtMs: number;
}

export function createCandidate(options: {
  readonly store: StateStore;
  readonly host: string;
  readonly clock: Clock;
}): Candidate {
  const { store, host, clock } = options;
  let term: Term | null = null;

  const renew = async (held: Term): Promise<Term | null> => {
    const atMs = clock.now();
    const overdue = atMs - held.renewedAtMs;
    // A clock that jumped back says nothing about how long the lease still lasts: give it up too.
    if (overdue > RENEW_DEADLINE_MS || overdue < 0) return null;
    if (overdue < RENEW_EVERY_MS) return held;
    try {
      return (await held.lease.keep()) ? { ...held, renewedAtMs: atMs } : null;
    } catch (error) {
      if (error instanceof ReactorError && error.retryable) return held;
      throw error;
    }
  };

  const take = async (): Promise<Term | null> => {
    const view = await store.read('controller/');
    if (view.entries.has(KEYS.leader)) return null;
    const last = view.entries.get(KEYS.epoch);
    const epoch = ((last?.value as number | undefined) ?? 0) + 1;
    const renewedAtMs = clock.now();
    const lease = await store.lease(LEASE_MS);
    const leader: LeaderRecord = { host, epoch };
    const result = await store.commit({
      expect: [
        { key: KEYS.leader, revision: 0 },
        { key: KEYS.epoch, revision: last?.revision ?? 0 },
      ],
      write: [
        { key: KEYS.leader, value: { ...leader }, lease: lease.id },
        { key: KEYS.epoch, value: epoch },
      ],
    });
    if (result.kind === 'committed') return { epoch, revision: result.revision, lease, renewedAtMs };
    await lease.release();
    return null;
  };

  const lead = async (): Promise<Leadership | null> => {
    if (term) {
      const held = term;
      term = await renew(held);
      // Given back, for a keep whose answer was lost may have prolonged it: nobody could lead until it ends.
      if (term === null) await held.lease.release();
    }
    term ??= await take();
    return term;
  };

  const resign = async (): Promise<void> => {
    const held = term;
    term = null;
    await held?.lease.release();
  };

  return { lead, resign };
}
