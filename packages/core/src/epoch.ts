import type { EpochMark, HostRecord } from './model.js';

/**
 * Terms of leadership: which of two is the newer one. The store counts them, but a store that lost its last writes counts
 * the same number twice, so a term is its number together with its holder, and hosts remember the newest they obeyed.
 */

/** Whether `mark` speaks of a term that `term` does not follow: a later one, or the same number in other hands. */
export function outranks(mark: EpochMark, term: EpochMark | null): boolean {
  return term === null || mark.epoch > term.epoch || (mark.epoch === term.epoch && mark.host !== term.host);
}

export interface SeenMark {
  readonly host: string;
  readonly mark: EpochMark;
}

/** What the hosts have obeyed beyond `term`, the newest one first in line; null when nothing. Ties go to the lower host id. */
export function seenBeyond(term: EpochMark | null, hosts: Iterable<Pick<HostRecord, 'id' | 'epochSeen'>>): SeenMark | null {
  const seen = [...hosts].flatMap(({ id: host, epochSeen: mark }) => (mark && outranks(mark, term) ? [{ host, mark }] : []));
  seen.sort((a, b) => b.mark.epoch - a.mark.epoch || (a.host < b.host ? -1 : 1));
  return seen[0] ?? null;
}

export const epochWords = ({ epoch, host }: EpochMark): string => `epoch ${epoch} of ${host}`;
