import { type ErrorDetails, ReactorError } from '@reactor/core';

/** An operator's mistake is told in one line: what, where, and what was expected. Here is how such lines are put together. */

/** A longer value would hide the sentence around it. */
const QUOTE_MAX = 80;

/** The text in quotes, cut, with nothing in it that could move a terminal's cursor or break the line. */
export function quote(text: string): string {
  const cut = text.length > QUOTE_MAX ? `${text.slice(0, QUOTE_MAX)}…` : text;
  const shown = cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
  return `'${shown}'`;
}

/** `10 000`: groups of three, as limits are long. */
export function groupDigits(amount: number): string {
  return String(amount).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** `file: ` or nothing. */
export const named = (source: string | null): string => (source === null ? '' : `${source}: `);

export function syntaxError(
  source: string | null,
  spot: { readonly line: number; readonly column: number } | null,
  message: string,
): ReactorError {
  const where = spot === null ? '' : `line ${spot.line}, column ${spot.column}: `;
  const details: ErrorDetails = spot === null ? {} : { line: spot.line, column: spot.column };
  return new ReactorError('config_syntax', `${named(source)}${where}${message}`, { details });
}
