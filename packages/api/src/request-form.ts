import type { IncomingMessage } from 'node:http';
import { ReactorError } from '@reactor/core';
import { KEY_PARAMETER, unauthorized } from './gate.js';
import { quoted } from './offending-value.js';
import type { Body, Route } from './route.js';

/** The form of a request: its target, its parameters, its headers and its body, each checked and bounded before use. */

/** As large as the largest configuration. */
export const BODY_LIMIT_BYTES = 262_144;
/** Longer targets have no use; names are at most 64 characters. */
const TARGET_LIMIT = 4_096;

const invalid = (message: string): ReactorError => new ReactorError('request_invalid', message);

/** Splits and checks the request target, so that no route ever sees a path that does not decode or climbs. */
export function checkTarget(target: string): { readonly path: string; readonly search: string } {
  if (target.length > TARGET_LIMIT) throw invalid(`the request target is longer than ${TARGET_LIMIT} characters`);
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  if (!path.startsWith('/')) throw invalid('malformed path: expected it to start with /');
  if (path.includes('//')) throw invalid('malformed path: empty segment');
  for (const segment of path.split('/')) {
    const text = decoded(segment);
    if (text === '.' || text === '..' || text.includes('/')) throw invalid(`malformed path: segment ${quoted(text)}`);
    if (/\p{Cc}/u.test(text)) throw invalid(`malformed path: control character in ${quoted(text)}`);
  }
  return { path, search: mark === -1 ? '' : target.slice(mark + 1) };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid(`malformed path: ${quoted(segment)} is not percent-encoded UTF-8`);
  }
}

/** A key in a URL ends up in histories and logs: refused like a wrong one, wherever it is sent. */
export function refuseKeyInQuery(search: string): void {
  if (new URLSearchParams(search).has(KEY_PARAMETER)) throw unauthorized();
}

/** Only parameters the route knows, each once: a misspelt one would otherwise silently mean "all". */
export function readQuery(search: string, route: Route): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (!route.query.includes(name)) {
      const known = route.query.length === 0 ? 'takes none' : `takes ${route.query.join(', ')}`;
      throw invalid(`unknown parameter ${quoted(name)}: this route ${known}`);
    }
    if (query.has(name)) throw invalid(`parameter ${quoted(name)} is given twice`);
    query.set(name, value);
  }
  return query;
}

/** `1` or `0`; absent is false. */
export function readFlag(query: ReadonlyMap<string, string>, name: string): boolean {
  const text = query.get(name) ?? '0';
  if (text !== '0' && text !== '1') throw invalid(`${name}: expected 1 or 0, got ${quoted(text)}`);
  return text === '1';
}

/** A non-negative number not above `limit`; null when absent. */
export function readNumber(
  query: ReadonlyMap<string, string>,
  name: string,
  options: { readonly limit: number; readonly fraction: boolean },
): number | null {
  const text = query.get(name);
  if (text === undefined) return null;
  const form = options.fraction ? /^\d{1,15}(\.\d{1,9})?$/ : /^\d{1,15}$/;
  const number = form.test(text) ? Number(text) : Number.NaN;
  if (number <= options.limit) return number;
  const kind = options.fraction ? 'a number' : 'a whole number';
  throw invalid(`${name}: expected ${kind} from 0 to ${options.limit}, got ${quoted(text)}`);
}

/** Reads the body, at most BODY_LIMIT_BYTES of it; a Content-Length above that is refused before a byte is read. */
export async function readBody(request: IncomingMessage): Promise<Body> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > BODY_LIMIT_BYTES) throw tooLarge();
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new ReactorError('media_type', `Content-Encoding ${quoted(encoding)} is not supported; send the body as it is`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed when the loop is left early: that would close the socket before it can be told why.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  return { bytes: Buffer.concat(chunks), type: type === undefined || type === '' ? null : type };
}

const tooLarge = (): ReactorError =>
  new ReactorError('too_large', `the body is larger than ${BODY_LIMIT_BYTES} bytes`, {
    details: { limitBytes: BODY_LIMIT_BYTES },
  });

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The body as text; `media_type` unless its type is one of `types`. */
export function readText(body: Body, types: readonly string[]): string {
  if (body.type === null || !types.includes(body.type)) {
    const got = body.type === null ? 'none' : quoted(body.type);
    throw new ReactorError('media_type', `Content-Type: expected ${types.join(' or ')}, got ${got}`);
  }
  try {
    return utf8.decode(body.bytes);
  } catch {
    throw invalid('the body is not UTF-8');
  }
}

const JSON_TYPES = ['application/json'];

export function readJson(body: Body): unknown {
  const text = readText(body, JSON_TYPES);
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('the body is not JSON');
  }
}

/** A JSON string that says something, trimmed. */
export function readWord(body: Body, what: string): string {
  const value = readJson(body);
  if (typeof value !== 'string' || value.trim() === '') throw invalid(`expected a JSON string with ${what}`);
  return value.trim();
}

/** A JSON object with exactly these keys; others are named and refused, so that nothing is set that nobody meant to offer. */
export function readObject(body: Body, keys: readonly string[]): ReadonlyMap<string, unknown> {
  const value = readJson(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`expected a JSON object with ${keys.join(', ')}`);
  }
  const object = new Map<string, unknown>(Object.entries(value));
  for (const key of object.keys()) {
    if (!keys.includes(key)) throw invalid(`unknown key ${quoted(key)}: expected ${keys.join(', ')}`);
  }
  for (const key of keys) {
    if (!object.has(key)) throw invalid(`missing key '${key}': expected ${keys.join(', ')}`);
  }
  return object;
}
