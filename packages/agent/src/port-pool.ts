/**
 * Host ports for containers, from the agent's own range: never Docker's ephemeral ones, which change at every start and
 * are given to another container the moment they are free. Ports are handed out round robin, so a freed one rests until
 * the whole range has been used: long enough for every load balancer to have forgotten it.
 */
export interface PortPool {
  /** The next free port; null when every port of the range is in use. */
  take(inUse: ReadonlySet<number>): number | null;
}

/** `start` in [0, 1) is where in the range to begin, so that a restarted agent does not hand out what it just freed. */
export function createPortPool(range: { readonly first: number; readonly last: number }, start: number): PortPool {
  const size = range.last - range.first + 1;
  let next = Math.floor(start * size);
  return {
    take(inUse) {
      for (let tried = 0; tried < size; tried += 1) {
        const port = range.first + next;
        next = (next + 1) % size;
        if (!inUse.has(port)) return port;
      }
      return null;
    },
  };
}
