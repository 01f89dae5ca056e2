import type { ConfigDocument } from '@reactor/core';
import { quote, syntaxError } from './mistake.js';

/**
 * A configuration as sections of keys with text values, whatever it was written in. Documents are frozen and have no
 * prototype, so that no name in one can reach anything but itself. Values follow the rules of the INI dialect whoever
 * wrote them: no blanks around lines, no empty lines, `""` is empty. Hence every document can be written as INI.
 */

/** Where a text stands in its source; lines and columns from 1. */
export interface Spot {
  readonly line: number;
  readonly column: number;
}

export interface Place extends Spot {
  /** Where each line of the value starts, by its offset in the value; empty when value and source differ (`%`, escapes). */
  readonly pieces: readonly (Spot & { readonly offset: number })[];
  /** Copied from [DEFAULT], so it was not meant for this section in particular. */
  readonly inherited: boolean;
}

export interface Places {
  /** Named in front of every message, e.g. the file's name. */
  readonly source: string | null;
  readonly sections: ReadonlyMap<string, Spot>;
  readonly values: ReadonlyMap<string, ReadonlyMap<string, Place>>;
}

/** Something to tell that hinders nothing; `message` is one line and says where. */
export interface Warning {
  readonly message: string;
  /** The same without the place. */
  readonly text: string;
  readonly section: string | null;
  readonly key: string | null;
  readonly line: number | null;
  readonly column: number | null;
}

export const NO_PLACES: Places = { source: null, sections: new Map(), values: new Map() };

/** Names that are members of every object somewhere; refused so that no later reader of the document stumbles on them. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);

/** C0 without tab and line feed, DEL, C1, and halves of surrogate pairs. */
export const CONTROL = /(?![\t\n])[\p{Cc}\p{Cs}]/u;

/** What is wrong with a section's name, or null. */
export function sectionFault(name: string): string | null {
  if (RESERVED.has(name)) return `reserved name ${quote(name)}`;
  if (name === '' || name !== trimBlanks(name)) return 'a section needs a name without blanks around it';
  if (name === 'DEFAULT') return "reserved name 'DEFAULT': its keys belong to every section of an INI text";
  return /[\]\t\n]/.test(name) || CONTROL.test(name) ? `section name ${quote(name)} holds ']' or a control character` : null;
}

/** What is wrong with a key's name, lower-cased already, or null. */
export function keyFault(name: string): string | null {
  if (RESERVED.has(name)) return `reserved name ${quote(name)}`;
  const fits = /^[^\s:=[#;][^:=\n]*$/.test(name) && name === trimBlanks(name) && !/^rem(\s|$)/.test(name) && !CONTROL.test(name);
  return fits ? null : `${quote(name)} cannot be a key`;
}

/** Without spaces and tabs at its ends. A loop, because a pattern anchored at the end is quadratic in runs of blanks. */
export function trimBlanks(text: string): string {
  const blank = (index: number): boolean => text[index] === ' ' || text[index] === '\t';
  let start = 0;
  let end = text.length;
  while (start < end && blank(start)) start++;
  while (end > start && blank(end - 1)) end--;
  return text.slice(start, end);
}

/** A value as the INI dialect would have read it. */
export function normalizeValue(value: string): string {
  const lines = value.replaceAll('\r\n', '\n').split('\n').map(trimBlanks);
  const kept = lines.filter((line) => line !== '');
  const from = kept.findIndex((line) => line !== '""');
  return from < 0 ? '' : kept.slice(from).join('\n');
}

export function freezeDocument(sections: ReadonlyMap<string, ReadonlyMap<string, string>>): ConfigDocument {
  const document: Record<string, Readonly<Record<string, string>>> = Object.create(null);
  for (const [section, values] of sections) {
    const keys: Record<string, string> = Object.create(null);
    for (const [key, value] of values) keys[key] = value;
    document[section] = Object.freeze(keys);
  }
  return Object.freeze(document);
}

/** The text of a key, or null when it is not set. */
export function getValue(document: ConfigDocument, section: string, key: string): string | null {
  const values = Object.hasOwn(document, section) ? document[section]! : null;
  const name = key.toLowerCase();
  return values !== null && Object.hasOwn(values, name) ? values[name]! : null;
}

/**
 * The document with one value changed, the section made when there was none. Only the form is checked (`config_syntax`);
 * whether the value makes sense is for `resolveEndpoint` and `resolveDaemon`, which see the whole.
 */
export function setValue(document: ConfigDocument, section: string, key: string, value: string): ConfigDocument {
  const name = key.toLowerCase();
  const fault = sectionFault(section) ?? keyFault(name);
  if (fault !== null) throw syntaxError(null, null, fault);
  const text = normalizeValue(value);
  const control = CONTROL.exec(text);
  if (control !== null) throw syntaxError(null, null, `${section}.${name}: control character ${escapeControl(control[0])}`);
  const sections = new Map(Object.entries(document).map(([each, values]) => [each, new Map(Object.entries(values))] as const));
  sections.set(section, new Map(sections.get(section)).set(name, text));
  return freezeDocument(sections);
}

/** `\x00`, or `\ud800` for what has no short form. */
export function escapeControl(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** Where the given 1-based column of a value stands in the source; null when that is not known. */
export function spotIn(place: Place, column: number): Spot | null {
  const piece = place.pieces.findLast(({ offset }) => offset < column);
  return piece === undefined ? null : { line: piece.line, column: piece.column + column - 1 - piece.offset };
}
