/**
 * Reads JSON nobody promised: every function takes anything and answers null (or nothing) where the value is not what was
 * asked for, so that no reply of an engine, a proxy or a stranger can throw here.
 */

/** The value at that path of own properties; undefined where the path ends early. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Readonly<Record<string, unknown>>)[key];
  }
  return here;
}

/** A non-empty string, else null. */
export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** An exact integer, else null. */
export function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

export function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function fields(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

/** The string fields of an object. */
export function texts(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(fields(value).filter((field): field is [string, string] => typeof field[1] === 'string'));
}

/** A decimal number without sign, as labels and port numbers are written. */
export function decimal(value: unknown): number | null {
  if (typeof value !== 'string' || !/^[0-9]{1,15}$/.test(value)) return null;
  return Number(value);
}

/** A TCP port somebody can listen on, from a number or its decimal text. */
export function port(value: unknown): number | null {
  const number = typeof value === 'number' ? whole(value) : decimal(value);
  return number !== null && number >= 1 && number <= 65_535 ? number : null;
}

/** Milliseconds since the epoch; null for Docker's year-one "never" and for anything that is no time. */
export function instantMs(value: unknown): number | null {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}
