import type { ConfigDocument } from '@reactor/core';
import { keyFault, sectionFault } from './document.js';
import { syntaxError } from './mistake.js';
import { SCHEMA, SECTIONS } from './schema.js';

/**
 * INI text that `readDocument` reads back to the same document: sections and keys in the order of the schema, unknown
 * ones behind them by name. Fails with `config_syntax` on a name that INI cannot hold, which no reader lets in.
 */
export function writeIni(document: ConfigDocument): string {
  const sections = inOrder(Object.keys(document), SECTIONS).map((section) => {
    const fault = sectionFault(section);
    if (fault !== null) throw syntaxError(null, null, fault);
    const values = document[section]!;
    const known = SCHEMA.filter((each) => each.section === section).map(({ key }) => key);
    const lines = inOrder(Object.keys(values), known).map((key) => writeKey(key, values[key]!));
    return `[${section}]\n${lines.join('')}`;
  });
  return sections.join('\n');
}

function writeKey(key: string, value: string): string {
  const fault = key === key.toLowerCase() ? keyFault(key) : `key ${key} is not in lower case`;
  if (fault !== null) throw syntaxError(null, null, fault);
  return `${key}${value === '' ? ' =' : ` = ${escapeValue(value)}`}\n`;
}

/** `%` doubles; a `;` or `#` that would start a comment is escaped; further lines are indented. */
function escapeValue(value: string): string {
  const escaped = value
    .replaceAll('%', '%%')
    .replace(/(^|[ \t\n]);/g, '$1%;')
    .replace(/(^|\n)#/g, '$1%#');
  return escaped.replaceAll('\n', '\n    ');
}

function inOrder(names: readonly string[], known: readonly string[]): readonly string[] {
  const unknown = names.filter((name) => !known.includes(name)).sort();
  return [...known.filter((name, index) => names.includes(name) && known.indexOf(name) === index), ...unknown];
}
