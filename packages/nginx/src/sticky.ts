import { crc32 } from 'node:zlib';
import { addressText, type Backend, shortHash } from '@reactor/core';
import type { VirtualService } from './virtual-service.js';

/**
 * A client stays at its instance by a cookie that names the instance, with what every nginx has: `hash` sends a request to
 * the server that its key falls on, and its arithmetic is documented (that of Cache::Memcached), so a key can be found for
 * every server beforehand. A map turns the cookie into that key. Without a cookie, or with one of an instance that is gone,
 * the key is empty and nginx takes the next in turn, as it does without `hash`; the answer then carries the new cookie.
 *
 * So whoever comes or goes, the clients of the others stay; and retries, passing over and weights are nginx's own. What a
 * client can do with the cookie is to choose among the instances of this very endpoint.
 */

/**
 * Parts that a group is shared out in. nginx's hash has 15 bits, so parts beyond 32,768 would get nothing, and the ring of
 * `hash consistent` has 160 points for each.
 */
const PARTS_MAX = 2_048;
/** The number of tries after which every part but a few in a thousand groups has its key. */
const TRIES_PER_PART = 40;

/** The weights in their smallest whole numbers; coarser ones where these are too many parts. */
export function stickyWeights(backends: readonly Backend[]): readonly number[] {
  const divisor = backends.reduce((common, { weight }) => gcd(common, weight), 0) || 1;
  const weights = backends.map(({ weight }) => weight / divisor);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return total <= PARTS_MAX ? weights : weights.map((weight) => Math.max(1, Math.round((weight * PARTS_MAX) / total)));
}

/** A key that nginx's `hash` sends to each server, by position; null where none was found. */
export function keysByPosition(weights: readonly number[]): readonly (string | null)[] {
  const owners = weights.flatMap((weight, position) => Array<number>(weight).fill(position));
  const keys = Array<string | null>(weights.length).fill(null);
  let missing = keys.length;
  for (let number = 0; missing > 0 && number < owners.length * TRIES_PER_PART; number++) {
    const key = String(number);
    const position = owners[((crc32(key) >>> 16) & 0x7fff) % owners.length]!;
    if (keys[position] !== null) continue;
    keys[position] = key;
    missing--;
  }
  return keys;
}

/** What the cookie says for a backend: the same on every host, and no address in it. */
export function cookieValue(token: string, { id, host, port }: Backend): string {
  return shortHash(`${token} ${id} ${addressText(host, port)}`);
}

/** Maps at http level: cookie to key, address that answered to cookie, and the Set-Cookie header, empty when it is there already. */
export function renderStickyMaps({ token, url, backends }: VirtualService): string {
  const keys = keysByPosition(stickyWeights(backends));
  const known = backends.flatMap((backend, position) => {
    const key = keys[position] ?? null;
    return key === null ? [] : [{ key, cookie: cookieValue(token, backend), address: addressText(backend.host, backend.port) }];
  });
  const secure = url.scheme === 'https' ? '; Secure' : '';
  return `map $cookie_reactor_${token} $reactor_key_${token} {
    default '';
${known.map(({ cookie, key }) => `    ${cookie} ${key};\n`).join('')}}
map $reactor_answered_by $reactor_at_${token} {
    default '';
${known.map(({ cookie, address }) => `    ${address} ${cookie};\n`).join('')}}
map "$cookie_reactor_${token} $reactor_at_${token}" $reactor_cookie_${token} {
    default "reactor_${token}=$reactor_at_${token}; Path=${url.path}; HttpOnly; SameSite=Lax${secure}";
    "~ $" '';
    "~^([0-9a-f]+) \\1$" '';
}
`;
}

/** The last of the addresses that were tried; of the one and only no copy is made. */
export const ANSWERED_BY_MAP = `map $upstream_addr $reactor_answered_by { default $upstream_addr; '~ (?<reactor_last>[^ ]+)$' $reactor_last; }
`;

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
