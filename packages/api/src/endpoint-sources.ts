import type { Cluster, ConfigDocument, EndpointConfig } from '@reactor/core';
import { endpointCalled, ReactorError, shownName } from '@reactor/core';
import { quoted } from './offending-value.js';
import { usableConfig } from './usable-config.js';

/**
 * What an endpoint's configuration says about other endpoints. It names them, whoever is called so at the moment: a circle of
 * sources and a link that cannot be are refused, a name that is not there is told.
 */

const KINDS = [
  { key: 'instances_source', named: (config: EndpointConfig) => config.instancesSource, absent: 'its own backends are served' },
  { key: 'metrics_source', named: (config: EndpointConfig) => config.metricsSource, absent: 'its rules have no data' },
] as const;

/** The warnings; throws `config_invalid` for a circle, and for a link to a name. */
export function checkOthers(name: string, config: EndpointConfig, cluster: Cluster): readonly string[] {
  checkLinks(config, cluster);
  return KINDS.flatMap(({ key, named, absent }) => {
    const source = named(config);
    if (source === null) return [];
    const chain = chainFrom(name, source, key, cluster);
    if (chain.at(-1) === name) {
      const names = chain.map((stored) => shownName(cluster, stored));
      throw new ReactorError('config_invalid', `endpoint.${key}: cycle: ${names.join(' → ')}`, {
        details: { section: 'endpoint', key },
      });
    }
    if (endpointCalled(cluster, source) === null)
      return [`endpoint.${key}: no endpoint ${quoted(source)} yet; until there is, ${absent}`];
    const next = chain[2];
    if (next === undefined) return [];
    return [`endpoint.${key}: ${quoted(source)} has ${quoted(next)} as its own; here it counts for itself`];
  });
}

/** Where other endpoints still say a name that nobody has any more. */
export function leftBehind(name: string, cluster: Cluster): readonly string[] {
  if (endpointCalled(cluster, name) !== null) return [];
  const live = [...cluster.endpoints.values()].filter(({ value }) => value.state !== 'REMOVED');
  return live.flatMap(({ value }) => {
    const config = usableConfig(value.document);
    const keys = [
      ...KINDS.filter(({ named }) => config !== null && named(config) === name).map(({ key }) => `endpoint.${key}`),
      ...(config?.container?.links.some(({ endpoint }) => endpoint === name) ? ['cloud:docker.links'] : []),
    ];
    return keys.map((key) => `${key} of ${quoted(shownName(cluster, value.name))} still says ${quoted(name)}`);
  });
}

function checkLinks(config: EndpointConfig, cluster: Cluster): void {
  for (const { endpoint } of config.container?.links ?? []) {
    const linked = endpointCalled(cluster, endpoint);
    if (linked === null || usableConfig(linked.value.document)?.url?.scheme !== 'dns') continue;
    const why = 'is served as dns://, which has no port to link to; give its name in environment';
    throw new ReactorError('config_invalid', `cloud:docker.links: ${quoted(endpoint)} ${why}`, {
      details: { section: 'cloud:docker', key: 'links' },
    });
  }
}

/** The names of records from one to the next, until one names none or is met again. */
function chainFrom(name: string, source: string, key: string, cluster: Cluster): readonly string[] {
  const chain = [name];
  for (let next = source; next !== ''; ) {
    const record = endpointCalled(cluster, next)?.value;
    const stored = record?.name ?? next;
    const met = chain.includes(stored);
    chain.push(stored);
    if (met) break;
    next = sourceOf(record?.document ?? {}, key);
  }
  return chain;
}

const sourceOf = (document: ConfigDocument, key: string): string => document['endpoint']?.[key]?.trim() ?? '';
