import type { At, Cluster } from './cluster.js';
import type { EndpointRecord } from './model.js';

/**
 * An endpoint is stored under the name it was created with, for good: its instances, its log and its history carry that
 * name. What it is called is another matter: it may have several names (aliases), and lose the first one (a rename), while
 * nothing of it has to move.
 */

/** The live endpoint that is called so now; null when the name is free. */
export function endpointCalled(cluster: Cluster, name: string): At<EndpointRecord> | null {
  const given = cluster.names.get(name);
  const stored = given === undefined ? name : given.value.endpoint;
  const endpoint = stored === null ? undefined : cluster.endpoints.get(stored);
  return endpoint === undefined || endpoint.value.state === 'REMOVED' ? null : endpoint;
}

/** Every name of the endpoint stored under `stored`, the one to show first. A live endpoint has at least one. */
export function namesOf(cluster: Cluster, stored: string): readonly string[] {
  const aliases = [...cluster.names].filter(([, { value }]) => value.endpoint === stored).map(([name]) => name);
  return cluster.names.has(stored) ? aliases.sort() : [stored, ...aliases.sort()];
}

/** What to call it where one name will do. */
export function shownName(cluster: Cluster, stored: string): string {
  return namesOf(cluster, stored)[0] ?? stored;
}
