import {
  type At,
  type Cluster,
  type Commit,
  type ConfigDocument,
  type EndpointConfig,
  type EndpointRecord,
  type Json,
  KEYS,
  ReactorError,
  shownName,
} from '@reactor/core';
import type { ApiContext } from './context.js';
import { type Place, placeOf } from './endpoint-place.js';
import { checkOthers } from './endpoint-sources.js';
import { checkIfMatch, type IfMatch } from './if-match.js';
import { refuseUnreadable } from './names.js';
import { quoted } from './offending-value.js';
import { type StoredSettings, settingsRecord } from './settings.js';

/**
 * The one way an endpoint is changed: a commit that expects what was read, so:
 *  1. a refused change changes nothing, and no change is lost to another one;
 *  2. If-Match is judged against the very revision that the commit expects;
 *  3. whoever lost a race is told (409), except where repeating the change gives what was asked for (one key, the state,
 *     a removal): those are tried again on what is there now.
 */

export interface Written {
  readonly revision: number;
  readonly warnings: readonly string[];
  /** The name its record is stored under, which its log has, too. */
  readonly stored: string;
}

/** As many as programs that change one endpoint at the same moment; each attempt that fails means another one's success. */
const ATTEMPTS = 20;
/** All endpoints share the guard of URLs: whoever sets up a cluster from a script loses it to each of the others once. */
const GUARD_ATTEMPTS = 1_000;

/** Endpoints of one URL that a warning names. */
const SHOWN = 8;

export interface Change {
  readonly name: string;
  readonly ifMatch: IfMatch;
  /** Whether the change still means the same when it is applied to a newer record. */
  readonly merges: boolean;
  /** What to store, or an error. A removed endpoint is shown as null; `stored` is the name its record is stored under. */
  readonly next: (current: EndpointRecord | null, cluster: Cluster, stored: string) => Next;
}

export interface Next {
  /** The current one itself when there is nothing to change. */
  readonly record: EndpointRecord;
  /** Null where the configuration stays: one stored by a version with other rules can still be stopped and removed. */
  readonly draft: Draft | null;
  /** What else is expected and written at the same moment. With it the record is written although it stays as it is. */
  readonly also?: Commit;
}

/** A new configuration that was found valid. */
export interface Draft {
  readonly document: ConfigDocument;
  readonly config: EndpointConfig;
  readonly warnings: readonly string[];
}

export async function commitEndpoint(context: ApiContext, change: Change): Promise<Written> {
  for (let attempt = 0, lostGuards = 0; attempt < ATTEMPTS && lostGuards < GUARD_ATTEMPTS; ) {
    const moment = await context.moment();
    refuseUnreadable(moment.cluster, change.name);
    const place = placeOf(moment.cluster, change.name, context.newId);
    const { stored, record: before, live } = place;
    // What is not there is told as such (404) to whoever wanted to change it; whoever makes it asked for one that is.
    if (live !== null) checkIfMatch(change.ifMatch, live.revision, `endpoint ${quoted(change.name)}`);
    const next = change.next(live?.value ?? null, moment.cluster, stored);
    if (live === null) checkIfMatch(change.ifMatch, null, `endpoint ${quoted(change.name)}`);
    const { record, draft } = next;
    const named = draft === null ? [] : checkOthers(stored, draft.config, moment.cluster);
    // Asked for when it is done: of a hundred at the same moment each tries a hundred times.
    const warnings = (): readonly string[] =>
      draft === null ? [] : [...draft.warnings, ...named, ...sharing(context, stored, draft.config, moment.cluster)];
    if (before !== null && record === before.value && next.also === undefined) {
      return { revision: before.revision, warnings: warnings(), stored };
    }
    const claims = draft !== null && context.claims.check(stored, draft.config, live?.value ?? null, moment.cluster);
    const commit = commitOf(place, next);
    const result = await context.store.commit(claims ? guarded(commit, moment.settings) : commit);
    if (result.kind === 'committed') return { revision: result.revision, warnings: warnings(), stored };
    // Losing the race for the guard of URLs is nobody's doing; losing the record means that somebody else changed it.
    if (result.key === KEYS.settings) lostGuards++;
    else if (change.merges) attempt++;
    else throw lostRace(change.name, before);
  }
  throw new ReactorError('conflict', `endpoint ${quoted(change.name)} is being changed by others; try again`);
}

/** Meant by whoever splits traffic between versions; a surprise to whoever forgot the other one. */
function sharing(context: ApiContext, stored: string, config: EndpointConfig, cluster: Cluster): readonly string[] {
  const others = context.claims.sharers(stored, config, cluster).map((other) => shownName(cluster, other));
  if (others.length === 0) return [];
  const shown =
    others.length > SHOWN ? `${others.slice(0, SHOWN).join(', ')} and ${others.length - SHOWN} more` : others.join(', ');
  return [`endpoint.url: served by ${shown}, too: requests are split between the instances of all, by weight`];
}

function commitOf({ stored, record: before, live, expect, naming }: Place, { record, also }: Next): Commit {
  const key = KEYS.endpoint(stored);
  return {
    expect: [...expect, { key, revision: before?.revision ?? 0 }, ...(also?.expect ?? [])],
    write: [{ key, value: record as unknown as Json }, ...(live === null ? naming : []), ...(also?.write ?? [])],
  };
}

/** Makes the commit fail if any endpoint was given a URL since the moment that was judged. */
function guarded(commit: Commit, { settings, revision }: StoredSettings): Commit {
  return {
    expect: [...commit.expect, { key: KEYS.settings, revision }],
    write: [...commit.write, { key: KEYS.settings, value: settingsRecord({ ...settings, urlChanges: settings.urlChanges + 1 }) }],
  };
}

function lostRace(name: string, stored: At<EndpointRecord> | null): ReactorError {
  if (stored === null) return alreadyThere(name);
  return new ReactorError('conflict', `endpoint ${quoted(name)} was changed by somebody else meanwhile; read it again`);
}

export function alreadyThere(name: string): ReactorError {
  return new ReactorError('exists', `endpoint ${quoted(name)} is already there`, { details: { endpoint: name } });
}
