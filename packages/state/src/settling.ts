import type { RedisLink } from './redis-link.js';

/** Every other call of this daemon waits behind a wait for replicas, and gives up after 2 s. */
const SETTLE_MAX_MS = 1_000;

/** Finds out whether what was written is on enough replicas to survive the loss of the master. */
export class Settling {
  /** Up to which revision it is, and since when that is known. */
  #settled = { epoch: -1, revision: -1 };

  /** @param mark writes something small after all that was written; refused by a master that does not have that. */
  constructor(
    private readonly link: RedisLink,
    private readonly mark: () => Promise<unknown>,
  ) {}

  /**
   * @param revision latest the caller has seen.
   * @param epoch grows when what was learnt before may not be so any more.
   */
  async settled(revision: number, epoch: () => number, timeoutMs: number): Promise<boolean> {
    const before = epoch();
    // Nothing was written since: nothing is asked, so that a daemon at rest stays at rest.
    if (this.#settled.epoch === before && this.#settled.revision >= revision) return true;
    // First, because what follows is also answered by a node of a cluster that has nothing to do with the state.
    await this.mark();
    const needed = await this.link.replicasNeeded();
    if (needed > 0 && (await this.link.waitForReplicas(needed, Math.min(timeoutMs, SETTLE_MAX_MS))) < needed) return false;
    // Waited for on another connection than it was written on: perhaps for nothing.
    if (before !== epoch()) return false;
    this.#settled = { epoch: before, revision };
    return true;
  }
}
