import { didYouMean, escapeItem, SCHEMA } from '@reactor/config';
import type { Draft } from './draft.js';
import { isList, isMap, scalar, words } from './value.js';
import type { Yaml } from './yaml-text.js';

/**
 * `x-reactor` of a service: any key of an endpoint, over what the import makes of the rest. By section, as in a
 * configuration, or alone where the key has one section only.
 */
const KEYS = SCHEMA.filter(({ scope }) => scope === 'endpoint');
const SECTIONS = new Set(KEYS.map(({ section }) => section));

export function readOwnKeys(value: Yaml, draft: Draft): void {
  if (!isMap(value)) {
    draft.mistake('x-reactor', 'expected a map');
    return;
  }
  for (const [name, part] of value) {
    if (isMap(part)) readSection(name, part, draft);
    else readAlone(name, part, draft);
  }
}

function readSection(section: string, keys: ReadonlyMap<string, Yaml>, draft: Draft): void {
  if (!SECTIONS.has(section)) {
    const hint = didYouMean(section, SECTIONS) || `; expected ${[...SECTIONS].join(', ')}`;
    draft.mistake('x-reactor', `unknown section '${section.slice(0, 80)}'${hint}`);
    return;
  }
  for (const [key, value] of keys) set(section, key, value, draft);
}

function readAlone(key: string, value: Yaml, draft: Draft): void {
  const sections = KEYS.filter((each) => each.key === key.toLowerCase()).map(({ section }) => section);
  if (sections.length === 1) {
    set(sections[0]!, key, value, draft);
    return;
  }
  const names = KEYS.map((each) => each.key);
  const why =
    sections.length === 0
      ? `unknown key '${key.slice(0, 80)}'${didYouMean(key, names)}`
      : `${key} stands in several sections; put it below ${sections.join(' or ')}`;
  draft.mistake('x-reactor', why);
}

function set(section: string, key: string, value: Yaml, draft: Draft): void {
  const escapes = section === 'cloud:docker' && key.toLowerCase() === 'environment';
  const text = isList(value)
    ? (words(value)
        ?.map((item) => (escapes ? escapeItem(item) : item))
        .join(', ') ?? null)
    : (scalar(value) ?? (value === null ? '' : null));
  if (text === null) draft.mistake(`x-reactor.${section}.${key}`, 'expected a value or a list of values');
  else draft.set(section, key, text);
}
