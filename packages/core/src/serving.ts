import type { Cluster } from './cluster.js';
import type { EndpointConfig, StaticInstance } from './model.js';

/** Whose backends an endpoint serves, and what static ones are called. */

/**
 * The endpoint whose backends are served under this one's url: `instances_source` while there is such an endpoint, else
 * its own. Never followed any further: two that name each other swap their backends, and no circle can arise.
 */
export function backendsOwner(name: string, config: EndpointConfig, cluster: Cluster): string {
  const source = config.instancesSource;
  return source !== null && isThere(source, cluster) ? source : name;
}

export const isThere = (name: string, cluster: Cluster): boolean =>
  (cluster.endpoints.get(name)?.value.state ?? 'REMOVED') !== 'REMOVED';

/** As `Backend.id`. */
export const staticBackendId = ({ host, port }: StaticInstance): string => `static:${host}:${port}`;
