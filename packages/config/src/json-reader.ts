import {
  CONTROL,
  escapeControl,
  freezeDocument,
  keyFault,
  normalizeValue,
  type Place,
  type Spot,
  sectionFault,
} from './document.js';
import type { Flat } from './interpolation.js';
import { type JsonNode, spotAt } from './json-text.js';
import { quote, syntaxError } from './mistake.js';

/**
 * `{section: {key: value}}`. Numbers and booleans become their text, null is not set, a list becomes a comma list.
 * No interpolation: JSON values are taken as they are.
 */

export interface JsonDocument extends Flat {
  readonly sections: ReadonlyMap<string, Spot>;
}

/** Fails with `config_syntax`. `text` is the source of `root`. */
export function readJson(root: JsonNode, text: string, source: string | null): JsonDocument {
  const fail = (at: number, message: string): never => {
    throw syntaxError(source, spotAt(text, at), message);
  };
  if (root.kind !== 'object') return fail(root.at, 'expected an object');
  const sections = new Map<string, Map<string, string>>();
  const places = new Map<string, Map<string, Place>>();
  const spots = new Map<string, Spot>();
  const spotOf = spotter(text);
  for (const [section, node] of root.entries) {
    const fault = sectionFault(section);
    if (fault !== null) return fail(node.at, fault);
    if (node.kind !== 'object') return fail(node.at, `${section}: expected an object of keys and values`);
    const values = new Map<string, string>();
    const valuePlaces = new Map<string, Place>();
    for (const [written, value] of node.entries) {
      const key = written.trim().toLowerCase();
      const refusal = keyFault(key) ?? (values.has(key) ? `duplicate key ${section}.${key}` : null);
      if (refusal !== null) return fail(value.at, refusal);
      if (value.kind === 'word' && value.text === 'null') continue;
      const content = valueText(value, `${section}.${key}`, fail);
      const control = CONTROL.exec(content);
      if (control !== null) return fail(value.at, `${section}.${key}: control character ${escapeControl(control[0])}`);
      values.set(key, content);
      valuePlaces.set(key, placeOf(value, content, spotOf));
    }
    sections.set(section, values);
    places.set(section, valuePlaces);
    spots.set(section, spotOf(node.at));
  }
  return { document: freezeDocument(sections), values: places, sections: spots };
}

function valueText(node: JsonNode, path: string, fail: (at: number, message: string) => never): string {
  if (node.kind === 'string') return normalizeValue(node.value);
  if (node.kind === 'word') return node.text;
  if (node.kind === 'object') return fail(node.at, `${path}: expected a text, a number, a boolean or a list`);
  const items = node.items.map((item) => {
    if (item.kind !== 'string' && item.kind !== 'word') return fail(item.at, `${path}: a list holds texts and numbers only`);
    const text = item.kind === 'string' ? item.value : item.text;
    return text.includes(',') ? fail(item.at, `${path}: ${quote(text)} holds a comma, which separates list items`) : text;
  });
  return normalizeValue(items.join(','));
}

function placeOf(node: JsonNode, content: string, spotOf: (offset: number) => Spot): Place {
  const quoted = node.kind === 'string' ? 1 : 0;
  const spot = spotOf(node.at);
  const start = { line: spot.line, column: spot.column + quoted };
  const same = node.kind === 'word' || (node.kind === 'string' && !node.escaped && node.value === content);
  return { ...start, pieces: same ? [{ ...start, offset: 0 }] : [], inherited: false };
}

/** Places of offsets that only grow, without counting the lines before each again. */
function spotter(text: string): (offset: number) => Spot {
  let line = 1;
  let lineStart = 0;
  return (offset) => {
    for (let next = text.indexOf('\n', lineStart); next >= 0 && next < offset; next = text.indexOf('\n', lineStart)) {
      line++;
      lineStart = next + 1;
    }
    // A section's own place is asked for after those of its keys.
    return lineStart > offset ? spotAt(text, offset) : { line, column: offset - lineStart + 1 };
  };
}
