import { escapeItem } from '@reactor/config';
import type { Draft } from './draft.js';
import { shellWords } from './shell-words.js';
import { isList, scalar, words } from './value.js';
import { mountOf, type Volumes } from './volume.js';
import type { Yaml } from './yaml-text.js';

/** Keys of a service that become keys of `[cloud:docker]`, most of them one to one. */

const DOCKER = 'cloud:docker';

export function readContainerKey(key: string, value: Yaml, draft: Draft, volumes: Volumes): boolean {
  switch (key) {
    case 'image':
    case 'user':
    case 'hostname':
    case 'pids_limit':
    case 'mem_limit':
    case 'mem_reservation':
      copy(key, value, draft);
      return true;
    case 'cpus':
      copyCores(key, value, draft);
      return true;
    case 'command':
    case 'entrypoint':
      copyWords(key, value, draft);
      return true;
    case 'dns':
      copyList(key, words(value), draft);
      return true;
    case 'volumes':
      copyList(key, mounts(value, draft, volumes), draft);
      return true;
    case 'network_mode':
      readNetworkMode(scalar(value) ?? '', draft);
      return true;
    default:
      return false;
  }
}

export function copy(key: string, value: Yaml | undefined, draft: Draft, as: string = key): void {
  const text = scalar(value);
  if (text === null) draft.mistake(key, 'expected a word or a number');
  // Compose spells no limit -1, here it is 0.
  else draft.set(DOCKER, as, text === '-1' ? '0' : text);
}

/** `0.50`, `.5` and `2` alike. */
export function copyCores(key: string, value: Yaml | undefined, draft: Draft): void {
  const text = scalar(value) ?? '';
  if (!/^([0-9]+\.?[0-9]*|\.[0-9]+)$/.test(text)) draft.mistake(key, `'${text.slice(0, 80)}' is not a number of processors`);
  else draft.set(DOCKER, 'cpus', String(Number(text)));
}

/** A text is split as a shell would, a list is taken word by word. */
function copyWords(key: string, value: Yaml, draft: Draft): void {
  const all = words(value);
  if (value === null || value === '') return;
  if (all === null) draft.mistake(key, 'expected a text or a list of words');
  else if (all.length === 0) draft.note(key, "an empty list does not take the image's own away; give a command");
  else {
    const text = isList(value) ? shellWords(all) : all[0]!;
    if (/\n[ \t]|\n\s*\n/.test(text)) draft.note(key, 'line breaks stay, but not indentation and empty lines');
    draft.set(DOCKER, key, text);
  }
}

function copyList(key: string, items: readonly string[] | null, draft: Draft): void {
  if (items === null) draft.mistake(key, 'expected a list');
  else if (items.some((item) => item.includes(','))) draft.mistake(key, 'a comma cannot be kept in the items of this list');
  else if (items.length > 0) draft.set(DOCKER, key, items.join(', '));
}

function mounts(value: Yaml, draft: Draft, volumes: Volumes): readonly string[] | null {
  if (!isList(value)) return null;
  return value.flatMap((entry) => mountOf(entry, draft, volumes) ?? []);
}

function readNetworkMode(mode: string, draft: Draft): void {
  if (mode === 'host' || mode === 'none' || mode.startsWith('container:')) draft.set(DOCKER, 'network', mode);
  else if (mode !== 'bridge' && mode !== '') draft.note('network_mode', `'${mode.slice(0, 80)}': the engine's bridge is used`);
}

/** The variables of a service: those of its files, its own laid over them. Values may be secrets, so none is repeated. */
export function setEnvironment(all: ReadonlyMap<string, string>, draft: Draft): void {
  const items: string[] = [];
  for (const [name, value] of all) {
    if (/[\r\n]/.test(value)) draft.mistake('environment', `${name}: a line break cannot be kept in a variable; mount a file`);
    else if (value !== value.trim()) draft.note('environment', `${name}: blanks around the value are not kept`);
    items.push(escapeItem(`${name}=${value}`));
  }
  if (items.length > 0) draft.set(DOCKER, 'environment', items.join(', '));
}
