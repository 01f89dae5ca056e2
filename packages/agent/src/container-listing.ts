import type { Clock, Container, ContainerEngine } from '@reactor/core';

/** Docker's events say when to look; this is how often to look all the same. */
const LIST_EVERY_MS = 5_000;

export interface ContainerListing {
  containers(): Promise<readonly Container[]>;
  /** Something may have changed. */
  expire(): void;
}

/** Docker's list, asked for when something may have changed and every `LIST_EVERY_MS` besides. */
export function createListing(engine: ContainerEngine, clock: Clock): ContainerListing {
  let listed: readonly Container[] = [];
  let listedAtMs = Number.NEGATIVE_INFINITY;
  return {
    async containers() {
      if (clock.monotonic() - listedAtMs < LIST_EVERY_MS) return listed;
      // Marked before asking: what changes while Docker answers expires this very answer.
      listedAtMs = clock.monotonic();
      try {
        listed = await engine.list();
      } catch (error) {
        listedAtMs = Number.NEGATIVE_INFINITY;
        throw error;
      }
      return listed;
    },
    expire: () => {
      listedAtMs = Number.NEGATIVE_INFINITY;
    },
  };
}
