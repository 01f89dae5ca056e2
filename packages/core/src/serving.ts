import type { Cluster } from './cluster.js';
import { endpointCalled } from './endpoint-names.js';
import type { EndpointConfig, StaticInstance } from './model.js';

/** Whose backends an endpoint serves, and what static ones are called. */

/**
 * The name of the record whose backends are served under this one's url: `instances_source` while there is such an endpoint, else
 * its own. Never followed any further: two that name each other swap their backends, and no circle can arise.
 */
export function backendsOwner(name: string, config: EndpointConfig, cluster: Cluster): string {
  const source = config.instancesSource;
  return (source === null ? null : endpointCalled(cluster, source))?.value.name ?? name;
}

/** As `Backend.id`. */
export const staticBackendId = ({ host, port }: StaticInstance): string => `static:${host}:${port}`;
