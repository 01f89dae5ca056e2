import assert from 'node:assert/strict';
import { type Commit, type Json, LOGS, type LogEntry, ReactorError } from '@reactor/core';

/**
 * What one call may carry and what is kept, the same for both stores. Checked before anything is sent, so that a call that
 * is too large changes nothing.
 */
export const LIMITS = {
  /** LMDB holds keys up to 1978 bytes; a log key also carries its sequence number. */
  keyBytes: 512,
  /** A record of the largest host with all its images and containers is about 200 KiB. */
  valueBytes: 1024 * 1024,
  /** Redis holds everyone up while it takes one commit: 16 MiB are about 50 ms. */
  commitBytes: 16 * 1024 * 1024,
  commitWrites: 10_000,
  logEntries: 1_000,
  /** The log of decisions is one for all endpoints. */
  decisions: 10_000,
  /** How far behind a watcher may be before it has to read everything again: minutes of an ordinary cluster. */
  changesKept: 2_000,
  /** Two of the largest commits, so that one of them never empties the history. */
  changesKeptBytes: 32 * 1024 * 1024,
} as const;

/** How many entries of a log are kept. */
export const entriesKept = (log: string): number => (log === LOGS.decisions ? LIMITS.decisions : LIMITS.logEntries);

const KEY = /^[A-Za-z0-9._:/-]+$/;

export interface PreparedWrite {
  readonly key: string;
  /** JSON; null deletes. */
  readonly text: string | null;
  readonly lease: string | null;
}

export interface PreparedCommit {
  readonly expect: Commit['expect'];
  readonly write: readonly PreparedWrite[];
}

/** A commit within the limits, its values as JSON; throws `state_limit`. Naming a key twice is a bug of the caller. */
export function prepareCommit(change: Commit): PreparedCommit {
  checkCount('commit', Math.max(change.write.length, change.expect.length));
  const write = change.write.map(({ key, value, lease }) => {
    checkKey(key);
    return { key, text: value === null ? null : encodeValue(key, value), lease: value === null ? null : (lease ?? null) };
  });
  assert(new Set(write.map(({ key }) => key)).size === write.length, 'a commit writes every key at most once');
  for (const { key, revision } of change.expect) {
    checkKey(key);
    assert(Number.isSafeInteger(revision) && revision >= 0, `the expected revision of ${key} is a whole number >= 0`);
  }
  checkBytes('commit', write);
  return { expect: change.expect, write };
}

/** Log entries as JSON, without their sequence numbers. */
export function prepareAppend(log: string, entries: readonly Omit<LogEntry, 'seq'>[]): readonly string[] {
  checkKey(log);
  checkCount('append', entries.length);
  const texts = entries.map(({ atMs, level, event, message }) => encodeValue(log, { atMs, level, event, message }));
  checkBytes(
    'append',
    texts.map((text) => ({ key: '', text })),
  );
  return texts;
}

/** Topics with their values as JSON; a null value is published as it is. */
export function preparePublication(
  values: Readonly<Record<string, Json>>,
): readonly { readonly key: string; readonly text: string }[] {
  const topics = Object.entries(values);
  checkCount('publication', topics.length);
  const publication = topics.map(([key, value]) => {
    checkKey(key);
    return { key, text: encodeValue(key, value) };
  });
  checkBytes('publication', publication);
  return publication;
}

export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix);
}

export function checkTtl(ttlMs: number): void {
  assert(Number.isSafeInteger(ttlMs) && ttlMs > 0, `a time to live is a whole number of milliseconds > 0, not ${ttlMs}`);
}

function checkKey(key: string): void {
  if (key.length > LIMITS.keyBytes) {
    const shown = `${key.slice(0, 40).replace(/[^ -~]/g, '?')}...`;
    throw limit(`the key ${shown} has ${key.length} characters`, `at most ${LIMITS.keyBytes}`, LIMITS.keyBytes);
  }
  if (!KEY.test(key)) {
    throw limit(`the key ${JSON.stringify(key)}`, 'letters, digits and . _ : / - only, at least one', LIMITS.keyBytes);
  }
}

function encodeValue(key: string, value: Json): string {
  const text: string | undefined = JSON.stringify(value);
  assert(text !== undefined, `the value of ${key} is JSON`);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.valueBytes) {
    throw limit(`the value of ${key} has ${bytes} bytes`, `at most ${LIMITS.valueBytes}`, LIMITS.valueBytes);
  }
  return text;
}

function checkCount(what: string, count: number): void {
  if (count > LIMITS.commitWrites) {
    throw limit(`a ${what} of ${count} entries`, `at most ${LIMITS.commitWrites}`, LIMITS.commitWrites);
  }
}

function checkBytes(what: string, entries: readonly { readonly key: string; readonly text: string | null }[]): void {
  const bytes = entries.reduce((sum, { key, text }) => sum + key.length + (text === null ? 0 : Buffer.byteLength(text)), 0);
  if (bytes > LIMITS.commitBytes) {
    throw limit(`a ${what} of ${bytes} bytes`, `at most ${LIMITS.commitBytes}`, LIMITS.commitBytes);
  }
}

function limit(found: string, expected: string, limit: number): ReactorError {
  return new ReactorError('state_limit', `${found}; the cluster state takes ${expected}`, { details: { limit } });
}
