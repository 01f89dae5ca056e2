import {
  type At,
  type Cluster,
  type ContainerConfig,
  type EndpointConfig,
  type EndpointRecord,
  endpointCalled,
  type InstanceRecord,
  type LinkedAddresses,
} from '@reactor/core';
import type { InstancesOptions } from './instances.js';

/**
 * What a container is told of the endpoints it links to: where the load balancer of its own host serves them. That address
 * is the same on every host and stays while instances come and go, so nothing in the container ever has to be told again.
 *
 *  1. The name is the URL's own host where it has one, for that is what the load balancer tells endpoints apart by.
 *  2. An endpoint that is not there, or has no url with a port, is in `missing` and holds nothing up: a service must not go
 *     down with one that was removed. Its name is given all the same, as it will mean the same host when the endpoint is there.
 */
export interface Linked extends LinkedAddresses {
  readonly missing: readonly string[];
}

export function linkedAddresses(
  { container }: InstanceRecord,
  cluster: Cluster,
  resolve: (record: At<EndpointRecord>) => EndpointConfig | null,
): Linked {
  const hostNames = new Set<string>();
  const environment: [string, string][] = [];
  const missing: string[] = [];
  // A record of a daemon before links has none.
  const { links = [] } = container as Partial<ContainerConfig>;
  for (const { endpoint, alias } of links) {
    const record = endpointCalled(cluster, endpoint);
    const url = record === null ? null : (resolve(record)?.url ?? null);
    // A name of dnsmasq's means its instances, each at a port of its own; here it would mean the load balancer.
    if (url?.scheme === 'dns') {
      missing.push(endpoint);
      continue;
    }
    const host = url?.host ?? alias;
    // An address needs no name. The alias is there as well, for programs with the name built in.
    for (const name of [alias, host]) if (!isAddress(name)) hostNames.add(name);
    if (url === null) {
      missing.push(endpoint);
      continue;
    }
    const path = url.path === '/' ? '' : url.path;
    const prefix = variablePrefix(alias);
    environment.push(
      [`${prefix}_HOST`, host],
      [`${prefix}_PORT`, String(url.port)],
      [`${prefix}_URL`, `${url.scheme}://${host}:${url.port}${path}`],
    );
  }
  return { environment, hostNames: [...hostNames], missing };
}

/** Asked when the container is made, for pulling its image may have taken minutes. What is missing goes into the log of its endpoint. */
export function createLinked(
  see: () => Promise<Cluster>,
  resolve: (record: At<EndpointRecord>) => EndpointConfig | null,
  tell: InstancesOptions['tell'],
): (record: InstanceRecord) => Promise<LinkedAddresses> {
  return async (record) => {
    const { missing, ...linked } = linkedAddresses(record, await see(), resolve);
    const without = `${record.id} starts without the address of ${missing.join(', ')}: no such endpoint, or it has no url with a port`;
    if (missing.length > 0) tell(record.endpoint, 'warning', 'LINK_MISSING', without);
    return linked;
  };
}

/** `order-db` is ORDER_DB; a name that starts with a digit cannot start a variable's name. */
function variablePrefix(alias: string): string {
  const name = alias.toUpperCase().replace(/[^A-Z0-9]/g, '_');
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

const isAddress = (name: string): boolean => name.startsWith('[') || /^[0-9.]+$/.test(name);
