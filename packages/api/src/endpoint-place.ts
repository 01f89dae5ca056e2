import {
  type At,
  type Cluster,
  type Commit,
  type EndpointRecord,
  endpointCalled,
  type Json,
  KEYS,
  namesOf,
  ReactorError,
} from '@reactor/core';
import { quoted } from './offending-value.js';

/**
 * Names and where endpoints are stored. Every commit that gives or takes a name also writes the endpoint's record, so that
 * of two of them at the same moment one is told to look again: no endpoint ever loses its last name that way.
 */

/** Where the endpoint of a name is stored, or would be. */
export interface Place {
  /** The name its record is stored under. */
  readonly stored: string;
  /** What is there: the endpoint, a tombstone, or nothing. */
  readonly record: At<EndpointRecord> | null;
  readonly live: At<EndpointRecord> | null;
  /** That the name still means this. */
  readonly expect: Commit['expect'];
  /** Gives a new endpoint there its name. */
  readonly naming: Commit['write'];
}

/** Long enough to recognise the name, short enough to leave room for an id. */
const STEM_LENGTH = 50;

export function placeOf(cluster: Cluster, name: string, newId: () => string): Place {
  const given = cluster.names.get(name);
  const expect = [{ key: KEYS.name(name), revision: given?.revision ?? 0 }];
  const live = endpointCalled(cluster, name);
  if (live !== null) return { stored: live.value.name, record: live, live, expect, naming: [] };
  const holder = cluster.endpoints.get(name) ?? null;
  if (holder !== null && holder.value.state !== 'REMOVED') {
    // Somebody called otherwise is stored there, so the newcomer is stored elsewhere.
    const stored = `${name.slice(0, STEM_LENGTH)}.${newId()}`;
    const naming = [
      { key: KEYS.name(name), value: { endpoint: stored } },
      // Nobody is called what it is stored under.
      { key: KEYS.name(stored), value: { endpoint: null } },
    ];
    return { stored, record: null, live: null, expect, naming };
  }
  const naming = given === undefined ? [] : [{ key: KEYS.name(name), value: null }];
  return { stored: name, record: holder, live: null, expect, naming };
}

/** Enough for every service that is known by several names; each is looked at by every request. */
const NAMES_LIMIT = 32;

/** What gives the endpoint one more name; throws `exists` when somebody has it. */
export function givenName(cluster: Cluster, stored: string, name: string): Commit {
  if (endpointCalled(cluster, name) !== null) {
    throw new ReactorError('exists', `endpoint ${quoted(name)} is already there`, { details: { endpoint: name } });
  }
  if (namesOf(cluster, stored).length >= NAMES_LIMIT) {
    throw new ReactorError('request_invalid', `an endpoint has at most ${NAMES_LIMIT} names`);
  }
  const own = name === stored;
  return {
    expect: [
      { key: KEYS.name(name), revision: cluster.names.get(name)?.revision ?? 0 },
      // Whoever creates an endpoint of that name at this moment writes there.
      ...(own ? [] : [{ key: KEYS.endpoint(name), revision: cluster.endpoints.get(name)?.revision ?? 0 }]),
    ],
    write: [{ key: KEYS.name(name), value: own ? null : { endpoint: stored } }],
  };
}

/** What takes a name away. Where an endpoint is stored under it the name is marked as free; else nothing need be known of it. */
export function takenName(cluster: Cluster, name: string): Commit['write'] {
  const holder = cluster.endpoints.get(name);
  const value: Json = holder === undefined || holder.value.state === 'REMOVED' ? null : { endpoint: null };
  return [{ key: KEYS.name(name), value }];
}

/** What is left of an endpoint's names when the last of them goes: nothing. */
export function lastNameTaken(cluster: Cluster, stored: string, name: string): Commit['write'] {
  const marker = cluster.names.get(stored)?.value.endpoint === null ? [{ key: KEYS.name(stored), value: null }] : [];
  return name === stored ? [] : [...takenName(cluster, name), ...marker];
}
