/**
 * Text from a server, a log or a file may carry terminal commands (colours, cursor moves, title changes) or characters
 * that reorder a line. They are shown instead of obeyed.
 */

// Controls, formatting marks (directions, zero widths, byte order), line and paragraph separators, halves of pairs.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const UNSAFE_BUT_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function shown(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code > 0xffff) return `\\u{${code.toString(16)}}`;
  return NAMED[character] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

/** In UTF-16 units, as JSON has no longer escape. */
const jsonEscape = (character: string): string => character.replace(/[\s\S]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`);

/** One line: every control character, also a line end, becomes an escape such as `\x1b`. */
export const printable = (text: string): string => text.replace(UNSAFE, shown);

/** Several lines: line ends and tabs stay. */
export const printableLines = (text: string): string => text.replace(UNSAFE_BUT_LINES, shown);

/** JSON text: what `JSON.stringify` leaves bare is escaped in JSON's own way, so the text stays the same value. */
export const printableJson = (json: string): string => json.replace(UNSAFE_BUT_LINES, jsonEscape);
