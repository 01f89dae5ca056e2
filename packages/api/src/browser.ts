import type { IncomingMessage } from 'node:http';
import { ReactorError } from '@reactor/core';

/** What a browser sends by itself, and what our own page has to add, so that no other page can act through it. */

/** Only our page sets it: another site's would have to be allowed to first, which nobody is. */
export const PAGE_HEADER = 'x-reactor-page';
/** The longest token is 43 characters; a cookie of another size is somebody else's. */
const TOKEN_FORM = /^[A-Za-z0-9_-]{20,64}$/;

/** The prefix makes browsers refuse a cookie of this name that is not Secure, or that another host or path has set. */
const cookieName = (request: IncomingMessage): string => (isSecure(request) ? '__Host-reactor' : 'reactor');

/** As a load balancer in front says; a client that claims it for itself gets a cookie it cannot use. */
const isSecure = (request: IncomingMessage): boolean => request.headers['x-forwarded-proto'] === 'https';

export function cookieFor(request: IncomingMessage, token: string): string {
  const secure = isSecure(request) ? '; Secure' : '';
  return `${cookieName(request)}=${token}; Path=/; HttpOnly; SameSite=Strict${secure}`;
}

/** Takes the cookie away. */
export const noCookie = (request: IncomingMessage): string => `${cookieFor(request, '')}; Max-Age=0`;

/** The token of our cookie; null without one, and when there are several. */
export function tokenIn(request: IncomingMessage): string | null {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim());
  const prefix = `${cookieName(request)}=`;
  const [token, ...others] = pairs.filter((pair) => pair.startsWith(prefix)).map((pair) => pair.slice(prefix.length));
  return token !== undefined && others.length === 0 && TOKEN_FORM.test(token) ? token : null;
}

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/** Refuses what a page of another site sends; programs send neither of these headers. */
export function checkOrigin(request: IncomingMessage): void {
  const crossSite = request.headers['sec-fetch-site'] !== undefined && !isFromHere(request.headers['sec-fetch-site']);
  if (isOwnOrigin(request) !== false && (!crossSite || isSafe(request))) return;
  throw foreign('requests from pages of another site are refused');
}

/** A cookie is sent along whoever asks; so a write that is let in by one has to prove that our own page asks. */
export function checkPage(request: IncomingMessage): void {
  if (isSafe(request)) return;
  const here = isOwnOrigin(request) === true || request.headers['sec-fetch-site'] === 'same-origin';
  if (here && request.headers[PAGE_HEADER] !== undefined) return;
  throw foreign(`a login is for the pages of /ui alone: a program sends the key as the X-Auth-Key header`);
}

const isSafe = (request: IncomingMessage): boolean => SAFE_METHODS.includes(request.method ?? '');

/** `none`: typed in, or opened from a bookmark. */
const isFromHere = (site: string | string[]): boolean => site === 'same-origin' || site === 'none';

/** Null without an Origin. */
function isOwnOrigin(request: IncomingMessage): boolean | null {
  const { origin, host = '' } = request.headers;
  return origin === undefined ? null : origin === `http://${host}` || origin === `https://${host}`;
}

const foreign = (message: string): ReactorError => new ReactorError('foreign_origin', message);
