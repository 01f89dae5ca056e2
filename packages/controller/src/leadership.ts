import {
  type Clock,
  type Cluster,
  createClusterReader,
  type EpochRecord,
  epochWords,
  type HostRecord,
  isBlind,
  KEYS,
  type LeaderRecord,
  type Lease,
  ReactorError,
  type SeenMark,
  type StateStore,
  seenBeyond,
  unreadableWords,
} from '@reactor/core';

/**
 * Who leads. Purpose: at most one controller commits at a time. Not its purpose: to notice quickly; a takeover waits for
 * the lease of the former leader to end.
 *
 * 1. The leader's key lives under a lease; every commit of a round expects that key at the revision of its taking, so the
 *    commits of a deposed leader are refused by the store itself, whatever its clock says.
 * 2. The epoch grows with every taking, and is part of every record written. A store that lost its last writes would give
 *    the same epoch twice: so it is above what any live host has obeyed too, and counts only once the store's replicas have it.
 * 3. A leader that could not renew for `RENEW_DEADLINE_MS`, by either clock, ends its term by itself, before its lease can
 *    have ended; what it does next is in another term, with another epoch.
 * 4. Who takes over from another that did not give its term back in order takes nothing away for one lease.
 */
export interface Leadership {
  readonly epoch: number;
  readonly host: string;
  /** Revision of `controller/leader`, for commits to expect. */
  readonly revision: number;
  /** Nothing is to be taken away before this moment of the wall clock; 0: at once. */
  readonly quietUntilMs: number;
  /** Whether the term still lasts; to be asked before every commit of it. */
  holds(): boolean;
}

export const LEASE_MS = 15_000;
const RENEW_EVERY_MS = 4_000;
/** Two thirds of the lease: leaves 5 s for a slow clock and for commits under way. */
const RENEW_DEADLINE_MS = 10_000;
/** Replicas in order acknowledge within milliseconds; who asks again in the next round has lost nothing. */
const SETTLE_MS = 1_000;

export interface Candidate {
  /** The leadership held now, taking or renewing it as needed; null while this daemon does not lead. */
  lead(): Promise<Leadership | null>;
  /** Ends the term at once because it cannot be trusted any more; whoever leads next takes care. */
  abandon(): Promise<void>;
  /** Gives the term back in order: nothing of it is under way any more. */
  resign(): Promise<void>;
  /** Why the term that is held does not count yet; null when it does, or none is held. */
  problem(): string | null;
}

export interface CandidateOptions {
  readonly store: StateStore;
  readonly host: string;
  readonly clock: Clock;
  /** Whether this process may lead now, by its own sense of time. */
  readonly steady: () => boolean;
}

interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

interface Term {
  readonly epoch: number;
  readonly revision: number;
  readonly lease: Lease;
  readonly renewedAt: Moment;
  /** The replicas have its epoch. */
  readonly settled: boolean;
}

export function createCandidate(options: CandidateOptions): Candidate {
  const { store, host, clock, steady } = options;
  let term: Term | null = null;
  // Of this process, not of a term: taking the same leadership again does not shorten it.
  let quietUntilMs = 0;
  let unread: Cluster | null = null;
  const [groupTerms, groupHosts] = [createClusterReader(), createClusterReader()];

  const moment = (): Moment => ({ wallMs: clock.now(), monotonicMs: clock.monotonic() });
  /** Since the last renewal, by the clock that says more: either may stand still or jump. */
  const elapsedMs = ({ renewedAt }: Term): number =>
    Math.max(clock.now() - renewedAt.wallMs, clock.monotonic() - renewedAt.monotonicMs);

  const renew = async (held: Term): Promise<Term | null> => {
    const elapsed = elapsedMs(held);
    if (elapsed > RENEW_DEADLINE_MS) return null;
    if (elapsed < RENEW_EVERY_MS) return held;
    const renewedAt = moment();
    try {
      return (await held.lease.keep()) ? { ...held, renewedAt } : null;
    } catch (error) {
      if (error instanceof ReactorError && error.retryable) return held;
      throw error;
    }
  };

  const take = async (): Promise<Term | null> => {
    const terms = groupTerms(await store.read('controller/'));
    if (terms.leader !== null) return null;
    // Read after the epoch: what a host obeys from now on can only be of a term whose taking makes the commit below fail.
    const hosts = groupHosts(await store.read(KEYS.hosts));
    // What cannot be read may be a higher epoch.
    unread = [terms, hosts].find(isBlind) ?? null;
    if (unread !== null) return null;
    const stored = terms.epoch;
    const last = stored?.value ?? null;
    const beyond = seenBeyond(
      last,
      [...hosts.hosts.values()].map(({ value }) => value),
    );
    const epoch = Math.max(last?.epoch ?? 0, beyond?.mark.epoch ?? 0) + 1;
    const renewedAt = moment();
    const lease = await store.lease(LEASE_MS);
    const leader: LeaderRecord = { host, epoch };
    const quietMs = quietAfter(last, beyond, host, quietUntilMs, renewedAt.wallMs);
    const record: EpochRecord = {
      epoch,
      host,
      released: false,
      ...(quietMs > renewedAt.wallMs ? { quietUntilMs: quietMs } : {}),
    };
    const result = await store.commit({
      expect: [
        { key: KEYS.leader, revision: 0 },
        { key: KEYS.epoch, revision: stored?.revision ?? 0 },
      ],
      write: [
        { key: KEYS.leader, value: { ...leader }, lease: lease.id },
        { key: KEYS.epoch, value: { ...record } },
      ],
    });
    if (result.kind === 'conflict') {
      await lease.release();
      return null;
    }
    quietUntilMs = quietMs;
    return { epoch, revision: result.revision, lease, renewedAt, settled: false };
  };

  const lead = async (): Promise<Leadership | null> => {
    if (!steady()) {
      await abandon();
      return null;
    }
    if (term) {
      const held = term;
      term = await renew(held);
      // Given back, for a keep whose answer was lost may have prolonged it: nobody could lead until it ends.
      if (term === null) await held.lease.release();
    }
    term ??= await take();
    if (term === null) return null;
    if (!term.settled) term = { ...term, settled: await store.settled(SETTLE_MS) };
    const { epoch, revision, settled } = term;
    if (!settled) return null;
    const holds = (): boolean => steady() && term?.revision === revision && elapsedMs(term) <= RENEW_DEADLINE_MS;
    return { epoch, host, revision, quietUntilMs, holds };
  };

  const abandon = async (): Promise<void> => {
    const held = term;
    term = null;
    await held?.lease.release();
  };

  const resign = async (): Promise<void> => {
    const held = term;
    term = null;
    if (held === null) return;
    try {
      // A pause that is not over yet is the successor's to keep.
      if (steady() && clock.now() >= quietUntilMs) await handBack(store, { epoch: held.epoch, host }, held.revision);
    } finally {
      await held.lease.release();
    }
  };

  const problem = (): string | null =>
    unread !== null
      ? `not leading: ${unreadableWords(unread)}`
      : term === null || term.settled
        ? null
        : `epoch ${term.epoch} is not on enough replicas of the cluster state yet: not leading`;
  return { lead, abandon, resign, problem };
}

/**
 * Until when, by the wall clock, whoever takes a term now takes nothing away. A pause of before goes on: this process's own,
 * and that of another run of this host's daemon, which the epoch tells of.
 */
function quietAfter(last: EpochRecord | null, beyond: SeenMark | null, host: string, ownMs: number, nowMs: number): number {
  const longestMs = nowMs + LEASE_MS;
  if (!inOrder(last, beyond, host)) return longestMs;
  const inheritedMs = last?.host === host ? (last.quietUntilMs ?? 0) : 0;
  return Math.max(ownMs, Math.min(inheritedMs, longestMs));
}

/** Whether nothing can be under way any more of whoever led before: there was nobody, it was this very host, or it said so. */
function inOrder(last: EpochRecord | null, beyond: SeenMark | null, host: string): boolean {
  if (beyond !== null) return false;
  return last === null || last.host === host || last.released;
}

async function handBack(store: StateStore, term: { readonly epoch: number; readonly host: string }, revision: number) {
  const record: EpochRecord = { ...term, released: true };
  await store.commit({
    expect: [
      { key: KEYS.leader, revision },
      { key: KEYS.epoch, revision },
    ],
    write: [
      { key: KEYS.leader, value: null },
      { key: KEYS.epoch, value: { ...record } },
    ],
  });
}

/**
 * Why a term has to end that the store would still let commit: it lost the taking, and another took a term at the very revision
 * that this one has. Null while nobody else leads.
 */
export function supersededBy(term: Pick<Leadership, 'epoch' | 'host'>, leader: LeaderRecord | null): string | null {
  if (leader === null || (leader.epoch === term.epoch && leader.host === term.host)) return null;
  return `the cluster state names ${epochWords(leader)} as the leader's, not our ${epochWords(term)}: giving it up`;
}

/** Why a term has to end although its lease is kept: a live host has obeyed another one that this one does not follow. Null when none has. */
export function outrankedBy({ epoch, host }: Pick<Leadership, 'epoch' | 'host'>, hosts: Iterable<HostRecord>): string | null {
  const beyond = seenBeyond({ epoch, host }, hosts);
  if (beyond === null) return null;
  return `host ${beyond.host} has obeyed ${epochWords(beyond.mark)}, which our ${epochWords({ epoch, host })} does not follow: taking a higher one`;
}
