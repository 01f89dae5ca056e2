import { type Json, KEYS, ReactorError, type StateStore, type StateView } from '@reactor/core';
import { hashKey, isKeyHash, type KeyHash } from './auth-key.js';

/** The cluster's own settings, one record under `settings`. */
export interface Settings {
  /** Where users reach the API; null when nobody said. */
  readonly url: string | null;
  /** Null leaves the API open, which only makes sense on loopback. */
  readonly auth: KeyHash | null;
  /**
   * Raised by every commit that gives an endpoint a URL. Such a commit expects the count it read, so two endpoints
   * cannot take one URL with different settings at the same moment, although each writes only its own record.
   */
  readonly urlChanges: number;
}

export interface StoredSettings {
  readonly settings: Settings;
  readonly revision: number;
}

const UNSET: Settings = { url: null, auth: null, urlChanges: 0 };

export async function readSettings(store: StateStore): Promise<StoredSettings> {
  return settingsOf(await store.read(KEYS.settings));
}

/** Reads settings often and cheaply: the last view is handed back to the store, which skips the transfer when nothing moved. */
export function settingsReader(store: StateStore): () => Promise<StoredSettings> {
  let known: StateView | undefined;
  return async () => {
    known = await store.read(KEYS.settings, known);
    return settingsOf(known);
  };
}

/** Fails closed: a record that is not readable is an error, never "no key set". */
export function settingsOf(view: StateView): StoredSettings {
  const entry = view.entries.get(KEYS.settings);
  if (entry === undefined) return { settings: UNSET, revision: 0 };
  const value = entry.value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreadable();
  const { url = null, auth = null, urlChanges = 0 } = value as { readonly [key: string]: Json };
  if (url !== null && typeof url !== 'string') throw unreadable();
  if (typeof urlChanges !== 'number') throw unreadable();
  if (auth !== null && !isKeyHash(auth)) throw unreadable();
  return { settings: { url, auth, urlChanges }, revision: entry.revision };
}

const unreadable = (): ReactorError =>
  new ReactorError('state_foreign', 'the stored settings are not in a form this version can read');

/** Settings as the store takes them. */
export function settingsRecord(settings: Settings): Json {
  const { url, auth, urlChanges } = settings;
  return { url, auth: auth === null ? null : { ...auth }, urlChanges };
}

/** More than a few writers of one small record at once means something else is wrong. */
const ATTEMPTS = 5;

/** Merges a change into the settings; repeated when somebody else changed them meanwhile. Null leaves them as they are. */
export async function changeSettings(store: StateStore, change: (settings: Settings) => Settings | null): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { settings, revision } = await readSettings(store);
    const next = change(settings);
    if (next === null) return false;
    const result = await store.commit({
      expect: [{ key: KEYS.settings, revision }],
      write: [{ key: KEYS.settings, value: settingsRecord(next) }],
    });
    if (result.kind === 'committed') return true;
  }
  throw new ReactorError('conflict', 'the settings are being changed by others; try again');
}

/** Whether a key is set. Throws `state_*` when nobody can tell. */
export async function hasAuth(store: StateStore): Promise<boolean> {
  return (await readSettings(store)).settings.auth !== null;
}

/**
 * Sets the API key (1 to 256 visible ASCII characters), or clears it with null. With `onlyIfUnset` a key that is already
 * there stays, so that of several daemons starting at once only one invents the key. Answers whether it was written.
 */
export async function setAuthKey(
  store: StateStore,
  key: string | null,
  options: { readonly onlyIfUnset?: boolean } = {},
): Promise<boolean> {
  const auth = key === null ? null : await hashKey(key);
  return changeSettings(store, (settings) => (options.onlyIfUnset && settings.auth !== null ? null : { ...settings, auth }));
}
