import { isIPv6 } from 'node:net';

/**
 * Counts guesses at the key per address. An attempt is taken before it is checked and given back when the key was right,
 * so that guesses sent all at once count like guesses sent one after the other.
 */
export interface Attempts {
  /** Milliseconds until the address may try again; 0 when an attempt was taken. */
  take(address: string, nowMs: number): number;
  giveBack(address: string): void;
}

/** A person mistypes a few times; ten in a row is a program. */
export const ATTEMPTS_IN_A_ROW = 10;
/** Ten guesses a minute leave a six-letter key standing for decades. */
export const ATTEMPT_REFILL_MS = 6_000;
/** Addresses remembered; the longest silent one is dropped, which costs an attacker an address per ten guesses. */
const ADDRESS_LIMIT = 10_000;

export function createAttempts(inARow = ATTEMPTS_IN_A_ROW, refillMs = ATTEMPT_REFILL_MS): Attempts {
  // Insertion order is order of last use: an address is put back at the end whenever it tries.
  const addresses = new Map<string, { tokens: number; atMs: number }>();
  return {
    take(address, nowMs) {
      const key = network(address);
      const former = addresses.get(key) ?? { tokens: inARow, atMs: nowMs };
      const elapsedMs = Math.max(0, nowMs - former.atMs);
      const tokens = Math.min(inARow, former.tokens + elapsedMs / refillMs);
      addresses.delete(key);
      addresses.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
      const [oldest] = addresses.keys();
      if (addresses.size > ADDRESS_LIMIT && oldest !== undefined) addresses.delete(oldest);
      return tokens >= 1 ? 0 : Math.ceil((1 - tokens) * refillMs);
    },
    giveBack(address) {
      const entry = addresses.get(network(address));
      if (entry) entry.tokens = Math.min(inARow, entry.tokens + 1);
    },
  };
}

/** An IPv6 user has a whole /64 to guess from; it counts as one. */
function network(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  if (tail === undefined) return left.slice(0, 4).join(':');
  const right = tail === '' ? [] : tail.split(':');
  const full = [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return full.slice(0, 4).join(':');
}
