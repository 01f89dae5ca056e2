import { type Cluster, readCluster } from './cluster.js';
import type { StateEntry, StateView } from './ports.js';
import { RECORD_KINDS, type RecordKind } from './record-shapes.js';

/**
 * The cluster state is untrusted input: other versions write it, and whoever can reach its Redis. Between it and all that
 * makes something of records stands this check, once for every revision of a record:
 * 1. What cannot be read changes nothing: in its place stands what was last readable there, at that revision, so that no
 *    commit which expects the record goes through.
 * 2. It is never taken for absent. Where nothing readable was seen before, and nothing can be decided without it, the
 *    reader is told to hold still.
 */
export interface Unreadable {
  readonly key: string;
  /** What was expected where. */
  readonly why: string;
  /** Nothing stands in its place, and nothing is to be decided without it. */
  readonly blind: boolean;
}

/** Groups the views of one reader, shown in the order they were read in, with every record checked. */
export function createClusterReader(): (view: StateView) => Cluster {
  /** The last readable entry of every key. */
  let known = new Map<string, StateEntry>();
  let clusterId = '';
  return (view) => {
    // Another state has other records, whatever their revisions.
    if (view.clusterId !== clusterId) known = new Map();
    clusterId = view.clusterId;
    const unreadable: Unreadable[] = [];
    for (const [key, entry] of view.entries) {
      if (known.get(key)?.revision === entry.revision) continue;
      const kind = kindOf(key);
      const why = kind === null ? null : faultOf(kind, key, entry.value);
      if (why === null) known.set(key, entry);
      else unreadable.push({ key, why, blind: kind!.needed && !known.has(key) });
    }
    if (known.size > view.entries.size) for (const key of known.keys()) if (!view.entries.has(key)) known.delete(key);
    if (unreadable.length === 0) return readCluster(view);
    const entries = new Map(view.entries);
    for (const { key } of unreadable) {
      const former = known.get(key);
      if (former === undefined) entries.delete(key);
      else entries.set(key, former);
    }
    return { ...readCluster({ ...view, entries }), unreadable };
  };
}

const KINDS: ReadonlyMap<string, RecordKind> = new Map(RECORD_KINDS.map((kind) => [kind.prefix, kind]));

/** Null for a key of which nothing is made here. */
const kindOf = (key: string): RecordKind | null => KINDS.get(key.slice(0, key.indexOf('/') + 1)) ?? KINDS.get(key) ?? null;

function faultOf({ prefix, check, place }: RecordKind, key: string, value: unknown): string | null {
  const fault = check(value);
  if (fault !== null || place === undefined) return fault;
  const own = place(value as never);
  return own === key.slice(prefix.length) ? null : `it says that it is ${JSON.stringify(own)}`;
}

/** Whether something is there that nothing is to be decided without. */
export const isBlind = ({ unreadable }: Cluster): boolean => unreadable.some(({ blind }) => blind);

/** More are counted, not told. */
const TOLD = 3;

/** In one line, as long as it lasts; null when all is readable. */
export function unreadableWords(cluster: Cluster): string | null {
  const { unreadable } = cluster;
  if (unreadable.length === 0) return null;
  const told = unreadable.slice(0, TOLD).map(({ key, why }) => `${key} (${why})`);
  const more = unreadable.length > TOLD ? ` and ${unreadable.length - TOLD} more` : '';
  const what = isBlind(cluster)
    ? 'nothing is started, stopped or changed until they can be'
    : 'what was last read there stands, and nothing is made of them';
  return `records of the cluster state that cannot be read: ${told.join(', ')}${more}; ${what}`;
}
