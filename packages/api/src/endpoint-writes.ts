import {
  type At,
  type Commit,
  type ConfigDocument,
  describeError,
  type EndpointConfig,
  type EndpointRecord,
  type EndpointState,
  type Hold,
  type Json,
  KEYS,
  ReactorError,
  untilWords,
} from '@reactor/core';
import { type ApiContext, recordEvent } from './context.js';
import { checkSources } from './endpoint-sources.js';
import { noEndpoint } from './names.js';
import { quoted } from './offending-value.js';
import { type StoredSettings, settingsRecord } from './settings.js';

/**
 * Changes of endpoints. Each is one commit that expects what was read, so:
 *  1. a refused change changes nothing, and no change is lost to another one;
 *  2. If-Match is judged against the very revision that the commit expects;
 *  3. whoever lost a race is told (409), except where repeating the change gives what was asked for (one key, the state,
 *     a removal): those are tried again on what is there now.
 */

export interface Written {
  readonly revision: number;
  readonly warnings: readonly string[];
}

/** As many as programs that change one endpoint at the same moment; each attempt that fails means another one's success. */
const ATTEMPTS = 20;
/** All endpoints share the guard of URLs: whoever sets up a cluster from a script loses it to each of the others once. */
const GUARD_ATTEMPTS = 1_000;

interface Change {
  readonly name: string;
  readonly ifMatch: number | null;
  /** Whether the change still means the same when it is applied to a newer record. */
  readonly merges: boolean;
  /** What to store, or an error. A removed endpoint is shown as null. */
  readonly next: (current: EndpointRecord | null) => Next;
}

interface Next {
  /** The current one itself when there is nothing to change. */
  readonly record: EndpointRecord;
  /** Null where the configuration stays: one stored by a version with other rules can still be stopped and removed. */
  readonly draft: Draft | null;
}

/** A new configuration that was found valid. */
export interface Draft {
  readonly document: ConfigDocument;
  readonly config: EndpointConfig;
  readonly warnings: readonly string[];
}

export async function createEndpoint(context: ApiContext, name: string, draft: Draft): Promise<Written> {
  const written = await write(context, {
    name,
    ifMatch: null,
    merges: false,
    next(current) {
      if (current !== null) throw alreadyThere(name);
      const record: EndpointRecord = {
        name,
        uid: context.newId(),
        document: draft.document,
        state: 'PAUSED',
        changedAtMs: context.now(),
      };
      return { record, draft };
    },
  });
  await recordEvent(context, name, 'CONFIG_UPDATED', 'created; PAUSED until it is started');
  await dropOldTombstones(context);
  return written;
}

export interface DocumentChange {
  readonly name: string;
  readonly ifMatch: number | null;
  readonly merges: boolean;
  /** The new configuration from the stored one; throws `config_*` when it is not valid. */
  readonly draft: (stored: ConfigDocument) => Draft;
}

export async function changeDocument(context: ApiContext, change: DocumentChange): Promise<Written> {
  let changed: readonly string[] = [];
  const written = await write(context, {
    ...change,
    next(current) {
      if (current === null) throw noEndpoint(change.name);
      const draft = change.draft(current.document);
      changed = changedKeys(current.document, draft.document);
      const record = changed.length === 0 ? current : { ...current, document: draft.document, changedAtMs: context.now() };
      return { record, draft };
    },
  });
  if (changed.length > 0) {
    await recordEvent(context, change.name, 'CONFIG_UPDATED', `configuration changed: ${listed(changed)}`);
    await dropOldTombstones(context);
  }
  return written;
}

const STATE_EVENTS: Readonly<Record<Exclude<EndpointState, 'REMOVED'>, { readonly event: string; readonly message: string }>> = {
  RUNNING: { event: 'ENDPOINT_STARTED', message: 'started' },
  STOPPED: { event: 'ENDPOINT_STOPPED', message: 'stopped: its instances are drained' },
  PAUSED: { event: 'ENDPOINT_PAUSED', message: 'paused: nothing starts or stops, what runs is served' },
};

export async function setState(
  context: ApiContext,
  name: string,
  state: Exclude<EndpointState, 'REMOVED'>,
  ifMatch: number | null,
): Promise<Written> {
  let moved = false;
  const written = await write(context, {
    name,
    ifMatch,
    merges: true,
    next(current) {
      if (current === null) throw noEndpoint(name);
      moved = current.state !== state;
      return { record: moved ? { ...current, state, changedAtMs: context.now() } : current, draft: null };
    },
  });
  const { event, message } = STATE_EVENTS[state];
  if (moved) await recordEvent(context, name, event, message);
  return written;
}

/** Holds the count until `untilMs`, or hands it back to the rules with null. Kept through stop and start: it is about how many, not whether. */
export async function setHold(context: ApiContext, name: string, hold: Hold | null, ifMatch: number | null): Promise<Written> {
  let moved = false;
  const written = await write(context, {
    name,
    ifMatch,
    merges: true,
    next(current) {
      if (current === null) throw noEndpoint(name);
      const { hold: before, ...rest } = current;
      moved = before?.count !== hold?.count || before?.untilMs !== hold?.untilMs;
      if (!moved) return { record: current, draft: null };
      return { record: { ...rest, ...(hold === null ? {} : { hold }), changedAtMs: context.now() }, draft: null };
    },
  });
  if (!moved) return written;
  if (hold === null) await recordEvent(context, name, 'HOLD_ENDED', 'handed back to its rules by the operator');
  else await recordEvent(context, name, 'HOLD_SET', `held at ${hold.count} by the operator ${untilWords(hold, context.now())}`);
  return written;
}

/** Leaves a tombstone, from which the controller knows that its instances are to be drained. Fine when absent. */
export async function removeEndpoint(context: ApiContext, name: string, ifMatch: number | null): Promise<void> {
  try {
    await write(context, {
      name,
      ifMatch,
      merges: true,
      next(current) {
        if (current === null) throw noEndpoint(name);
        return { record: { ...current, state: 'REMOVED', changedAtMs: context.now() }, draft: null };
      },
    });
    await recordEvent(context, name, 'ENDPOINT_REMOVED', 'removed: its instances are drained');
  } catch (error) {
    if (!(error instanceof ReactorError) || error.code !== 'not_found') throw error;
  }
  await dropOldTombstones(context);
}

// --------------------------------------------------------------------------------------------------------- the one commit

async function write(context: ApiContext, change: Change): Promise<Written> {
  for (let attempt = 0, lostGuards = 0; attempt < ATTEMPTS && lostGuards < GUARD_ATTEMPTS; ) {
    const moment = await context.moment();
    const stored = moment.cluster.endpoints.get(change.name) ?? null;
    const current = stored !== null && stored.value.state !== 'REMOVED' ? stored : null;
    checkRevision(current, change);
    const { record, draft } = change.next(current?.value ?? null);
    const named = draft === null ? [] : checkSources(change.name, draft.config, moment.cluster);
    const warnings = [...(draft?.warnings ?? []), ...named];
    if (stored !== null && record === stored.value) return { revision: stored.revision, warnings };
    const claims = draft !== null && context.claims.check(change.name, draft.config, current?.value ?? null, moment.cluster);
    const key = KEYS.endpoint(change.name);
    const commit: Commit = {
      expect: [{ key, revision: stored?.revision ?? 0 }],
      write: [{ key, value: record as unknown as Json }],
    };
    const result = await context.store.commit(claims ? guarded(commit, moment.settings) : commit);
    if (result.kind === 'committed') return { revision: result.revision, warnings };
    // Losing the race for the guard of URLs is nobody's doing; losing the record means that somebody else changed it.
    if (result.key === KEYS.settings) lostGuards++;
    else if (change.merges) attempt++;
    else throw lostRace(change.name, stored);
  }
  throw new ReactorError('conflict', `endpoint ${quoted(change.name)} is being changed by others; try again`);
}

/** Makes the commit fail if any endpoint was given a URL since the moment that was judged. */
function guarded(commit: Commit, { settings, revision }: StoredSettings): Commit {
  return {
    expect: [...commit.expect, { key: KEYS.settings, revision }],
    write: [...commit.write, { key: KEYS.settings, value: settingsRecord({ ...settings, urlChanges: settings.urlChanges + 1 }) }],
  };
}

function checkRevision(current: At<EndpointRecord> | null, { name, ifMatch }: Change): void {
  if (ifMatch === null || current === null || current.revision === ifMatch) return;
  throw new ReactorError('revision_mismatch', `endpoint ${quoted(name)} is at revision ${current.revision}, not ${ifMatch}`, {
    details: { revision: current.revision },
  });
}

function lostRace(name: string, stored: At<EndpointRecord> | null): ReactorError {
  if (stored === null) return alreadyThere(name);
  return new ReactorError('conflict', `endpoint ${quoted(name)} was changed by somebody else meanwhile; read it again`);
}

function alreadyThere(name: string): ReactorError {
  return new ReactorError('exists', `endpoint ${quoted(name)} is already there`, { details: { endpoint: name } });
}

/** Named, never shown: values may be secrets. */
function changedKeys(before: ConfigDocument, after: ConfigDocument): readonly string[] {
  const flat = (document: ConfigDocument): Map<string, string> =>
    new Map(
      Object.entries(document).flatMap(([section, values]) =>
        Object.entries(values).map(([key, value]) => [`${section}.${key}`, value]),
      ),
    );
  const [old, fresh] = [flat(before), flat(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])].filter((key) => old.get(key) !== fresh.get(key)).sort();
}

const LISTED = 8;

function listed(keys: readonly string[]): string {
  const names = keys.slice(0, LISTED).map((key) => quoted(key).slice(1, -1));
  return keys.length > LISTED ? `${names.join(', ')} and ${keys.length - LISTED} more` : names.join(', ');
}

// ------------------------------------------------------------------------------------------------------------ tombstones

/** Long after the last instance has left, so that a host which was away for a while still learns of the removal. */
const TOMBSTONE_AGE_MS = 3_600_000;
/** Per write; more are left for the next one. */
const TOMBSTONES_AT_ONCE = 100;

/** Housekeeping that rides on writes. The write it follows is done, so whatever happens here is left for the next one. */
async function dropOldTombstones(context: ApiContext): Promise<void> {
  try {
    const { cluster } = await context.moment();
    const dead = [...cluster.endpoints.values()]
      .filter(({ value }) => value.state === 'REMOVED' && context.now() - value.changedAtMs > TOMBSTONE_AGE_MS)
      .filter(({ value }) =>
        (cluster.instancesOf.get(value.name) ?? []).every((instance) => instance.value.endpointUid !== value.uid),
      )
      .slice(0, TOMBSTONES_AT_ONCE);
    for (const { value, revision } of dead) {
      const key = KEYS.endpoint(value.name);
      await context.store.commit({ expect: [{ key, revision }], write: [{ key, value: null }] });
    }
  } catch (error) {
    context.log('info', `old removed endpoints were left for later: ${describeError(error)}`);
  }
}
