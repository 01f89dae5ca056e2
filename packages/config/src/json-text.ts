import type { Spot } from './document.js';
import { quote, syntaxError } from './mistake.js';

/**
 * JSON with the place of every value, which `JSON.parse` does not tell. It also refuses what `JSON.parse` lets pass in
 * silence: a key that appears twice, and nesting so deep that only an attack writes it.
 */

export type JsonNode =
  | { readonly kind: 'object'; readonly at: number; readonly entries: readonly (readonly [key: string, node: JsonNode])[] }
  | { readonly kind: 'array'; readonly at: number; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly at: number; readonly value: string; readonly escaped: boolean }
  /** A number, true, false or null as it was written. */
  | { readonly kind: 'word'; readonly at: number; readonly text: string };

const DEPTH_MAX = 32;

interface Cursor {
  readonly text: string;
  readonly source: string | null;
  at: number;
}

/** Fails with `config_syntax` and the place. */
export function parseJson(text: string, source: string | null): JsonNode {
  const cursor: Cursor = { text, source, at: 0 };
  const node = readNode(cursor, []);
  skipBlanks(cursor);
  if (cursor.at < text.length)
    fail(cursor, `unexpected ${quote(text.slice(cursor.at, cursor.at + 10))} after the end of the JSON`);
  return node;
}

export function spotAt(text: string, offset: number): Spot {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

function fail(cursor: Cursor, message: string, at = cursor.at): never {
  throw syntaxError(cursor.source, spotAt(cursor.text, at), message);
}

function skipBlanks(cursor: Cursor): void {
  while (' \t\r\n'.includes(cursor.text[cursor.at] ?? '.')) cursor.at++;
}

/** The next character that is no blank; '' at the end. */
function peek(cursor: Cursor): string {
  skipBlanks(cursor);
  return cursor.text[cursor.at] ?? '';
}

function readNode(cursor: Cursor, path: readonly string[]): JsonNode {
  if (path.length > DEPTH_MAX) fail(cursor, `nesting deeper than ${DEPTH_MAX}`);
  const next = peek(cursor);
  if (next === '{') return readObject(cursor, path);
  if (next === '[') return readArray(cursor, path);
  if (next === '"') return readString(cursor);
  const word = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/.exec(
    cursor.text.slice(cursor.at, cursor.at + 400),
  )?.[0];
  if (word === undefined) {
    return fail(cursor, next === '' ? 'the JSON ends too early' : `expected a JSON value, found ${quote(next)}`);
  }
  const at = cursor.at;
  cursor.at += word.length;
  return { kind: 'word', at, text: word };
}

function readObject(cursor: Cursor, path: readonly string[]): JsonNode {
  const at = cursor.at++;
  const entries: (readonly [string, JsonNode])[] = [];
  const seen = new Set<string>();
  if (peek(cursor) === '}') {
    cursor.at++;
    return { kind: 'object', at, entries };
  }
  for (;;) {
    if (peek(cursor) !== '"') fail(cursor, 'expected a key in double quotes');
    const keyAt = cursor.at;
    const key = readString(cursor).value;
    if (seen.has(key)) fail(cursor, `duplicate key ${[...path, key].join('.')}`, keyAt);
    seen.add(key);
    if (peek(cursor) !== ':') fail(cursor, `expected ':' after the key ${quote(key)}`);
    cursor.at++;
    entries.push([key, readNode(cursor, [...path, key])]);
    const next = peek(cursor);
    if (next !== ',' && next !== '}') fail(cursor, "expected ',' or '}'");
    cursor.at++;
    if (next === '}') return { kind: 'object', at, entries };
  }
}

function readArray(cursor: Cursor, path: readonly string[]): JsonNode {
  const at = cursor.at++;
  const items: JsonNode[] = [];
  if (peek(cursor) === ']') {
    cursor.at++;
    return { kind: 'array', at, items };
  }
  for (;;) {
    items.push(readNode(cursor, [...path, String(items.length + 1)]));
    const next = peek(cursor);
    if (next !== ',' && next !== ']') fail(cursor, "expected ',' or ']'");
    cursor.at++;
    if (next === ']') return { kind: 'array', at, items };
  }
}

function readString(cursor: Cursor): Extract<JsonNode, { kind: 'string' }> {
  const { text } = cursor;
  const at = cursor.at;
  let end = at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  if (end >= text.length) fail(cursor, 'the string has no closing quote', at);
  const raw = text.slice(at, end + 1);
  cursor.at = end + 1;
  try {
    return { kind: 'string', at, value: JSON.parse(raw) as string, escaped: raw.includes('\\') };
  } catch {
    return fail(cursor, 'the string holds a line break or an unknown escape', at);
  }
}
