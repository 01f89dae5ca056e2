import assert from 'node:assert/strict';
import type { Json, StateChange, StateEntry, StateView } from '@reactor/core';

/**
 * The texts our scripts answer with. Entries and changes come as one text with a line for each, not as a reply for each: that
 * halves the time of a large read. JSON never holds a raw line break and a key never holds a space.
 */

/** A script's reply: an array of strings, the first of which says what the others are. */
export function texts(reply: unknown): readonly string[] {
  assert(Array.isArray(reply) && reply.every((text) => typeof text === 'string'), 'a script answers with texts');
  return reply;
}

/** Lines `<revision> <key> <json>`, without json when deleted. */
export function decodeChanges(text: string): readonly StateChange[] {
  return lines(text).map((line) => {
    const first = line.indexOf(' ');
    const second = line.indexOf(' ', first + 1);
    const json = line.slice(second + 1);
    return {
      key: line.slice(first + 1, second),
      value: json === '' ? null : (JSON.parse(json) as Json),
      revision: Number(line.slice(0, first)),
    };
  });
}

/**
 * Lines of keys and lines `<revision> <json>`.
 *
 * @param known a view of the same history; its unchanged values are taken as they are instead of parsed again.
 */
export function decodeEntries(keyText: string, text: string, known: StateView | null): ReadonlyMap<string, StateEntry> {
  const values = lines(text);
  const entries = new Map<string, StateEntry>();
  lines(keyText).forEach((key, index) => {
    const line = values[index];
    assert(line !== undefined, 'every key has a value');
    const space = line.indexOf(' ');
    const revision = Number(line.slice(0, space));
    const former = known?.entries.get(key);
    entries.set(key, former?.revision === revision ? former : { value: JSON.parse(line.slice(space + 1)) as Json, revision });
  });
  return entries;
}

export function pairs(flat: readonly string[]): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) found.push([flat[at] ?? '', flat[at + 1] ?? '']);
  return found;
}

function lines(text: string): readonly string[] {
  return text === '' ? [] : text.split('\n');
}
