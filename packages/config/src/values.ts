import { type ConfigDocument, type ErrorDetails, ReactorError } from '@reactor/core';
import { getValue, type Places, type Spot, spotIn, type Warning } from './document.js';
import { named, quote } from './mistake.js';
import { keysBySection } from './schema.js';
import type { SchemaKey, Scope } from './schema-key.js';
import { didYouMean } from './suggestion.js';

/**
 * The values of one document while it is resolved. All mistakes are collected, so that the one told is the first in the
 * file and not the first that was looked at; after a mistake the default stands in, to be able to look on.
 */
export interface Values {
  /** The key's value, else its default. */
  read<T>(key: SchemaKey<T>): T;
  /** `at`, another key to point to when this one is not written. */
  mistake(key: SchemaKey, message: string, at?: SchemaKey): void;
  warn(key: SchemaKey, message: string, at?: SchemaKey): void;
  /** Throws `config_invalid` for the first mistake, if there was one. */
  check(): void;
  readonly warnings: readonly Warning[];
}

/** A value from outside the document that wins over it. */
export interface Override {
  readonly variable: string;
  readonly text: string;
}

interface Mistake {
  readonly message: string;
  readonly details: ErrorDetails;
  readonly spot: Spot | null;
}

export function openValues(
  scope: Scope,
  document: ConfigDocument,
  places: Places,
  overrides: ReadonlyMap<SchemaKey, Override> = new Map(),
): Values {
  const warnings: Warning[] = [...unknownNames(scope, document, places)];
  const mistakes: Mistake[] = [];
  const placeOf = (key: SchemaKey) => places.values.get(key.section)?.get(key.key);

  const mistake = (key: SchemaKey, message: string, spot: Spot | null): void => {
    const place = { line: spot?.line ?? null, column: spot?.column ?? null };
    mistakes.push({
      message: `${named(places.source)}${pathOf(key)}${whereOf(spot)}: ${message}`,
      details: { section: key.section, key: key.key, ...place },
      spot,
    });
  };

  const readWritten = <T>(key: SchemaKey<T>): T => {
    const written = getValue(document, key.section, key.key);
    if (written === null) return defaultOf(key);
    const place = placeOf(key);
    const lineBreak = key.type.lines ? -1 : written.indexOf('\n');
    const value = key.type.parse(written);
    if (value.ok && lineBreak < 0) return value.value;
    const fault = lineBreak >= 0 || value.ok ? { column: lineBreak + 2, message: 'line break not allowed' } : value.fault;
    const spot = place === undefined ? null : spotIn(place, fault.column);
    const column = spot === null && fault.column > 1 ? ` at column ${fault.column}` : '';
    mistake(key, `${fault.message}${column}`, spot ?? place ?? null);
    return defaultOf(key);
  };

  return {
    warnings,
    read: <T>(key: SchemaKey<T>): T => {
      const written = readWritten(key);
      const override = overrides.get(key);
      if (override === undefined) return written;
      const value = key.type.parse(override.text);
      if (value.ok) return value.value;
      const details = { variable: override.variable };
      mistakes.push({ message: `${override.variable}: ${value.fault.message}`, details, spot: null });
      return written;
    },
    mistake: (key, message, at = key) => mistake(key, message, placeOf(key) ?? placeOf(at) ?? null),
    warn: (key, message, at = key) => {
      warnings.push(warning(places, key.section, key.key, message, placeOf(key) ?? placeOf(at) ?? null));
    },
    check: () => {
      const last = Number.POSITIVE_INFINITY;
      const lineOf = ({ spot }: Mistake): number => spot?.line ?? last;
      const columnOf = ({ spot }: Mistake): number => spot?.column ?? last;
      const first = mistakes.toSorted((a, b) => compare(lineOf(a), lineOf(b)) || compare(columnOf(a), columnOf(b)))[0];
      if (first !== undefined) throw new ReactorError('config_invalid', first.message, { details: first.details });
    },
  };
}

/** Not a difference: two missing places would be infinity less infinity. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

/** `host.dns`; the part of a section's name before its colon says nothing that the key does not. */
const pathOf = (key: SchemaKey): string => `${key.section}.${key.key}`;
const whereOf = (spot: Spot | null): string => (spot === null ? '' : ` (line ${spot.line}, column ${spot.column})`);

function defaultOf<T>(key: SchemaKey<T>): T {
  const value = key.type.parse(key.default);
  if (!value.ok) throw new TypeError(`the default of ${pathOf(key)} is not valid: ${value.fault.message}`);
  return value.value;
}

function warning(places: Places, section: string, key: string | null, message: string, spot: Spot | null): Warning {
  const name = key === null ? section : `${section}.${key}`;
  const line = spot?.line ?? null;
  const told = `${named(places.source)}${quote(name).slice(1, -1)}${whereOf(spot)}: ${message}`;
  return { message: told, text: message, section, key, line, column: spot?.column ?? null };
}

/** More are no slips of a hand, and looking for what each was meant to be would take seconds. */
const UNKNOWN_TOLD_MAX = 100;

/** Unknown names are kept, as they may be a newer version's; but most are misspelt, and nothing else would say so. */
function unknownNames(scope: Scope, document: ConfigDocument, places: Places): readonly Warning[] {
  const known = keysBySection(scope);
  const unknown: (() => Warning)[] = [];
  for (const [section, values] of Object.entries(document)) {
    const keys = known.get(section)?.map(({ key }) => key);
    if (keys === undefined) {
      const message = () => `unknown section ${quote(section)}${didYouMean(section, known.keys())}`;
      unknown.push(() => warning(places, section, null, message(), places.sections.get(section) ?? null));
      continue;
    }
    for (const key of Object.keys(values).filter((each) => !keys.includes(each))) {
      const place = places.values.get(section)?.get(key) ?? null;
      // A key of [DEFAULT] is in every section, of which it fits one or none.
      if (place?.inherited) continue;
      const spot = place === null ? null : { line: place.line, column: place.column };
      unknown.push(() => warning(places, section, key, `unknown key ${quote(key)}${didYouMean(key, keys)}`, spot));
    }
  }
  const told = unknown.slice(0, UNKNOWN_TOLD_MAX).map((tell) => tell());
  const rest = unknown.length - told.length;
  const text = `${rest} more unknown names`;
  const message = `${named(places.source)}${text}`;
  return rest === 0 ? told : [...told, { message, text, section: null, key: null, line: null, column: null }];
}
