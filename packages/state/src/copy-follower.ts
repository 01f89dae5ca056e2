import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from '@reactor/core';
import type { Bell } from './bell.js';
import { type IdentityGuard, momentText, type StateIdentity } from './identity.js';
import { foreignAnswer, pairs, splitChange, splitValue, texts } from './redis-answers.js';
import type { RedisKeys } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import type { CopiedEntry, StateCopy } from './state-copy.js';

/** A cluster under load changes its state many times a second; a disk should not be flushed more often than this for it. */
const WRITE_EVERY_MS = 1_000;

export interface FollowerOptions {
  readonly link: RedisLink;
  readonly keys: RedisKeys;
  readonly guard: IdentityGuard;
  readonly copy: StateCopy;
  /** Rings when the state may have moved. */
  readonly moved: Bell;
  readonly signal: AbortSignal;
  /** Told once per problem. */
  readonly complain: (message: string) => void;
}

/**
 * Keeps this host's copy where the state is: what has changed is taken over as soon as it is there, and then again after a
 * second. The values go from the state to the disk as the texts they are. Ends when the signal aborts.
 */
export async function followState(options: FollowerOptions): Promise<void> {
  const { moved, signal } = options;
  let problem = '';
  const outcome = (found: string): void => {
    if (found !== '' && found !== problem) options.complain(`the copy of the cluster state falls behind: ${found}`);
    problem = found;
  };
  while (!signal.aborted) {
    const seen = moved.rings;
    const isDone = await catchUp(options, outcome);
    await delay(WRITE_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (isDone) await moved.wait(seen, signal);
  }
}

/** False when it has to be tried again. What is wrong with the state is told by whoever needs it; with the copy, here. */
async function catchUp(options: FollowerOptions, outcome: (problem: string) => void): Promise<boolean> {
  let moment: Moment | null;
  try {
    moment = await readMoment(options);
  } catch {
    return false;
  }
  // Another state: it is looked after by whoever noticed, who rings when it is over.
  if (moment === null) return true;
  const { copy } = options;
  try {
    if (moment.isWhole) await copy.replace(moment.identity, moment.entries);
    else if (moment.identity.revision !== copy.identity?.revision) await copy.advance(moment.identity, moment.entries);
    outcome('');
    return true;
  } catch (error) {
    outcome(describeError(error));
    return false;
  }
}

interface Moment {
  readonly identity: StateIdentity;
  /** All entries, or those that have changed since the copy. */
  readonly entries: readonly CopiedEntry[];
  readonly isWhole: boolean;
}

/** Null when the state is not the known one. */
async function readMoment({ link, keys, guard, copy }: FollowerOptions): Promise<Moment | null> {
  const { known } = guard;
  // The copy itself is the past that changes are asked for, so it is what must have happened there.
  const base = copy.identity?.clusterId === known.clusterId ? copy.identity : null;
  const past = base ?? known;
  const call = (mode: string): [readonly string[], readonly string[]] => [
    keys.all,
    [past.clusterId, momentText(past), String(base?.revision ?? -1), mode],
  ];
  const reply = texts(await link.run('follow', ...call('')));
  const foreign = foreignAnswer(reply);
  if (foreign !== null && (base === null || foreign.kind !== 'split')) return null;
  if (foreign === null && reply[0] === 'changes') return changedMoment(reply, known.clusterId);
  const mode = [known.clusterId, momentText(known), '-1', 'moment'];
  const { answer, all } = await link.runWithAll('follow', keys.all, mode, keys.values);
  const header = texts(answer);
  if (foreignAnswer(header) !== null) return null;
  const leased = new Set(header.slice(LEASED_FROM));
  const entries = pairs(texts(all)).filter(([key]) => !leased.has(key));
  return {
    identity: identityOf(header, known.clusterId),
    entries: entries.map(([key, value]) => splitValue(key, value)),
    isWhole: true,
  };
}

/** Where the leased keys begin in an answer of `follow`. */
const LEASED_FROM = 4;

function changedMoment(reply: readonly string[], clusterId: string): Moment {
  const leased = reply.slice(LEASED_FROM);
  const lines = reply[3] ?? '';
  const changes = lines === '' ? [] : lines.split('\n').map(splitChange);
  // A later change of a key wins, and a key that is under a lease by now is none of the copy.
  const entries = new Map(changes.map((change) => [change.key, change]));
  for (const key of leased) if (entries.has(key)) entries.set(key, { key, revision: 0, text: null });
  return { identity: identityOf(reply, clusterId), entries: [...entries.values()], isWhole: false };
}

function identityOf([, revision, mark = '']: readonly string[], clusterId: string): StateIdentity {
  return { clusterId, revision: Number(revision), mark };
}
