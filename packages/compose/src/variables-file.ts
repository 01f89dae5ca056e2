import { fault, type Parsed, parsed } from '@reactor/core';
import { interpolate, type Variables } from './interpolation.js';

/**
 * `.env` and `env_file`: a variable a line, `#` comments, `export` allowed; in single quotes a value is as it stands, in
 * double quotes and without quotes `$` is replaced. A name alone takes the value of whoever imports.
 */

/** As long as a Compose file may be, for it is part of one. */
export const VARIABLES_SIZE_MAX = 1024 * 1024;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };

/** The column of a fault is its line. */
export function readVariables(text: string, variables: Variables): Parsed<ReadonlyMap<string, string | null>> {
  if (text.length > VARIABLES_SIZE_MAX) return fault(1, `more than ${VARIABLES_SIZE_MAX} characters`);
  const found = new Map<string, string | null>();
  const known: Variables = { ...variables, get: (name) => variables.get(name) ?? found.get(name) ?? undefined };
  let line = 0;
  for (const raw of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    line++;
    const entry = raw.trim().replace(/^export\s+/, '');
    if (entry === '' || entry.startsWith('#')) continue;
    const [, name, equals, rest = ''] = /^([A-Za-z_][A-Za-z0-9_.-]*)\s*(=|$)\s*(.*)$/.exec(entry) ?? [];
    // The value may be a secret: it is not repeated.
    if (name === undefined) return fault(line, 'expected NAME=value');
    if (equals === '') {
      found.set(name, null);
      continue;
    }
    const value = readValue(rest, known);
    if (!value.ok) return fault(line, `${name}: ${value.fault.message}`);
    found.set(name, value.value);
  }
  return parsed(found);
}

function readValue(text: string, variables: Variables): Parsed<string> {
  if (text.startsWith("'")) {
    const [, quoted] = /^'([^']*)'\s*(?:#.*)?$/.exec(text) ?? [];
    return quoted === undefined ? fault(1, 'unbalanced quote') : parsed(quoted);
  }
  if (text.startsWith('"')) {
    const [, quoted] = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(text) ?? [];
    if (quoted === undefined) return fault(1, 'unbalanced quote');
    // An escaped dollar sign must not begin a reference.
    const plain = quoted.replaceAll('\\$', '$$$$').replace(/\\(.)/g, (all, escaped: string) => ESCAPES[escaped] ?? all);
    return interpolate(plain, variables);
  }
  return interpolate(text.replace(/(^|\s)#.*$/, '').trimEnd(), variables);
}
