import { type Health, UNREADY } from './health.js';
import { RefusalRow } from './refusals.js';

/** What the agent knows of an instance of its host beside the records, for as long as it runs. */
export interface Tracked {
  task: 'pulling' | 'starting' | 'removing' | null;
  health: Health;
  watching: { readonly key: string; readonly stop: AbortController; readonly fail: (problem: string) => void } | null;
  readonly refusals: RefusalRow;
  startFailure: string | null;
  retryAtMs: number;
  hostPort: number | null;
  /** The container that was removed last; a listing from before may still name it. */
  removed: string | null;
}

export function trackedOf(tracked: Map<string, Tracked>, id: string): Tracked {
  const known = tracked.get(id);
  if (known) return known;
  const made: Tracked = {
    task: null,
    health: UNREADY,
    watching: null,
    refusals: new RefusalRow(),
    startFailure: null,
    retryAtMs: Number.NEGATIVE_INFINITY,
    hostPort: null,
    removed: null,
  };
  tracked.set(id, made);
  return made;
}

export function forget(tracked: Map<string, Tracked>, id: string, one: Tracked): void {
  if (one.task !== null) return;
  stopWatching(one);
  tracked.delete(id);
}

export function stopWatching(one: Tracked): void {
  one.watching?.stop.abort();
  one.watching = null;
}
