import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { LIMITS } from './limits.js';

/** Every verb is one Lua file in `lua/`, run after `moment.lua`, which all of them begin with. */
export const VERBS = [
  'open',
  'read',
  'commit',
  'changes',
  'lease',
  'keep',
  'release',
  'append',
  'tail',
  'publish',
  'latest',
  'settle',
  'follow',
  'offer',
  'stage',
  'restore',
] as const;

export type Verb = (typeof VERBS)[number];

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Next to `src` and `dist` in the package; beside the program where it is bundled. */
function scriptsDirectory(): URL {
  const bundled = new URL('./lua/', import.meta.url);
  return existsSync(bundled) ? bundled : new URL('../lua/', import.meta.url);
}

/** @param directory where the Lua files are. */
export function loadScripts(directory: URL = scriptsDirectory()): Readonly<Record<Verb, Script>> {
  const moment = readFileSync(new URL('moment.lua', directory), 'utf8')
    .replaceAll('@changesKeptBytes@', String(LIMITS.changesKeptBytes))
    .replaceAll('@changesKept@', String(LIMITS.changesKept));
  const scripts = VERBS.map((verb) => {
    const text = `${moment}\n${readFileSync(new URL(`${verb}.lua`, directory), 'utf8')}`;
    return [verb, { text, sha: createHash('sha1').update(text).digest('hex') }] as const;
  });
  return Object.fromEntries(scripts) as Record<Verb, Script>;
}
