import { resolve } from 'node:path';
import type { Draft } from './draft.js';
import { isList, isMap, pairs, scalar } from './value.js';
import { readVariables } from './variables-file.js';
import type { Yaml, YamlMap } from './yaml-text.js';

/** What is needed to find and read the files of variables. */
interface Files {
  readonly directory: string;
  readonly variables: ReadonlyMap<string, string>;
  readonly readFile: (path: string) => string | null;
}

/** Those of `env_file`, later files over earlier ones, then those of `environment`. A name alone takes the importer's own value. */
export function environmentOf(service: YamlMap, files: Files, draft: Draft): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  const put = (name: string, value: string | null): void => {
    const known = value ?? files.variables.get(name);
    if (known !== undefined) all.set(name, known);
    // As in Compose: a variable that nobody has given a value is not in the container.
    else draft.note('environment', `${name} has no value here and is left out`);
  };
  for (const { path, required } of filesOf(service.get('env_file'), draft)) {
    for (const [name, value] of readFile(path, required, files, draft)) put(name, value);
  }
  const own = service.get('environment') ?? null;
  const given = own === null ? [] : pairs(own);
  if (given === null) draft.mistake('environment', 'expected KEY=value lines, or a map of words and numbers');
  for (const [name, value] of given ?? []) put(name, value);
  return all;
}

function filesOf(value: Yaml | undefined, draft: Draft): readonly { readonly path: string; readonly required: boolean }[] {
  if (value === undefined || value === null) return [];
  return (isList(value) ? value : [value]).flatMap((entry) => {
    const path = scalar(isMap(entry) ? entry.get('path') : entry);
    if (path === null) draft.mistake('env_file', 'expected the path of a file');
    return path === null ? [] : [{ path, required: !isMap(entry) || scalar(entry.get('required')) !== 'false' }];
  });
}

function readFile(path: string, required: boolean, files: Files, draft: Draft): ReadonlyMap<string, string | null> {
  const none = new Map<string, string | null>();
  const text = files.readFile(resolve(files.directory, path));
  if (text === null) {
    if (required) draft.mistake('env_file', `'${path}' cannot be read`);
    return none;
  }
  const read = readVariables(text, { get: (name) => files.variables.get(name), missing: () => undefined });
  if (read.ok) return read.value;
  draft.mistake('env_file', `${path}, line ${read.fault.column}: ${read.fault.message}`);
  return none;
}
