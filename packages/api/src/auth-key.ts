import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { type Json, ReactorError } from '@reactor/core';

/**
 * The API key, kept as a salted scrypt hash. People choose keys, so guessing has to cost: N = 2^15, r = 8 takes about
 * 90 ms and 32 MiB a guess. A key that was right is remembered by a keyed digest, so only its first use costs that.
 */
export interface KeyHash {
  readonly scheme: 'scrypt';
  readonly n: number;
  readonly r: number;
  readonly p: number;
  /** Base64. */
  readonly salt: string;
  /** Base64. */
  readonly hash: string;
}

const COST = { n: 2 ** 15, r: 8, p: 1 } as const;
/** Four times today's cost leaves room to raise it; beyond that a record in the store could be used to exhaust memory. */
const COSTLIEST_N = 2 ** 17;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** scrypt needs 128 * N * r bytes and a little; Node's own limit is exactly 32 MiB, which is that little too small. */
const MEMORY_BYTES = 160 * 2 ** 20;

/** A longer one is wrong without a look: nobody types it, and the hash must not be fed megabytes. */
export const KEY_LIMIT = 256;
/** What fits an HTTP header unchanged: visible ASCII, spaces inside. */
const KEY_FORM = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Refuses with `request_invalid` what cannot be sent in a header. The message never repeats the key. */
export async function hashKey(key: string): Promise<KeyHash> {
  if (key.length > KEY_LIMIT || !KEY_FORM.test(key)) {
    throw new ReactorError(
      'request_invalid',
      `auth_key: expected 1 to ${KEY_LIMIT} visible ASCII characters (spaces only inside), or null to clear it`,
    );
  }
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(key, salt, COST);
  return { scheme: 'scrypt', ...COST, salt: salt.toString('base64'), hash: hash.toString('base64') };
}

export function isKeyHash(value: Json): value is Json & KeyHash {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { scheme, n, r, p, salt, hash } = value as { readonly [key: string]: Json | undefined };
  return (
    scheme === 'scrypt' &&
    typeof n === 'number' &&
    n >= COST.n &&
    n <= COSTLIEST_N &&
    (n & (n - 1)) === 0 &&
    r === COST.r &&
    p === COST.p &&
    typeof salt === 'string' &&
    typeof hash === 'string' &&
    Buffer.from(hash, 'base64').length === HASH_BYTES
  );
}

export interface KeyCheck {
  /** Known to be right from before: no hashing, no wait. */
  remembered(key: string, stored: KeyHash): boolean;
  /** The answer another request with the same key is waiting for; null when none is. */
  underway(key: string, stored: KeyHash): Promise<boolean> | null;
  /** Hashes and compares in constant time; takes about 90 ms. */
  verify(key: string, stored: KeyHash): Promise<boolean>;
}

/** One key is in use at a time; the rest is room for its predecessors while it is being changed. */
const REMEMBERED = 8;

export function createKeyCheck(): KeyCheck {
  const secret = randomBytes(HASH_BYTES);
  const right = new Set<string>();
  // The digest covers the stored hash too, so a changed key forgets the old one. Keyed, so that looking it up in a
  // hash table tells an attacker who measures time nothing about the key.
  const digest = (key: string, stored: KeyHash): string =>
    createHmac('sha256', secret).update(`${stored.salt}:${stored.hash}:`).update(key).digest('base64');

  const pending = new Map<string, Promise<boolean>>();

  const compare = async (key: string, stored: KeyHash): Promise<boolean> => {
    const hash = await derive(key, Buffer.from(stored.salt, 'base64'), stored);
    if (!timingSafeEqual(hash, Buffer.from(stored.hash, 'base64'))) return false;
    const [oldest] = right;
    if (right.size >= REMEMBERED && oldest !== undefined) right.delete(oldest);
    right.add(digest(key, stored));
    return true;
  };

  return {
    remembered: (key, stored) => key.length <= KEY_LIMIT && right.has(digest(key, stored)),
    underway: (key, stored) => pending.get(digest(key, stored)) ?? null,
    async verify(key, stored) {
      if (key.length > KEY_LIMIT) return false;
      const id = digest(key, stored);
      const answer = compare(key, stored);
      pending.set(id, answer);
      try {
        return await answer;
      } finally {
        pending.delete(id);
      }
    },
  };
}

function derive(
  key: string,
  salt: Buffer,
  cost: { readonly n: number; readonly r: number; readonly p: number },
): Promise<Buffer> {
  const options = { N: cost.n, r: cost.r, p: cost.p, maxmem: MEMORY_BYTES };
  return new Promise((resolve, reject) => {
    scrypt(key, salt, HASH_BYTES, options, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}
