import type { IncomingMessage } from 'node:http';
import { ReactorError } from '@reactor/core';
import { quoted } from './offending-value.js';

/** What a request asks for before it changes anything: nothing, that there is something (`*`), or that it is at this revision. */
export type IfMatch = null | '*' | number;

/** Of `If-Match: "12"`. A weak tag never matches (RFC 9110, 13.1.1). */
export function readIfMatch(request: IncomingMessage): IfMatch {
  const text = request.headers['if-match']?.trim();
  if (text === undefined) return null;
  if (text === '*') return '*';
  const match = /^"?(\d{1,15})"?$/.exec(text);
  if (match) return Number(match[1]);
  throw new ReactorError('request_invalid', `If-Match: expected one revision like "12", or *, got ${quoted(text)}`);
}

/** Throws `revision_mismatch` unless `what`, which is at that revision or with null not there, is as asked. */
export function checkIfMatch(asked: IfMatch, revision: number | null, what: string): void {
  if (asked === null || asked === revision || (asked === '*' && revision !== null)) return;
  const is = revision === null ? 'is not there' : `is at revision ${revision}, not ${asked}`;
  throw new ReactorError('revision_mismatch', `${what} ${is}`, { details: { revision } });
}
