import {
  type Cluster,
  type Commit,
  type ConfigDocument,
  describeError,
  type EndpointRecord,
  type EndpointState,
  type Hold,
  KEYS,
  namesOf,
  ReactorError,
  untilWords,
} from '@reactor/core';
import { type ApiContext, recordEvent } from './context.js';
import { alreadyThere, commitEndpoint, type Draft, type Written } from './endpoint-commit.js';
import { givenName, lastNameTaken, takenName } from './endpoint-place.js';
import { checkIfMatch, type IfMatch } from './if-match.js';
import { noEndpoint } from './names.js';
import { quoted } from './offending-value.js';

/** Changes of endpoints, and what their logs say of each. */

export async function createEndpoint(context: ApiContext, name: string, draft: Draft, ifMatch: IfMatch): Promise<Written> {
  const written = await commitEndpoint(context, {
    name,
    ifMatch,
    merges: false,
    next(current, _cluster, stored) {
      if (current !== null) throw alreadyThere(name);
      const record: EndpointRecord = {
        name: stored,
        uid: context.newId(),
        document: draft.document,
        state: 'PAUSED',
        changedAtMs: context.now(),
      };
      return { record, draft };
    },
  });
  await recordEvent(context, written.stored, 'CONFIG_UPDATED', 'created; PAUSED until it is started');
  await dropOldTombstones(context);
  return written;
}

export interface DocumentChange {
  readonly name: string;
  readonly ifMatch: IfMatch;
  readonly merges: boolean;
  /** The new configuration from the stored one; throws `config_*` when it is not valid. */
  readonly draft: (stored: ConfigDocument) => Draft;
}

export async function changeDocument(context: ApiContext, change: DocumentChange): Promise<Written> {
  let changed: readonly string[] = [];
  const written = await commitEndpoint(context, {
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
    await recordEvent(context, written.stored, 'CONFIG_UPDATED', `configuration changed: ${listed(changed)}`);
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
  ifMatch: IfMatch,
): Promise<Written> {
  let moved = false;
  const written = await commitEndpoint(context, {
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
  if (moved) await recordEvent(context, written.stored, event, message);
  return written;
}

/** Holds the count until `untilMs`, or hands it back to the rules with null. Kept through stop and start: it is about how many, not whether. */
export async function setHold(context: ApiContext, name: string, hold: Hold | null, ifMatch: IfMatch): Promise<Written> {
  let moved = false;
  const written = await commitEndpoint(context, {
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
  if (hold === null) await recordEvent(context, written.stored, 'HOLD_ENDED', 'handed back to its rules by the operator');
  else
    await recordEvent(
      context,
      written.stored,
      'HOLD_SET',
      `held at ${hold.count} by the operator ${untilWords(hold, context.now())}`,
    );
  return written;
}

/**
 * Takes the name away. With the last one the endpoint goes: it leaves a tombstone, from which the controller knows that its
 * instances are to be drained. Fine when absent.
 */
export async function removeEndpoint(context: ApiContext, name: string, ifMatch: IfMatch): Promise<void> {
  let last = true;
  try {
    const written = await commitEndpoint(context, {
      name,
      ifMatch,
      merges: true,
      next(current, cluster, stored) {
        if (current === null) throw noEndpoint(name);
        last = namesOf(cluster, stored).length === 1;
        if (!last) return { record: current, draft: null, also: { expect: [], write: takenName(cluster, name) } };
        const record: EndpointRecord = { ...current, state: 'REMOVED', changedAtMs: context.now() };
        return {
          record,
          draft: null,
          also: { expect: [], write: [...lastNameTaken(cluster, stored, name), ...forgotten(cluster, stored)] },
        };
      },
    });
    if (last) await recordEvent(context, written.stored, 'ENDPOINT_REMOVED', 'removed: its instances are drained');
    else await recordEvent(context, written.stored, 'NAMES_CHANGED', `no longer called ${quoted(name)}`);
  } catch (error) {
    if (!(error instanceof ReactorError) || error.code !== 'not_found') throw error;
    checkIfMatch(ifMatch, null, `endpoint ${quoted(name)}`);
  }
  await dropOldTombstones(context);
}

/** What was noted about it goes with it. */
const forgotten = (cluster: Cluster, stored: string): Commit['write'] =>
  cluster.metadata.has(stored) ? [{ key: KEYS.metadataOf(stored), value: null }] : [];

/** One more name for the endpoint, or with `instead` another one: at once, or not at all. Throws `exists` when the new name is taken. */
export async function nameEndpoint(
  context: ApiContext,
  name: string,
  given: string,
  { instead, ifMatch }: { readonly instead: boolean; readonly ifMatch: IfMatch },
): Promise<Written> {
  const written = await commitEndpoint(context, {
    name,
    ifMatch,
    merges: true,
    next(current, cluster, stored) {
      if (current === null) throw noEndpoint(name);
      const { expect, write } = givenName(cluster, stored, given);
      return { record: current, draft: null, also: { expect, write: [...write, ...(instead ? takenName(cluster, name) : [])] } };
    },
  });
  const message = instead ? `renamed from ${quoted(name)} to ${quoted(given)}` : `also called ${quoted(given)}`;
  await recordEvent(context, written.stored, 'NAMES_CHANGED', message);
  return written;
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
