import { ReactorError } from '@reactor/core';
import { freezeDocument, type Place, spotIn } from './document.js';
import type { RawDocument, RawValue } from './ini-reader.js';
import { groupDigits, named, quote, syntaxError } from './mistake.js';

/**
 * From raw lines to plain values: the keys of [DEFAULT] go into every section, `%(name)s` becomes the value of that key
 * of the section, `%%` a percent sign. `%;` and `%#` are ours: they make the two characters that would start a comment
 * writable, and were errors in 2013, so no old text means anything else by them.
 */

/** Ten lines of ten references each are 10^10 characters; nobody means that. */
const VALUE_LENGTH_MAX = 64 * 1024;
/** References behind references; a document of thousands of keys must not be a stack of thousands of calls. */
const DEPTH_MAX = 32;

export interface Flat {
  readonly document: ReturnType<typeof freezeDocument>;
  readonly values: ReadonlyMap<string, ReadonlyMap<string, Place>>;
}

/** `sizeMax` bounds the document in characters, since [DEFAULT] multiplies. Fails with `config_syntax` or `config_too_large`. */
export function flatten(raw: RawDocument, source: string | null, sizeMax: number): Flat {
  const sections = new Map<string, Map<string, string>>();
  const places = new Map<string, Map<string, Place>>();
  let size = 0;
  for (const [section, own] of raw.sections) {
    const scope = new Map([...raw.defaults, ...own]);
    const expansion: Expansion = { scope, source, done: new Map() };
    const values = new Map<string, string>();
    const spots = new Map<string, Place>();
    for (const [key, value] of scope) {
      const text = expand(expansion, key, value, [key]);
      size += section.length + key.length + text.length;
      if (size > sizeMax) {
        const message = `${named(source)}[DEFAULT] and %(…)s expand the config beyond ${groupDigits(sizeMax)} characters`;
        throw new ReactorError('config_too_large', message, { details: { limit: sizeMax } });
      }
      const pieces = value.text.includes('%') ? [] : value.pieces;
      values.set(key, text);
      spots.set(key, { line: value.line, column: value.column, pieces, inherited: !own.has(key) });
    }
    sections.set(section, values);
    places.set(section, spots);
  }
  return { document: freezeDocument(sections), values: places };
}

interface Expansion {
  readonly scope: ReadonlyMap<string, RawValue>;
  readonly source: string | null;
  readonly done: Map<string, string>;
}

function expand(expansion: Expansion, key: string, value: RawValue, chain: readonly string[]): string {
  const known = expansion.done.get(key);
  if (known !== undefined) return known;
  const fail = (offset: number, message: string): never => {
    throw syntaxError(expansion.source, spotIn({ ...value, inherited: false }, offset + 1) ?? value, message);
  };
  let text = '';
  let from = 0;
  for (let at = value.text.indexOf('%'); at >= 0; at = value.text.indexOf('%', from)) {
    text += value.text.slice(from, at);
    const next = value.text[at + 1];
    if (next === '%' || next === ';' || next === '#') {
      text += next;
      from = at + 2;
      continue;
    }
    const name = /^%\(([^)\n]+)\)s/.exec(value.text.slice(at, at + 1024))?.[1];
    if (name === undefined) return fail(at, "'%' must be written '%%'");
    text += reference(expansion, name.toLowerCase(), chain, (message) => fail(at, message));
    from = at + name.length + '%()s'.length;
    if (text.length > VALUE_LENGTH_MAX) return fail(at, 'expands beyond 64 KiB');
  }
  text += value.text.slice(from);
  expansion.done.set(key, text);
  return text;
}

function reference(expansion: Expansion, name: string, chain: readonly string[], fail: (message: string) => never): string {
  if (chain.includes(name)) {
    return fail(`interpolation cycle ${[...chain.slice(chain.indexOf(name)), name].join(' → ')}`);
  }
  const value = expansion.scope.get(name);
  if (value === undefined) return fail(`%(${name})s: there is no key ${quote(name)} in this section or [DEFAULT]`);
  if (chain.length === DEPTH_MAX) return fail(`references deeper than ${DEPTH_MAX}`);
  return expand(expansion, name, value, [...chain, name]);
}
