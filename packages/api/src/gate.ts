import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ReactorError } from '@reactor/core';
import { type Attempts, createAttempts } from './attempts.js';
import { adminLock, createKeyCheck, type Lock } from './auth-key.js';
import { checkPage, cookieFor, noCookie, tokenIn } from './browser.js';
import { createLogins, type Login } from './logins.js';
import type { Settings, StoredSettings } from './settings.js';

/**
 * Who may ask. With a key set: whoever sends it, or about one endpoint that endpoint's own where the route says so; and our
 * own pages in a browser that has shown it. Without one: whoever reaches the port directly, so three things are refused that
 * let others in through a browser or a proxy on this machine:
 *  1. a Host header naming another machine (DNS rebinding),
 *  2. an Origin that is not this API (a page of another site), key or not,
 *  3. a request that a proxy passed on, because its sender is not the peer.
 * When the settings cannot be read nobody is let in.
 */
export interface Gate {
  /**
   * Resolves when the request may go on; throws `unauthorized`, `too_many_attempts`, `misdirected`, or what `settings`
   * throws: a read may ask for the last known ones, a write asks for those of now. `ownLock` is that of the endpoint which the
   * request is about, where its key is enough; it is asked only when the key is not known to be the admin's. Answers the login
   * that it was let in by; null when it came otherwise.
   */
  admit(
    request: IncomingMessage,
    settings: () => Promise<StoredSettings>,
    ownLock?: () => Promise<Lock | null>,
  ): Promise<Login | null>;
  /** The cookie that stands for the key from now on; null where no key is set. Throws like `admit`. */
  logIn(request: IncomingMessage, settings: () => Promise<StoredSettings>, key: string): Promise<string | null>;
  /** Ends the login, if there is one, and answers the cookie that takes its own away. */
  logOut(request: IncomingMessage): string;
  isLoggedIn(request: IncomingMessage, settings: StoredSettings['settings']): boolean;
}

/** Hashes in flight, each 32 MiB; more keys to check than that wait in nobody's queue but are told to come back. */
const HASHES_AT_ONCE = 4;
/**
 * Guesses that come through a load balancer of this machine, all together: a program on this machine can claim to pass them
 * on for whomever it likes. As many addresses as that guess at once are no people.
 */
const PASSED_ON = { inARow: 30, refillMs: 2_000 } as const;
const PROXY_HEADERS = ['x-forwarded-for', 'x-real-ip', 'forwarded', 'via'] as const;

export function createGate(options: { readonly now: () => number; readonly keyInQuery: boolean }): Gate {
  const direct = createAttempts();
  // Behind our own load balancer everybody has its address; strangers who guess there must not lock this machine out.
  const passedOn = createAttempts();
  const allPassedOn = createAttempts(PASSED_ON.inARow, PASSED_ON.refillMs);
  const check = createKeyCheck();
  const logins = createLogins(options.now);
  let hashing = 0;

  const counters = ({ address, isPassedOn }: Sender): readonly (readonly [Attempts, string])[] =>
    isPassedOn
      ? [
          [passedOn, address],
          [allPassedOn, ''],
        ]
      : [[direct, address]];

  /** Gives back those it took when one of them is used up. */
  const take = (sender: Sender): void => {
    const taken: (readonly [Attempts, string])[] = [];
    for (const counter of counters(sender)) {
      const waitMs = counter[0].take(counter[1], options.now());
      if (waitMs > 0) {
        for (const [attempts, address] of taken) attempts.giveBack(address);
        throw tooMany(waitMs);
      }
      taken.push(counter);
    }
  };
  const giveBack = (sender: Sender): void => {
    for (const [attempts, address] of counters(sender)) attempts.giveBack(address);
  };

  const checkKey = async (key: string, locks: readonly Lock[], sender: Sender): Promise<void> => {
    if (check.remembered(key, locks)) return;
    // Many requests with one key at once, as after a restart, are one guess and one hash.
    const underway = check.underway(key, locks);
    if (underway !== null) {
      if (!(await underway)) throw unauthorized();
      return;
    }
    take(sender);
    if (hashing >= HASHES_AT_ONCE) {
      giveBack(sender);
      throw tooMany(1_000);
    }
    hashing++;
    try {
      if (!(await check.verify(key, locks))) throw unauthorized();
      giveBack(sender);
    } finally {
      hashing--;
    }
  };

  const loginOf = (request: IncomingMessage, admin: Lock): Login | null => {
    const token = tokenIn(request);
    return token === null ? null : logins.find(token, admin.id);
  };

  return {
    async admit(request, stored, ownLock = async () => null) {
      const { settings } = await stored();
      if (settings.auth === null) {
        checkHost(request, settings);
        checkDirect(request);
        return null;
      }
      const admin = adminLock(settings.auth);
      const key = presentedKey(request, options.keyInQuery);
      if (key === null) {
        const login = presentsKey(request) ? null : loginOf(request, admin);
        if (login === null) throw unauthorized();
        checkPage(request);
        return login;
      }
      if (check.remembered(key, [admin])) return null;
      const own = await ownLock();
      // Its own first: whoever asks where the endpoint's key will do has most likely that one.
      await checkKey(key, own === null ? [admin] : [own, admin], senderOf(request));
      return null;
    },
    async logIn(request, stored, key) {
      const { settings } = await stored();
      if (settings.auth === null) {
        checkHost(request, settings);
        checkDirect(request);
        return null;
      }
      const admin = adminLock(settings.auth);
      await checkKey(key, [admin], senderOf(request));
      return cookieFor(request, logins.open(admin.id));
    },
    logOut(request) {
      const token = tokenIn(request);
      if (token !== null) logins.close(token);
      return noCookie(request);
    },
    isLoggedIn: (request, { auth }) => auth !== null && loginOf(request, adminLock(auth)) !== null,
  };
}

interface Sender {
  readonly address: string;
  /** By a load balancer on this machine. */
  readonly isPassedOn: boolean;
}

/** The last address of X-Forwarded-For is what our load balancer saw; those before it are the client's word. */
function senderOf(request: IncomingMessage): Sender {
  const peer = request.socket.remoteAddress ?? '';
  const last = request.headersDistinct['x-forwarded-for']?.at(-1)?.split(',').at(-1)?.trim() ?? '';
  const isLocal = /^(?:::ffff:)?127\.|^::1$/.test(peer);
  return isLocal && isIP(last) !== 0 ? { address: last, isPassedOn: true } : { address: peer, isPassedOn: false };
}

/** Always the same words: a hint which part was wrong would help only a guesser. */
export function unauthorized(): ReactorError {
  return new ReactorError('unauthorized', 'the key is missing or wrong; send it as the X-Auth-Key header');
}

function tooMany(waitMs: number): ReactorError {
  const seconds = Math.ceil(waitMs / 1_000);
  return new ReactorError('too_many_attempts', `too many keys tried from this address; try again in ${seconds} s`, {
    details: { retryAfterSeconds: seconds },
  });
}

const presentsKey = ({ headers }: IncomingMessage): boolean =>
  headers['x-auth-key'] !== undefined || headers.authorization !== undefined;

/** As 2013 called it in a URL. */
export const KEY_PARAMETER = 'auth_key';

/** That of a header, or where it may stand there of the URL, as in 2013. Null without one, and when there are several. */
function presentedKey(request: IncomingMessage, inQuery: boolean): string | null {
  const { headersDistinct: headers, url = '' } = request;
  if (!inQuery || 'x-auth-key' in headers || 'authorization' in headers) return keyOfHeaders(request);
  const keys = new URLSearchParams(url.slice(url.indexOf('?') + 1)).getAll(KEY_PARAMETER);
  return keys.length === 1 && keys[0] !== '' ? keys[0]! : null;
}

/** The key of `X-Auth-Key` or `Authorization: Bearer`. */
function keyOfHeaders(request: IncomingMessage): string | null {
  const headers = request.headersDistinct;
  const keys = headers['x-auth-key'] ?? [];
  const bearers = headers['authorization'] ?? [];
  if (keys.length + bearers.length !== 1) return null;
  if (keys[0] !== undefined) return keys[0] === '' ? null : keys[0];
  const bearer = /^Bearer +(.+)$/i.exec(bearers[0] ?? '');
  return bearer?.[1] ?? null;
}

/** The headers a caller showed its key with, to ask another daemon of this cluster in its name. */
export function keyHeaders(request: IncomingMessage, inQuery: boolean): Readonly<Record<string, string>> {
  const { authorization } = request.headers;
  if (authorization !== undefined) return { authorization };
  const key = presentedKey(request, inQuery);
  return key === null ? {} : { 'x-auth-key': key };
}

/** The host name of a Host header, without port and brackets, in lower case. */
function hostName(header: string): string {
  return header
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
}

function checkHost(request: IncomingMessage, settings: Settings): void {
  const name = hostName(request.headers.host ?? '');
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return;
  if (settings.url !== null && new URL(settings.url).hostname.toLowerCase() === name) return;
  throw new ReactorError(
    'misdirected',
    "while no key is set, the Host header must be an address, localhost or the host of 'reactor url'",
  );
}

function checkDirect(request: IncomingMessage): void {
  if (!PROXY_HEADERS.some((header) => request.headers[header] !== undefined)) return;
  throw new ReactorError(
    'unauthorized',
    "while no key is set, requests through a proxy are refused; set one with 'reactor passwd'",
  );
}
