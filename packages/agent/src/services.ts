import type { At, Backend, Cluster, EndpointConfig, EndpointRecord, InstanceRecord, Service } from '@reactor/core';

/**
 * What every load balancer of the cluster should serve now, from the cluster state alone. Pure; the same on every host.
 * An endpoint without a URL or without a load balancer is not served.
 */
export function servicesOf(cluster: Cluster, resolve: (record: At<EndpointRecord>) => EndpointConfig | null): readonly Service[] {
  const services: Service[] = [];
  for (const name of [...cluster.endpoints.keys()].sort()) {
    const endpoint = cluster.endpoints.get(name)!;
    if (endpoint.value.state === 'REMOVED' && !cluster.instancesOf.has(name)) continue;
    const config = resolve(endpoint);
    if (config === null || config.url === null || config.loadBalancer !== 'nginx') continue;
    const instances = (cluster.instancesOf.get(name) ?? []).map((instance) => instance.value);
    const draining = backendsOf(
      instances.filter((i) => i.phase !== 'run'),
      config,
      cluster,
    );
    if (endpoint.value.state === 'REMOVED') {
      // Its URL is free for another endpoint at once; only the connections still open are watched.
      if (draining.length === 0) continue;
    }
    const serving =
      endpoint.value.state === 'REMOVED' ? [] : [...servedBackends(instances, config, cluster), ...staticBackends(config)];
    services.push({
      endpoint: name,
      url: config.url,
      backends: serving,
      draining,
      redirect: config.nginx.redirect ?? config.redirect,
      nginx: config.nginx,
      windowMs: config.scaling.windowMs,
    });
  }
  return services;
}

/** Ready instances; when there is none, those that run but fail their check: a poor answer beats none. */
function servedBackends(instances: readonly InstanceRecord[], config: EndpointConfig, cluster: Cluster): readonly Backend[] {
  const meant = instances.filter((instance) => instance.phase === 'run');
  const stateOf = (instance: InstanceRecord): string | undefined => cluster.reports.get(instance.id)?.value.state;
  const ready = meant.filter((instance) => stateOf(instance) === 'ready');
  if (ready.length > 0) return backendsOf(ready, config, cluster);
  const failing = meant.filter(
    (instance) => stateOf(instance) === 'unhealthy' && cluster.reports.get(instance.id)?.value.wasReady,
  );
  return backendsOf(failing, config, cluster);
}

function backendsOf(instances: readonly InstanceRecord[], config: EndpointConfig, cluster: Cluster): readonly Backend[] {
  return instances.flatMap((instance) => {
    const address = cluster.reports.get(instance.id)?.value.address;
    return address ? [{ id: instance.id, host: address.host, port: address.port, weight: config.weight }] : [];
  });
}

function staticBackends(config: EndpointConfig): readonly Backend[] {
  return config.staticInstances.map(({ host, port }) => ({ id: `static:${host}:${port}`, host, port, weight: config.weight }));
}
