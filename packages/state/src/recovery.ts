import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, type LogLevel, type ReactorError } from '@reactor/core';
import { type ForeignKind, type IdentityGuard, momentText, type StateIdentity } from './identity.js';
import { isForeignKind, pairs, texts } from './redis-answers.js';
import type { RedisKeys } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import type { StateCopy } from './state-copy.js';

/** Every daemon looks that often, with or without a lost state. */
const LOOK_EVERY_MS = 1_000;
/** For the others to notice and offer: they look every second, and one with a dead connection leaves it after 4. */
const OFFERS_WAIT_MS = 5_000;
/** Outlives a slow look or two, and ends soon after the daemon that made it. */
const OFFER_MS = 5_000;
/**
 * Where a restored state goes on after the highest copy. Copies are about a second behind, and no daemon has seen a million
 * revisions in that time, so what is restored is later than anything anybody knows.
 */
const REVISIONS_AHEAD = 1_000_000;
/**
 * How long a daemon holds before it takes a state that went on without its last writes: everything it decided from those is
 * given up by then, above all that it leads (10 s).
 */
const SPLIT_HOLD_MS = 30_000;
/** A founder waits for the copies of others: a second for them to look, and room for a slow one. */
const FOUNDING_WAIT_MS = 3_000;
/** Sent at once: Redis takes some milliseconds for it and serves others in between. */
const STAGE_BYTES = 1024 * 1024;
const STAGE_ENTRIES = 1_000;
const STAGING_KEPT_MS = 60_000;
const MARK_BYTES = 8;

export interface RecoveryOptions {
  readonly link: RedisLink;
  readonly keys: RedisKeys;
  /** Null: nothing can be restored from here. */
  readonly copy: StateCopy | null;
  /** Names this host among those that offer copies; of equal copies the first owner's is taken. */
  readonly owner: string;
  readonly format: string;
  readonly tell: (level: LogLevel, message: string) => void;
  readonly signal: AbortSignal;
}

/** One look at the state. */
interface Look {
  readonly kind: ForeignKind | 'known';
  readonly found: StateIdentity;
  /** Copies that are offered, the best first. */
  readonly offers: readonly Offer[];
}

interface Offer {
  readonly owner: string;
  readonly revision: number;
}

/**
 * Holds until the state is the known one again, and brings it back where that is safe:
 * - empty, or the known one at an earlier revision: every daemon offers its copy, and the best one becomes the state, or, if the
 *   state itself has more than any copy, the state goes on as it is;
 * - the known one, but gone on without writes that this daemon saw: after a while that is the known one;
 * - another cluster's: nothing is done to it. Its operator names the right state, or has this one accepted.
 *
 * Resolves when the guard knows the state again, or the signal aborts. A call that fails is tried again.
 */
export async function recover(options: RecoveryOptions, guard: IdentityGuard): Promise<void> {
  const { tell, signal } = options;
  let told = '';
  let sinceMs = performance.now();
  let before = '';
  let hasRestored = false;
  while (!signal.aborted) {
    const look = await lookAt(options, guard.known).catch(() => null);
    if (look !== null) {
      if (look.kind === 'known') {
        if (!hasRestored) tell('info', backAgain(look, guard.known));
        return guard.rebase(look.found);
      }
      const now = `${look.kind} ${look.found.clusterId} ${momentText(look.found)}`;
      // A split state moves on while it is looked at; what counts is since when it is split.
      if (look.kind !== told || (look.kind === 'behind' && now !== before)) sinceMs = performance.now();
      before = now;
      if (told !== look.kind) tell('error', holding(guard.foreign(look.kind, look.found), look.kind, options.copy));
      told = look.kind;
      const heldMs = performance.now() - sinceMs;
      if (look.kind === 'split' && heldMs >= SPLIT_HOLD_MS) {
        tell('warning', `goes on with the cluster state at revision ${look.found.revision}, without the writes that were lost`);
        return guard.rebase(look.found);
      }
      if (heldMs >= OFFERS_WAIT_MS && look.offers[0]?.owner === options.owner)
        hasRestored = await restore(options, guard.known, look);
    }
    await delay(hasRestored ? 0 : LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Waits before a cluster is founded in an empty state until it is sure that nobody offers a copy of a former one, which would
 * then be restored. Resolves when there is a state, or nobody has offered one for a while.
 */
export async function waitForOffers(options: RecoveryOptions): Promise<void> {
  const { signal, tell } = options;
  let sinceMs = performance.now();
  let isTold = false;
  while (!signal.aborted && performance.now() - sinceMs < FOUNDING_WAIT_MS) {
    const look = await lookAt({ ...options, copy: null }, { clusterId: '', revision: 0 });
    if (look.kind !== 'empty') return;
    if (look.offers.length > 0) {
      sinceMs = performance.now();
      if (!isTold) tell('warning', 'the cluster state is empty and other hosts have copies of it: waiting until it is restored');
      isTold = true;
    }
    await delay(LOOK_EVERY_MS / 4, undefined, { signal }).catch(() => undefined);
  }
}

async function lookAt({ link, keys, copy, owner }: RecoveryOptions, known: StateIdentity): Promise<Look> {
  const offered = copy?.identity?.clusterId === known.clusterId ? copy.identity.revision : -1;
  const args = ['', '0', known.clusterId, momentText(known), owner, String(offered), String(OFFER_MS)];
  const [kind = '', clusterId = '', revision, mark = '', ...offers] = texts(
    await link.run('offer', [...keys.all, keys.offers], args),
  );
  return {
    kind: isForeignKind(kind) ? kind : 'known',
    found: { clusterId, revision: Number(revision), mark },
    offers: pairs(offers)
      .map(([name, at]) => ({ owner: name, revision: Number(at) }))
      .sort((a, b) => b.revision - a.revision || (a.owner < b.owner ? -1 : 1)),
  };
}

/** False when the state moved meanwhile or a call failed; then the next look says what to do. */
async function restore(options: RecoveryOptions, known: StateIdentity, { found }: Look): Promise<boolean> {
  const { link, keys, copy, owner, format, tell } = options;
  const identity = copy?.identity ?? null;
  if (copy === null || identity === null) return false;
  // Copies are a moment behind, so a master that lost the last writes only has more than any of them.
  const isKept = found.clusterId !== '' && found.revision >= identity.revision;
  const revision = Math.max(known.revision, identity.revision) + REVISIONS_AHEAD;
  const staging = keys.staging(owner);
  try {
    const count = isKept ? -1 : await stage(link, keys, staging, copy.entries());
    const mark = randomBytes(MARK_BYTES).toString('hex');
    const to = [format, identity.clusterId, String(revision), mark, String(count)];
    const from = [found.clusterId, String(found.revision), found.mark ?? ''];
    const args = ['', '0', ...to, ...from, owner, String(isKept ? found.revision : identity.revision)];
    const [kind] = texts(await link.run('restore', [...keys.all, staging, keys.offers], args));
    if (kind !== 'restored') return false;
    const what = isKept
      ? `the cluster state goes on from revision ${found.revision}, the latest that is left of it`
      : `restored the cluster state: ${count} keys from this host's copy of revision ${identity.revision}`;
    tell('warning', `${what}, now revision ${revision}`);
    return true;
  } catch (error) {
    tell('error', `could not restore the cluster state, trying again: ${describeError(error)}`);
    return false;
  }
}

/** Sends the entries in parts; their number. */
async function stage(
  link: RedisLink,
  keys: RedisKeys,
  staging: string,
  entries: Iterable<readonly [key: string, revision: number, text: string]>,
): Promise<number> {
  let count = 0;
  let part: string[] = [];
  let bytes = 0;
  let order = 'first';
  const send = async (): Promise<void> => {
    await link.run('stage', [...keys.all, staging], ['', '0', String(STAGING_KEPT_MS), order, ...part]);
    order = 'next';
    part = [];
    bytes = 0;
  };
  for (const [key, revision, text] of entries) {
    part.push(key, `${revision} ${text}`);
    count += 1;
    bytes += key.length + text.length;
    if (bytes >= STAGE_BYTES || part.length >= 2 * STAGE_ENTRIES) await send();
  }
  await send();
  return count;
}

function holding(error: ReactorError, kind: ForeignKind, copy: StateCopy | null): string {
  const canRestore = (kind === 'empty' || kind === 'behind') && copy !== null;
  if (canRestore && copy.identity !== null) {
    return `${error.message}; waiting ${OFFERS_WAIT_MS / 1000} s for the copies of other hosts, then the latest is restored (here: revision ${copy.identity.revision})`;
  }
  if (canRestore) return `${error.message}; waiting for another host to restore its copy, for there is none here`;
  if (kind === 'split') return `${error.message}; it is taken as it is after ${SPLIT_HOLD_MS / 1000} s`;
  return `${error.message}: name the right state, or start reactord once with --accept-state to take this one`;
}

function backAgain({ found }: Look, known: StateIdentity): string {
  return found.revision >= known.revision + REVISIONS_AHEAD / 2
    ? `the former cluster state is back: another host restored it, now revision ${found.revision}`
    : `the former cluster state is back, at revision ${found.revision}`;
}
