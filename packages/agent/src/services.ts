import {
  type At,
  type Backend,
  type BalancerKind,
  backendsOwner,
  type Cluster,
  type EndpointConfig,
  type EndpointRecord,
  type InstanceRecord,
  type Service,
  staticBackendId,
} from '@reactor/core';
import { exclusiveShare } from './exclusive-share.js';

/**
 * What `host`'s load balancers should serve now, from the cluster state and the instances of lost hosts that do not
 * answer here (`unreachable`); without any of those, and but for exclusive ones, it is the same on every host. Pure. An endpoint without a URL or
 * without a load balancer is not served.
 */
export function servicesOf(
  cluster: Cluster,
  resolve: (record: At<EndpointRecord>) => EndpointConfig | null,
  host: string,
  unreachable: ReadonlySet<string> = new Set(),
): readonly Service[] {
  const services: Service[] = [];
  const instancesOf = (name: string) => (cluster.instancesOf.get(name) ?? []).map((instance) => instance.value);
  for (const name of [...cluster.endpoints.keys()].sort()) {
    const endpoint = cluster.endpoints.get(name)!;
    if (endpoint.value.state === 'REMOVED' && !cluster.instancesOf.has(name)) continue;
    const config = resolve(endpoint);
    if (config === null || config.url === null || config.loadBalancer === null) continue;
    const owner = backendsOwner(name, config, cluster);
    const owning = owner === name ? config : resolve(cluster.endpoints.get(owner)!);
    const removed = endpoint.value.state === 'REMOVED';
    // Its own instances are watched too: they may have served here until the source was named.
    const retired = [...instancesOf(owner), ...(owner === name ? [] : instancesOf(name))].filter((i) => i.phase !== 'run');
    const leaving = backendsOf(retired, config, cluster);
    // Its URL is free for another endpoint at once; only the connections still open are watched.
    if (removed && leaving.length === 0) continue;
    const served = () => servedBackends(instancesOf(owner), config, cluster, unreachable);
    const meant = removed ? [] : [...served(), ...staticBackends(owning, config.weight)];
    const exclusive = config.loadBalancer === 'tcp' && config.tcp.exclusive;
    const [backends, draining] = exclusive ? [meant, leaving].map((all) => exclusiveShare(all, cluster, host)) : [meant, leaving];
    const redirect = (config.loadBalancer === 'nginx' ? config.nginx.redirect : null) ?? config.redirect;
    const { windowMs } = config.scaling;
    services.push({
      ...{ endpoint: name, url: config.url, backends: backends!, draining: draining!, redirect, windowMs },
      ...(removed ? { removed } : {}),
      ...settingsOf(config.loadBalancer, config),
    });
  }
  return services;
}

type Settings<S extends Service = Service> = S extends Service ? Pick<S, 'kind' & keyof S> & Pick<S, S['kind'] & keyof S> : never;

function settingsOf(kind: BalancerKind, config: EndpointConfig): Settings {
  switch (kind) {
    case 'nginx':
      return { kind, nginx: config.nginx };
    case 'haproxy':
      return { kind, haproxy: config.haproxy };
    case 'tcp':
      return { kind, tcp: config.tcp };
    case 'dnsmasq':
      return { kind };
  }
}

/**
 * Ready instances that answer; when there is none, those that run but fail their check: a poor answer beats none. The
 * very last ones stay even if their host is lost and they do not answer: whoever else could has been asked before them.
 */
function servedBackends(
  instances: readonly InstanceRecord[],
  config: EndpointConfig,
  cluster: Cluster,
  unreachable: ReadonlySet<string>,
): readonly Backend[] {
  const dropped = (instance: InstanceRecord) => cluster.wishes.get(instance.id)?.value.kind === 'drop';
  const reportOf = (instance: InstanceRecord) => cluster.reports.get(instance.id)?.value;
  // What a session has used up is no last resort: somebody else's traces are in it.
  const meant = instances.filter((instance) => instance.phase === 'run' && !reportOf(instance)?.spent && !dropped(instance));
  const ready = meant.filter((instance) => reportOf(instance)?.state === 'ready');
  const failing = meant.filter((instance) => reportOf(instance)?.state === 'unhealthy' && reportOf(instance)?.wasReady);
  const answering = (all: readonly InstanceRecord[]) => all.filter((instance) => !unreachable.has(instance.id));
  const choices = [answering(ready), answering(failing), ready, failing];
  return backendsOf(choices.find((choice) => choice.length > 0) ?? [], config, cluster);
}

function backendsOf(instances: readonly InstanceRecord[], config: EndpointConfig, cluster: Cluster): readonly Backend[] {
  return instances.flatMap((instance) => {
    const report = cluster.reports.get(instance.id)?.value;
    const running = report !== undefined && report.containerId !== null;
    // A name needs no port: what publishes none is found at its host.
    const unpublished =
      config.loadBalancer === 'dnsmasq' && running ? cluster.hosts.get(instance.host)?.value.address : undefined;
    const address = report?.address ?? (unpublished === undefined ? null : { host: unpublished, port: 0 });
    return address ? [{ id: instance.id, host: address.host, port: address.port, weight: config.weight }] : [];
  });
}

/** An owner whose configuration cannot be used has no static ones that anybody knows of. */
function staticBackends(config: EndpointConfig | null, weight: number): readonly Backend[] {
  return (config?.staticInstances ?? []).map((one) => ({ id: staticBackendId(one), host: one.host, port: one.port, weight }));
}
