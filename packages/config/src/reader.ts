import { type ConfigDocument, describeError, ReactorError } from '@reactor/core';
import { CONTROL, escapeControl, type Places, type Warning } from './document.js';
import { readIni } from './ini-reader.js';
import { flatten } from './interpolation.js';
import { readJson } from './json-reader.js';
import { parseJson, spotAt } from './json-text.js';
import { groupDigits, named, syntaxError } from './mistake.js';

/** Text in, document out: INI, JSON, or a JSON string that holds either, as the 2013 client sent it. */

/** Bytes. A certificate chain with its key is 8 KiB; thirty of those are a mistake. */
export const CONFIG_SIZE_MAX = 262_144;

export interface ReadResult {
  readonly document: ConfigDocument;
  readonly places: Places;
  readonly warnings: readonly Warning[];
}

/**
 * Reads INI or JSON, telling them apart by how they begin. Empty text is an empty document.
 * Fails with `config_syntax` (details: line, column) or `config_too_large`; `source` stands in front of every message.
 */
export function readDocument(input: string | Uint8Array, options: { readonly source?: string } = {}): ReadResult {
  const source = options.source ?? null;
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  if (size > CONFIG_SIZE_MAX) {
    const message = `${named(source)}config is ${groupDigits(size)} bytes; limit ${groupDigits(CONFIG_SIZE_MAX)}`;
    throw new ReactorError('config_too_large', message, { details: { bytes: size, limit: CONFIG_SIZE_MAX } });
  }
  return readText(typeof input === 'string' ? input : decode(input, source), source, true);
}

function decode(bytes: Uint8Array, source: string | null): string {
  const [first, second] = bytes;
  const marked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (marked || (bytes.length >= 2 && (first === 0) !== (second === 0))) throw utf16(source);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    // What the lenient decoder replaced differs from the original where the first bad sequence begins.
    const lenient = Buffer.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
    const at = bytes.findIndex((byte, index) => byte !== lenient[index]);
    const message = `${named(source)}not UTF-8 at byte ${at + 1}`;
    throw new ReactorError('config_syntax', message, { cause: describeError(cause), details: { byte: at + 1 } });
  }
}

const utf16 = (source: string | null): ReactorError => syntaxError(source, null, 'looks like UTF-16; save as UTF-8');

function readText(input: string, source: string | null, stringAllowed: boolean): ReadResult {
  const marked = input.startsWith('\ufeff');
  const text = marked ? input.slice(1) : input;
  const bom = 'the byte order mark is ignored; save as UTF-8 without BOM';
  const message = `${named(source)}line 1, column 1: ${bom}`;
  const warnings: Warning[] = marked ? [{ message, text: bom, section: null, key: null, line: 1, column: 1 }] : [];
  refuseControl(text, source);

  const opening = /[^ \t\r\n]/.exec(text)?.[0] ?? '';
  if (opening === '{' || opening === '"' || isJson(text)) {
    const root = parseJson(text, source);
    if (root.kind === 'string' && stringAllowed) {
      const inner = readText(root.value, source, false);
      return { ...inner, warnings: [...warnings, ...inner.warnings] };
    }
    const { document, values, sections } = readJson(root, text, source);
    return { document, places: { source, sections, values }, warnings };
  }
  const raw = readIni(text, source);
  const { document, values } = flatten(raw, source, CONFIG_SIZE_MAX);
  return { document, places: { source, sections: raw.places, values }, warnings: [...warnings, ...raw.warnings] };
}

function refuseControl(text: string, source: string | null): void {
  // A carriage return is fine before a line feed only.
  const clean = text.replaceAll('\r\n', ' \n');
  const control = CONTROL.exec(clean);
  if (control === null) return;
  if (control[0] === '\0' && (text[0] === '\0') !== (text[1] === '\0')) throw utf16(source);
  throw syntaxError(source, spotAt(clean, control.index), `control character ${escapeControl(control[0])}`);
}

/** A list, a number or null: JSON all the same, told as such instead of as a strange section. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
