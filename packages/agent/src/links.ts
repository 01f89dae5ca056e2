import {
  type At,
  type Cluster,
  type ContainerConfig,
  type EndpointConfig,
  type EndpointRecord,
  type InstanceRecord,
  type LinkedAddresses,
  ReactorError,
} from '@reactor/core';

/**
 * What a container is told of the endpoints it links to: where the load balancer of its own host serves them. That address
 * is the same on every host and stays while instances come and go, so nothing in the container ever has to be told again.
 *
 * The name is the URL's own host where it has one, for that is what the load balancer tells endpoints apart by. Throws
 * `config_invalid`, naming the link, when the other endpoint is not there or serves no address.
 */
export function linkedAddresses(
  { container }: InstanceRecord,
  cluster: Cluster,
  resolve: (record: At<EndpointRecord>) => EndpointConfig | null,
): LinkedAddresses {
  const hostNames = new Set<string>();
  const environment: [string, string][] = [];
  // A record of a daemon before links has none.
  const { links = [] } = container as Partial<ContainerConfig>;
  for (const { endpoint, alias } of links) {
    const record = cluster.endpoints.get(endpoint);
    if (record === undefined || record.value.state === 'REMOVED') throw broken(endpoint, 'there is no such endpoint');
    const url = resolve(record)?.url ?? null;
    if (url === null) throw broken(endpoint, 'it has no url');
    const host = url.host ?? alias;
    // An address needs no name. The alias is there as well, for programs with the name built in.
    for (const name of [alias, host]) if (!isAddress(name)) hostNames.add(name);
    const path = url.path === '/' ? '' : url.path;
    const prefix = variablePrefix(alias);
    environment.push(
      [`${prefix}_HOST`, host],
      [`${prefix}_PORT`, String(url.port)],
      [`${prefix}_URL`, `${url.scheme}://${host}:${url.port}${path}`],
    );
  }
  return { environment, hostNames: [...hostNames] };
}

/** `order-db` is ORDER_DB; a name that starts with a digit cannot start a variable's name. */
function variablePrefix(alias: string): string {
  const name = alias.toUpperCase().replace(/[^A-Z0-9]/g, '_');
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

const isAddress = (name: string): boolean => name.startsWith('[') || /^[0-9.]+$/.test(name);

function broken(endpoint: string, why: string): ReactorError {
  return new ReactorError('config_invalid', `links: '${endpoint}': ${why}`);
}
