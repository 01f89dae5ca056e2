import type { Place, Spot, Warning } from './document.js';
import { keyFault, sectionFault, trimBlanks } from './document.js';
import { named, quote, syntaxError } from './mistake.js';

/**
 * Lines of the 2013 dialect: `key=value` or `key: value` in `[sections]`; keys in any case; `#`, `;` or `rem` start a
 * comment line, a `;` behind a blank a comment; an indented line continues the value above; `""` is empty; a section may
 * appear twice and the last value wins. Interpolation comes after, in interpolation.ts.
 */

export interface RawValue extends Spot {
  readonly text: string;
  readonly pieces: Place['pieces'];
}

export interface RawDocument {
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, RawValue>>;
  /** The values of [DEFAULT]. */
  readonly defaults: ReadonlyMap<string, RawValue>;
  readonly places: ReadonlyMap<string, Spot>;
  readonly warnings: readonly Warning[];
}

/** Grows while indented lines follow; thousands of them must not be thousands of copies. */
interface OpenValue {
  text: string;
  pieces: { offset: number; line: number; column: number }[];
  line: number;
  column: number;
}

interface Reading {
  readonly source: string | null;
  readonly sections: Map<string, Map<string, OpenValue>>;
  readonly places: Map<string, Spot>;
  readonly warnings: Warning[];
  section: string | null;
  /** What an indented line would continue. */
  value: OpenValue | null;
}

const DEFAULT = 'DEFAULT';
/** Enough of a foreign text to recognise it. */
const OPENING_LENGTH = 5;

/** `text` has no control characters and no byte order mark; fails with `config_syntax`. */
export function readIni(text: string, source: string | null): RawDocument {
  const reading: Reading = { source, sections: new Map(), places: new Map(), warnings: [], section: null, value: null };
  for (const [index, raw] of text.split('\n').entries())
    readLine(reading, raw.endsWith('\r') ? raw.slice(0, -1) : raw, index + 1);
  const { sections, places, warnings } = reading;
  const defaults = sections.get(DEFAULT) ?? new Map<string, RawValue>();
  sections.delete(DEFAULT);
  return { sections, defaults, places, warnings };
}

function readLine(reading: Reading, line: string, number: number): void {
  const content = trimBlanks(line);
  if (content === '' || /^[#;]/.test(content) || /^rem([ \t]|$)/i.test(line)) return;
  if (line[0] === ' ' || line[0] === '\t') continueValue(reading, content, { line: number, column: line.indexOf(content) + 1 });
  else if (line[0] === '[') openSection(reading, line, number);
  else readKey(reading, line, number);
}

function continueValue(reading: Reading, content: string, spot: Spot): void {
  const { value } = reading;
  if (value === null) throw syntaxError(reading.source, spot, 'an indented line continues the value above, but there is none');
  const first = value.text === '';
  if (first && content === '""') return;
  if (first) Object.assign(value, spot);
  value.pieces.push({ ...spot, offset: first ? 0 : value.text.length + 1 });
  value.text += first ? content : `\n${content}`;
}

function openSection(reading: Reading, line: string, number: number): void {
  const end = line.indexOf(']');
  if (end < 0) throw syntaxError(reading.source, { line: number, column: line.length + 1 }, "missing ']'");
  const name = trimBlanks(line.slice(1, end));
  const rest = trimBlanks(line.slice(end + 1));
  if (rest !== '' && !/^[#;]/.test(rest)) {
    const column = line.indexOf(rest, end + 1) + 1;
    throw syntaxError(reading.source, { line: number, column }, `unexpected text after ']': ${quote(rest)}; begin a new line`);
  }
  const fault = name === DEFAULT ? null : sectionFault(name);
  if (fault !== null) throw syntaxError(reading.source, { line: number, column: 2 }, fault);
  if (!reading.places.has(name)) reading.places.set(name, { line: number, column: 1 });
  if (!reading.sections.has(name)) reading.sections.set(name, new Map());
  reading.section = name;
  reading.value = null;
}

function readKey(reading: Reading, line: string, number: number): void {
  const { source, section } = reading;
  const at = line.search(/[:=]/);
  if (section === null) throw syntaxError(source, { line: number, column: 1 }, outsideSection(line, at));
  if (at <= 0) throw syntaxError(source, { line: number, column: 1 }, 'expected key=value');
  const key = trimBlanks(line.slice(0, at)).toLowerCase();
  const fault = keyFault(key);
  if (fault !== null) throw syntaxError(source, { line: number, column: 1 }, fault);

  const tail = line.slice(at + 1);
  const comment = tail.search(/[ \t];/);
  const text = trimBlanks(comment < 0 ? tail : tail.slice(0, comment));
  const column = at + 2 + (text === '' ? 0 : tail.indexOf(text));
  const empty = text === '""' || text === '';
  const pieces = empty ? [] : [{ offset: 0, line: number, column }];
  const value: OpenValue = { text: empty ? '' : text, pieces, line: number, column };
  const values = reading.sections.get(section)!;
  const former = values.get(key);
  if (former !== undefined && former.text !== value.text) {
    const text = `line ${number} overrides line ${former.line}: ${section}.${key}`;
    reading.warnings.push({ message: `${named(source)}${text}`, text, section, key, line: number, column: 1 });
  }
  values.set(key, value);
  reading.value = value;
}

function outsideSection(line: string, at: number): string {
  if (at <= 0 || /^(<|---|%YAML)/.test(line)) return `not INI or JSON (starts with ${quote(line.slice(0, OPENING_LENGTH))})`;
  return `${quote(`${line.slice(0, at + 1)}…`)} is outside a section; add [endpoint] first`;
}
