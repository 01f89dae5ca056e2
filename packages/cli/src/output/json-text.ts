import { printableJson } from './printable.js';

/** JSON for people and programs: two spaces of indent. */
export const jsonText = (value: unknown): string => printableJson(JSON.stringify(value, null, 2) ?? 'null');

/** JSON on one line, one value per line. */
export const jsonLine = (value: unknown): string => printableJson(JSON.stringify(value) ?? 'null');

/** A flat object on one line with a space after each colon and comma: `{"active": 0, "rate": 1.5}`. */
export function jsonObjectLine(values: Readonly<Record<string, unknown>>): string {
  const members = Object.entries(values).map(([name, value]) => `${jsonLine(name)}: ${jsonLine(value)}`);
  return `{${members.join(', ')}}`;
}
