import type { ConfigDocument, Json } from './model.js';

/** What the API writes besides endpoints: names, notes and the configurations of managers. */

/**
 * Written by the API under `names/<name>` for a name that is not the one an endpoint's record is stored under. Null: the
 * endpoint stored under that name is called otherwise now, so the name is free.
 */
export interface NameRecord {
  readonly endpoint: string | null;
}

/** What the operator noted about an endpoint, written by the API under `metadata/<endpoint>`; Reactor makes nothing of it. */
export interface MetadataRecord {
  /** Of the endpoint; a namesake that comes later has none of it. */
  readonly uid: string;
  readonly values: Readonly<Record<string, Json>>;
}

/** Written by the API under `managers-config/<manager>`: what the daemon of that name takes over its own file. */
export interface ManagerConfigRecord {
  readonly document: ConfigDocument;
}
