import { Bell } from './bell.js';
import { BLOCK_MS, type RedisLink } from './redis-link.js';

/** Rings whenever the state moves past a revision, until the signal aborts: one blocking connection wakes all who wait. */
export async function ringAtChanges(link: RedisLink, wake: string, from: number, bell: Bell, signal: AbortSignal): Promise<void> {
  const never = new Bell();
  let at = `${from}-0`;
  while (!signal.aborted) {
    try {
      const id = await link.waitFor(wake, at);
      if (id !== null) bell.ring();
      at = id ?? at;
    } catch {
      // The watchers look by themselves meanwhile, and their calls report what is wrong.
      await never.wait(0, signal, BLOCK_MS);
    }
  }
}
