import { ReactorError } from '@reactor/core';
import { LineCounter, parseDocument } from 'yaml';

/** YAML as far as a Compose file may go: one document, names as keys, anchors and merge keys, all of it bounded. */

/** Maps are `Map`s: a key such as `__proto__` is then a key like any other. */
export type Yaml = null | boolean | number | string | readonly Yaml[] | YamlMap;
export type YamlMap = ReadonlyMap<string, Yaml>;

/** The longest Compose files in the wild have some thousand lines. */
export const COMPOSE_SIZE_MAX = 1024 * 1024;
/** Copies that aliases may make in all; ten lines of ten aliases of each other would be 10^10. */
const ALIASES_MAX = 1_000;
/** A level of a Compose file means something; the deepest has about ten. */
const DEPTH_MAX = 32;

/** Fails with `config_syntax` or `config_too_large`; `source` names the file in messages. */
export function readYaml(text: string, source: string): Yaml {
  if (Buffer.byteLength(text) > COMPOSE_SIZE_MAX) {
    throw new ReactorError('config_too_large', `${source}: more than ${COMPOSE_SIZE_MAX} bytes`);
  }
  refuseDepth(text, source);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { merge: true, stringKeys: true, prettyErrors: false, logLevel: 'error', lineCounter });
  const [mistake] = document.errors;
  if (mistake !== undefined) {
    const { line, col } = lineCounter.linePos(mistake.pos[0]);
    throw syntaxFault(`${source}: line ${line}, column ${col}: ${firstLine(mistake.message)}`, mistake);
  }
  try {
    const value: Yaml = document.toJS({ mapAsMap: true, maxAliasCount: ALIASES_MAX });
    checkDepth(value, 0, source);
    return value;
  } catch (cause) {
    if (cause instanceof ReactorError) throw cause;
    // The library counts what aliases expand to and gives up by itself; so does a merge of what is no map.
    throw syntaxFault(`${source}: ${firstLine(cause instanceof Error ? cause.message : String(cause))}`, cause);
  }
}

/** The library descends by calls, so what is nested too deep must be refused before it: by brackets, and by indentation. */
function refuseDepth(text: string, source: string): void {
  let brackets = 0;
  for (const character of text) {
    if (character === '[' || character === '{') brackets++;
    else if (character === ']' || character === '}') brackets = Math.max(0, brackets - 1);
    // Strings may hold brackets, hence so many more than are allowed in the end.
    if (brackets > DEPTH_MAX * DEPTH_MAX) throw tooDeep(source);
  }
  if (/^(?:[-?] ?){33}/m.test(text) || /^ {1025}/m.test(text)) throw tooDeep(source);
}

function checkDepth(value: Yaml, depth: number, source: string): void {
  if (depth > DEPTH_MAX) throw tooDeep(source);
  if (value instanceof Map) for (const part of value.values()) checkDepth(part, depth + 1, source);
  else if (Array.isArray(value)) for (const part of value) checkDepth(part, depth + 1, source);
}

const tooDeep = (source: string): ReactorError => syntaxFault(`${source}: nesting deeper than ${DEPTH_MAX}`, undefined);

const syntaxFault = (message: string, cause: unknown): ReactorError => new ReactorError('config_syntax', message, { cause });

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
