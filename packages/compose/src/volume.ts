import { posix } from 'node:path';
import type { Draft } from './draft.js';
import { below, isMap, scalar } from './value.js';
import type { Yaml } from './yaml-text.js';

export interface Volumes {
  /** Where the file lies: what `./data` means. */
  readonly directory: string;
  /** What `~` means; null when that is not known. */
  readonly home: string | null;
  /** Named in the file, with the name each has for Docker. */
  readonly named: ReadonlyMap<string, string>;
}

/** A mount as `SOURCE:/TARGET[:MODE]`; null when it is left out, which was said then. */
export function mountOf(entry: Yaml, draft: Draft, volumes: Volumes): string | null {
  if (!isMap(entry)) return shortMount(scalar(entry) ?? '', draft, volumes);
  const type = scalar(below(entry, 'type')) ?? 'volume';
  const source = scalar(below(entry, 'source')) ?? '';
  const target = scalar(below(entry, 'target')) ?? '';
  if (type !== 'bind' && type !== 'volume') {
    draft.note('volumes', `${target}: a mount of type ${type} is not supported; mount a volume or a directory of the host`);
    return null;
  }
  const mode = scalar(below(entry, 'read_only')) === 'true' ? 'ro' : '';
  // A path without a leading sign is still a path where the type says so.
  const path = type === 'bind' && !/^[/.~]/.test(source) ? `./${source}` : source;
  return mount(path, target, mode, draft, volumes);
}

function shortMount(text: string, draft: Draft, volumes: Volumes): string | null {
  const [source = '', target, mode = '', ...rest] = text.split(':');
  if (rest.length > 0 || text === '') {
    draft.mistake('volumes', `'${text.slice(0, 80)}': expected SOURCE:/TARGET[:MODE]`);
    return null;
  }
  return target === undefined ? mount('', source, '', draft, volumes) : mount(source, target, mode, draft, volumes);
}

function mount(source: string, target: string, mode: string, draft: Draft, volumes: Volumes): string | null {
  if (source === '') {
    draft.note('volumes', `${target}: a volume without a name would be left behind by every instance; give it one`);
    return null;
  }
  const from = /^[/.~]/.test(source) ? path(source, draft, volumes) : volume(source, draft, volumes);
  if (from === null) return null;
  const modes = mode.split(',').filter((each) => each !== '');
  const kept = modes.filter((each) => ['ro', 'rw', 'z', 'Z'].includes(each));
  if (kept.length < modes.length) draft.note('volumes', `${target}: of the modes only ro, rw, z and Z are kept`);
  draft.note('volumes', 'they are local to each host: instances on different hosts do not see the same files');
  return [from, target, ...kept].join(':');
}

function path(source: string, draft: Draft, { directory, home }: Volumes): string | null {
  if (!source.startsWith('~')) return posix.resolve(directory, source);
  if (home !== null && (source === '~' || source.startsWith('~/'))) return posix.join(home, source.slice(1));
  draft.mistake('volumes', `'${source.slice(0, 80)}': whose home that is, is not known; write the path`);
  return null;
}

function volume(source: string, draft: Draft, { named }: Volumes): string | null {
  const name = named.get(source);
  if (name === undefined) draft.mistake('volumes', `'${source.slice(0, 80)}' is not among the volumes of the file`);
  return name ?? null;
}
