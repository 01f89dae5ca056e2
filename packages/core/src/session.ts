import { TOPICS } from './keys.js';
import type { Json } from './model.js';
import { listOf, number, recordOf, text } from './record-check.js';

/** Clients as a load balancer that knows them one by one tells of them, and what becomes of that. */

/** A client and the backend it is connected to. */
export interface Session {
  readonly endpoint: string;
  /** Address and port, `[v6]:port`. */
  readonly client: string;
  /** Address and port. */
  readonly backend: string;
  /** Id of the backend. */
  readonly instance: string;
  readonly sinceMs: number;
}

/**
 * A session that is to be ended, written by the API under `kills/<host>/<id>` and struck out by the agent of that host when
 * it is done. A client that comes back may get the same name, so an old wish is struck out and not obeyed.
 */
export interface KillRecord {
  readonly id: string;
  readonly host: string;
  readonly endpoint: string;
  /** The client, as `Session.client` spells it. */
  readonly client: string;
  readonly atMs: number;
}

/** A host's sessions as its agent publishes them. Bounded, for one value may hold a mebibyte. */
export interface HostSessions {
  readonly atMs: number;
  readonly sessions: readonly Session[];
  /** How many there are beyond these. */
  readonly more: number;
}

/** A session takes some 150 bytes; this is half of what the cluster state takes. */
const LISTED_LIMIT = 3_000;

export function publishedSessions(host: string, sessions: readonly Session[], atMs: number): Readonly<Record<string, Json>> {
  const listed = sessions.slice(0, LISTED_LIMIT);
  const value: HostSessions = { atMs, sessions: listed, more: sessions.length - listed.length };
  return { [TOPICS.sessionsOf(host)]: value as unknown as Json };
}

const SESSION = recordOf<Session>({ endpoint: text, client: text, backend: text, instance: text, sinceMs: number });
const isHostSessions = recordOf<HostSessions>({ atMs: number, sessions: listOf(SESSION), more: number });

/** By host, from all values below `TOPICS.sessions`; what is none of ours is left out. */
export function sessionsOfHosts(published: ReadonlyMap<string, Json>): ReadonlyMap<string, HostSessions> {
  const told = [...published].filter(([, value]) => isHostSessions(value) === null);
  return new Map(told.map(([topic, value]) => [topic.slice(TOPICS.sessions.length), value as unknown as HostSessions]));
}
