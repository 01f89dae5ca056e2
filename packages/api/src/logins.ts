import { createHash, randomBytes } from 'node:crypto';

/**
 * Browsers that have shown the key. A browser keeps no key but a cookie with a random token, which means something to this
 * daemon alone, while it is used, for a working day at most, and only as long as the key it was given for is the key. Kept in
 * memory: after a restart everybody is asked again.
 */
export interface Logins {
  /** The token, which is told only now. `lock` is the id of what the key opens. */
  open(lock: string): string;
  /** Counts as use. Null when there is none, its time is up, or another key opens the lock by now. */
  find(token: string, lock: string): Login | null;
  close(token: string): void;
}

export interface Login {
  /** Aborts when it ends before its time. */
  readonly ended: AbortSignal;
}

/** Twice what cannot be guessed. */
const TOKEN_BYTES = 32;
/** Longer than an open page goes without asking: its stream of events comes back every ten minutes. */
export const IDLE_MS = 30 * 60_000;
export const LONGEST_MS = 12 * 3_600_000;
/** Whoever has the key can log in as often as he likes; the one longest unused is dropped. */
export const LOGINS_MAX = 1_000;

interface Entry {
  readonly lock: string;
  readonly sinceMs: number;
  readonly end: AbortController;
  usedMs: number;
}

export function createLogins(now: () => number): Logins {
  // By the hash of the token, so that the time a look-up takes says nothing about it. The order is that of last use.
  const entries = new Map<string, Entry>();
  const idOf = (token: string): string => createHash('sha256').update(token).digest('base64');

  const end = (id: string): void => {
    entries.get(id)?.end.abort();
    entries.delete(id);
  };
  return {
    open(lock) {
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      const nowMs = now();
      entries.set(idOf(token), { lock, sinceMs: nowMs, usedMs: nowMs, end: new AbortController() });
      const [oldest] = entries.keys();
      if (entries.size > LOGINS_MAX && oldest !== undefined) end(oldest);
      return token;
    },
    find(token, lock) {
      const id = idOf(token);
      const entry = entries.get(id);
      if (entry === undefined) return null;
      const nowMs = now();
      if (entry.lock !== lock || nowMs - entry.usedMs > IDLE_MS || nowMs - entry.sinceMs > LONGEST_MS) {
        end(id);
        return null;
      }
      entry.usedMs = nowMs;
      entries.delete(id);
      entries.set(id, entry);
      return { ended: entry.end.signal };
    },
    close: (token) => end(idOf(token)),
  };
}
