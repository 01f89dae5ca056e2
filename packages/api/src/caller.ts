import { type Cluster, endpointCalled, hashToken, ReactorError, shownName, TOKEN_FORM } from '@reactor/core';

/**
 * Instances ask about their own endpoint without naming it, under `/endpoint` instead of `/endpoints/NAME`. Which instance
 * asks is known by its token alone. 2013 went by the caller's address, which proxies, shared addresses and forged headers
 * made to mean somebody else.
 */
export interface Caller {
  /** What its endpoint is called now. */
  readonly endpoint: string;
  /** Its id. */
  readonly instance: string;
}

export const TOKEN_HEADER = 'x-reactor-token';

/** The instance that the token belongs to, as long as it has a container and its endpoint is there; `unauthorized` otherwise. */
export function callerOf(cluster: Cluster, token: string | string[] | undefined): Caller {
  const instance = typeof token === 'string' && TOKEN_FORM.test(token) ? holders(cluster).get(hashToken(token)) : undefined;
  const record = instance === undefined ? undefined : cluster.instances.get(instance)?.value;
  if (record === undefined) throw unknownCaller();
  const endpoint = shownName(cluster, record.endpoint);
  // One of a removed namesake speaks for nobody.
  if (endpointCalled(cluster, endpoint)?.value.uid !== record.endpointUid) throw unknownCaller();
  return { endpoint, instance: record.id };
}

/** Always the same words, whatever was wrong. */
function unknownCaller(): ReactorError {
  return new ReactorError('unauthorized', 'only an instance may ask this: send its REACTOR_TOKEN as the X-Reactor-Token header');
}

const known = new WeakMap<Cluster, ReadonlyMap<string, string>>();

/** Instances by the hash of their token. */
function holders(cluster: Cluster): ReadonlyMap<string, string> {
  const found = known.get(cluster);
  if (found !== undefined) return found;
  const made = new Map<string, string>();
  for (const { value } of cluster.reports.values()) if (value.tokenHash !== undefined) made.set(value.tokenHash, value.id);
  known.set(cluster, made);
  return made;
}
