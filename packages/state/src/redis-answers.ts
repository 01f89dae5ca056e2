import assert from 'node:assert/strict';
import type { Json, StateChange, StateEntry, StateView } from '@reactor/core';
import type { ForeignKind } from './identity.js';
import { LIMITS } from './limits.js';
import type { CopiedEntry } from './state-copy.js';

/**
 * The texts our scripts answer with. A key never holds a space and JSON never a raw line break, so changes are kept and sent as
 * lines.
 */

/** A script's reply: an array of strings, the first of which says what the others are. */
export function texts(reply: unknown): readonly string[] {
  assert(Array.isArray(reply) && reply.every((text) => typeof text === 'string'), 'a script answers with texts');
  return reply;
}

/** What a script says about a state that is not the known one. */
export interface ForeignAnswer {
  readonly kind: ForeignKind;
  readonly found: { readonly clusterId: string; readonly revision: number; readonly mark: string };
}

/** Null: the script ran. */
export function foreignAnswer(reply: readonly string[]): ForeignAnswer | null {
  const [kind, foreign = '', clusterId = '', revision, mark = ''] = reply;
  return kind === 'foreign' && isForeignKind(foreign)
    ? { kind: foreign, found: { clusterId, revision: Number(revision), mark } }
    : null;
}

export function isForeignKind(text: string): text is ForeignKind {
  return ['empty', 'behind', 'split', 'other'].includes(text);
}

/** Lines `<revision> <key> <json>`, without json when deleted. */
export function decodeChanges(text: string): readonly StateChange[] {
  if (text === '') return [];
  return text.split('\n').map((line) => {
    const { key, revision, text: json } = splitChange(line);
    return { key, value: json === null ? null : decodeValue(json), revision };
  });
}

/** What is no JSON, or more than anything that is written here, comes as a text that says so: no record is a text. */
export function decodeValue(text: string): Json {
  if (text.length > LIMITS.valueBytes) return `${text.length} characters, more than ${LIMITS.valueBytes} bytes`;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return 'what is not JSON';
  }
}

/** A line `<revision> <key> <json>`, its json left as it is. */
export function splitChange(line: string): CopiedEntry {
  const first = line.indexOf(' ');
  const second = line.indexOf(' ', first + 1);
  const json = line.slice(second + 1);
  return { key: line.slice(first + 1, second), revision: Number(line.slice(0, first)), text: json === '' ? null : json };
}

/** The value `<revision> <json>` of a key, its json left as it is. */
export function splitValue(key: string, value: string): CopiedEntry {
  const space = value.indexOf(' ');
  return { key, revision: Number(value.slice(0, space)), text: value.slice(space + 1) };
}

/**
 * The entries below a prefix out of a flat list of keys and `<revision> <json>`.
 *
 * @param known a view of the same history; its unchanged values are taken as they are instead of parsed again.
 */
export function decodeEntries(flat: readonly string[], prefix: string, known: StateView | null): ReadonlyMap<string, StateEntry> {
  const entries = new Map<string, StateEntry>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const key = flat[at] ?? '';
    if (!key.startsWith(prefix)) continue;
    const text = flat[at + 1] ?? '';
    const space = text.indexOf(' ');
    // What did not come with one is at none that a commit could expect.
    const revision = Number(text.slice(0, Math.max(0, space))) || 0;
    const former = known?.entries.get(key);
    const isSame = former?.revision === revision;
    entries.set(key, isSame ? former : { value: decodeValue(text.slice(space + 1)), revision });
  }
  return entries;
}

export function pairs(flat: readonly string[]): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) found.push([flat[at] ?? '', flat[at + 1] ?? '']);
  return found;
}
