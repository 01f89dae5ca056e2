import {
  type Cluster,
  describeError,
  type EpochMark,
  epochWords,
  isBlind,
  type MarkKeeper,
  outranks,
  ReactorError,
  unreadableWords,
} from '@reactor/core';

/**
 * What this host obeys. A cluster state can fall back: a failover that lost writes, a restored backup, an emptied store.
 * What it then means is a command of the past, perhaps of a leader deposed long ago. The host remembers the newest term of
 * leadership it has obeyed, beyond restarts, and acts on nothing that does not follow it. Not its purpose: to repair the
 * state; the leader takes a higher term as soon as it sees what the hosts remember.
 *
 * 1. A term is on disk before anything of it is acted on.
 * 2. A mark that cannot be read or written admits nothing: it is not the same as none.
 * 3. What is refused is action alone: the host goes on serving, checking and reporting what is.
 * 4. A state that cannot be read admits nothing either.
 */
export interface Fence {
  /** Whether what this view means may be acted on. Views are to be shown in the order they were read in. */
  admits(cluster: Cluster): boolean;
  /** The newest term obeyed; null when none was, or it cannot be read. */
  mark(): EpochMark | null;
  /** Why the last view was not admitted, in words; null when it was. */
  problem(): string | null;
}

export function createFence(keeper: MarkKeeper): Fence {
  let known: { readonly mark: EpochMark | null } | null = null;
  let problem: string | null = null;

  const recall = (): EpochMark | null => {
    known ??= { mark: keeper.read() };
    return known.mark;
  };
  const judge = (cluster: Cluster): string | null => {
    if (isBlind(cluster)) return unreadableWords(cluster);
    const mark = recall();
    const term = cluster.epoch?.value ?? null;
    if (mark !== null && outranks(mark, term)) {
      const found = term === null ? 'knows no epoch' : `is at ${epochWords(term)}`;
      return `the cluster state ${found}, but this host has obeyed ${epochWords(mark)}: nothing is started, stopped or changed here until a leader takes a higher epoch`;
    }
    if (term !== null && (mark === null || term.epoch > mark.epoch)) {
      const next: EpochMark = { epoch: term.epoch, host: term.host };
      keeper.write(next);
      known = { mark: next };
    }
    return null;
  };

  const admits = (cluster: Cluster): boolean => {
    try {
      problem = judge(cluster);
    } catch (error) {
      // Also when it cannot be written, a full disk for one: tried again with the next view.
      if (!(error instanceof ReactorError)) throw error;
      problem = `${describeError(error)}: nothing is started, stopped or changed here`;
    }
    return problem === null;
  };
  const mark = (): EpochMark | null => {
    try {
      return recall();
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      return null;
    }
  };
  return { admits, mark, problem: () => problem };
}
