import { type ConfigDocument, describeError, type EndpointRecord, type Json, KEYS, LOGS, type StateStore } from '@reactor/core';
import { type StoredSettings, settingsOf, settingsRecord } from './settings.js';

/**
 * The endpoints that a cluster begins with. A cluster is new while no endpoint has ever been given a URL, of which the
 * settings keep count: so what the operator removes stays removed, long after its tombstone has gone. All are created in one
 * commit that expects the cluster to be still new, so that of several daemons which found it together one does it.
 */
export interface Founding {
  readonly name: string;
  /** Valid, and with a URL. */
  readonly document: ConfigDocument;
}

export interface FoundingContext {
  readonly store: StateStore;
  readonly now: () => number;
  readonly newId: () => string;
}

/** Whether nobody has ever used this cluster. */
export async function isNewCluster(store: StateStore): Promise<boolean> {
  return (await settingsIfNew(store)) !== null;
}

/** Creates them, PAUSED, if the cluster is new; whether it did. Nothing is retried: who came first has created something. */
export async function foundEndpoints(context: FoundingContext, endpoints: readonly Founding[]): Promise<boolean> {
  const { store, now, newId } = context;
  const stored = await settingsIfNew(store);
  if (stored === null || endpoints.length === 0) return false;
  const settings = { ...stored.settings, urlChanges: endpoints.length };
  const records = endpoints.map(
    ({ name, document }): EndpointRecord => ({ name, uid: newId(), document, state: 'PAUSED', changedAtMs: now() }),
  );
  const result = await store.commit({
    expect: [
      { key: KEYS.settings, revision: stored.revision },
      ...records.map(({ name }) => ({ key: KEYS.endpoint(name), revision: 0 })),
    ],
    write: [
      { key: KEYS.settings, value: settingsRecord(settings) },
      ...records.map((record) => ({ key: KEYS.endpoint(record.name), value: record as unknown as Json })),
    ],
  });
  if (result.kind !== 'committed') return false;
  for (const { name } of records) await record(context, name);
  return true;
}

async function settingsIfNew(store: StateStore): Promise<StoredSettings | null> {
  const view = await store.read('');
  const stored = settingsOf(view);
  const used = [...view.entries.keys()].some((key) =>
    [KEYS.endpoints, KEYS.names, KEYS.instances].some((prefix) => key.startsWith(prefix)),
  );
  return used || stored.settings.urlChanges > 0 ? null : stored;
}

/** A line of a log is no reason to fail what is done. */
async function record({ store, now }: FoundingContext, name: string): Promise<void> {
  const message = 'created with the cluster; PAUSED, as it runs nothing';
  await store
    .append(LOGS.endpoint(name), [{ atMs: now(), level: 'info', event: 'CONFIG_UPDATED', message }])
    .catch((error: unknown) => describeError(error));
}
