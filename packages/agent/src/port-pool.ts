import type { PortKeeper } from '@reactor/core';

/**
 * Host ports for containers, from the agent's own range: never Docker's ephemeral ones, which change at every start and
 * are given to another container the moment they are free. Ports are handed out round robin, over restarts of the daemon
 * too, so a freed one rests until the whole range has been used: a load balancer that is cut off from the cluster state may
 * go on sending to it what was meant for its former owner, and must not find another endpoint there.
 *
 * 1. Where to go on is on disk before a port is handed out. What cannot be written down is not handed out.
 */
export interface PortPool {
  /** The next free port; null when every port of the range is in use. Throws `mark_unreadable`. */
  take(inUse: ReadonlySet<number>): number | null;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Each write to the disk covers so many ports, and each restart passes over as many at most: small beside the whole range. */
const AHEAD_MOST = 16;
const AHEAD_SHARE = 1 / 64;

/** `start` in [0, 1) is where in the range to begin on a host that remembers nothing. */
export function createPortPool({ first, last }: PortRange, start: number, keeper: PortKeeper): PortPool {
  const size = last - first + 1;
  const ahead = Math.max(1, Math.min(AHEAD_MOST, Math.floor(size * AHEAD_SHARE)));
  let next: number | null = null;
  /** How many from `next` on are written down as handed out. */
  let written = 0;

  const begin = (): number => {
    const kept = keeper.read();
    return kept === null || kept < first || kept > last ? Math.floor(start * size) : kept - first;
  };
  return {
    take(inUse) {
      next ??= begin();
      for (let tried = 0; tried < size; tried += 1) {
        const port = first + next;
        const isFree = !inUse.has(port);
        if (isFree && written === 0) {
          keeper.write(first + ((next + ahead) % size));
          written = ahead;
        }
        next = (next + 1) % size;
        written = Math.max(0, written - 1);
        if (isFree) return port;
      }
      return null;
    },
  };
}
