import type { Yaml, YamlMap } from './yaml-text.js';

/** Compose says most things in two ways, a word or a list of them, a list or a map; here they are made one. */

/** A scalar as text; null for what is none. */
export function scalar(value: Yaml | undefined): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

/** A scalar or a list of scalars; null when it is something else. */
export function words(value: Yaml | undefined): readonly string[] | null {
  if (!isList(value)) return scalar(value) === null ? null : [scalar(value)!];
  const all = value.map(scalar);
  return all.every((each) => each !== null) ? all : null;
}

/** The names in a list, or the keys of a map. */
export function names(value: Yaml | undefined): readonly string[] | null {
  return isMap(value) ? [...value.keys()] : isList(value) ? words(value) : null;
}

/** `KEY=value` lines or a map, null where only a name is given; null when it is something else. */
export function pairs(value: Yaml | undefined): readonly (readonly [name: string, value: string | null])[] | null {
  if (isMap(value)) {
    const all = [...value].map(([name, each]) => [name, each === null ? null : scalar(each), each] as const);
    return all.every(([, text, each]) => text !== null || each === null) ? all.map(([name, text]) => [name, text]) : null;
  }
  return (
    words(value)?.map((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [line, null] : [line.slice(0, at), line.slice(at + 1)];
    }) ?? null
  );
}

export const isMap = (value: Yaml | undefined): value is YamlMap => value instanceof Map;
export const isList = (value: Yaml | undefined): value is readonly Yaml[] => Array.isArray(value);

/** What stands below a key of a map; undefined when either is not there. */
export const below = (value: Yaml | undefined, key: string): Yaml | undefined => (isMap(value) ? value.get(key) : undefined);

/** `1m30s`, in milliseconds; a number alone is seconds. Null for what is no duration. */
export function durationMs(text: string): number | null {
  if (/^[0-9]+(\.[0-9]+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^([0-9]+(\.[0-9]+)?(us|ms|s|m|h))+$/.test(text)) return null;
  const unitsMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/([0-9.]+)(us|ms|s|m|h)/g)];
  return Math.round(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitsMs[unit ?? ''] ?? 0), 0));
}
