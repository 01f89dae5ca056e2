import { createHash, createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { type EndpointKey, type Json, ReactorError } from '@reactor/core';

/**
 * The API key and those of endpoints. Ours are kept as a salted scrypt hash. People choose keys, so guessing has to cost: N = 2^15, r = 8 takes about
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
  checkForm(key);
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(key, salt, COST);
  return { scheme: 'scrypt', ...COST, salt: salt.toString('base64'), hash: hash.toString('base64') };
}

function checkForm(key: string): void {
  if (key.length <= KEY_LIMIT && KEY_FORM.test(key)) return;
  throw new ReactorError(
    'request_invalid',
    `auth_key: expected 1 to ${KEY_LIMIT} visible ASCII characters (spaces only inside), or null to clear it`,
  );
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

/** What a key opens. */
export interface Lock {
  /** Another one whenever another key would open it. */
  readonly id: string;
  /** Compares in constant time. */
  opens(key: string): Promise<boolean>;
}

export const adminLock = (stored: KeyHash): Lock => ({
  id: `${stored.salt}:${stored.hash}`,
  opens: async (key) =>
    timingSafeEqual(await derive(key, Buffer.from(stored.salt, 'base64'), stored), Buffer.from(stored.hash, 'base64')),
});

/** The lock of an endpoint, whose key opens what is that endpoint's own. Made by us with scrypt, or brought along from 2013. */
export const endpointLock = ({ algo, salt, hash }: EndpointKey): Lock => ({
  id: `${algo}:${salt}:${hash}`,
  opens: async (key) => {
    const made =
      algo === 'scrypt' ? await derive(key, Buffer.from(salt), COST) : createHash(algo).update(salt).update(key).digest();
    const wanted = Buffer.from(hash, 'hex');
    return made.length === wanted.length && timingSafeEqual(made, wanted);
  },
});

/** As the configuration holds it: hexadecimal. Refuses the same keys as `hashKey`. */
export async function hashEndpointKey(key: string): Promise<EndpointKey> {
  checkForm(key);
  const salt = randomBytes(SALT_BYTES).toString('hex');
  return { algo: 'scrypt', salt, hash: (await derive(key, Buffer.from(salt), COST)).toString('hex') };
}

export interface KeyCheck {
  /** Known from before to open one of them: no hashing, no wait. */
  remembered(key: string, locks: readonly Lock[]): boolean;
  /** The answer another request with the same key for the same locks is waiting for; null when none is. */
  underway(key: string, locks: readonly Lock[]): Promise<boolean> | null;
  /** Whether it opens one of them; takes about 90 ms each. */
  verify(key: string, locks: readonly Lock[]): Promise<boolean>;
}

/** Room for the key of each endpoint of a large cluster, 100 bytes each. */
const REMEMBERED = 1_024;

export function createKeyCheck(): KeyCheck {
  const secret = randomBytes(HASH_BYTES);
  const right = new Set<string>();
  // The digest covers the lock too, so a changed key forgets the old one. Keyed, so that looking it up in a hash table
  // tells an attacker who measures time nothing about the key.
  const digest = (key: string, id: string): string => createHmac('sha256', secret).update(`${id}:`).update(key).digest('base64');
  const ofAll = (key: string, locks: readonly Lock[]): string => digest(key, locks.map(({ id }) => id).join(' '));
  const pending = new Map<string, Promise<boolean>>();

  const compare = async (key: string, locks: readonly Lock[]): Promise<boolean> => {
    for (const lock of locks) {
      if (!(await lock.opens(key))) continue;
      const [oldest] = right;
      if (right.size >= REMEMBERED && oldest !== undefined) right.delete(oldest);
      right.add(digest(key, lock.id));
      return true;
    }
    return false;
  };

  return {
    remembered: (key, locks) => key.length <= KEY_LIMIT && locks.some(({ id }) => right.has(digest(key, id))),
    underway: (key, locks) => pending.get(ofAll(key, locks)) ?? null,
    async verify(key, locks) {
      if (key.length > KEY_LIMIT) return false;
      const id = ofAll(key, locks);
      const answer = compare(key, locks);
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
