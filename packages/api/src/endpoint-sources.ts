import type { Cluster, ConfigDocument, EndpointConfig } from '@reactor/core';
import { endpointCalled, ReactorError, shownName } from '@reactor/core';
import { quoted } from './offending-value.js';

/** What an endpoint's sources say about other endpoints: a circle is refused, a name that is not there is told. */

const KINDS = [
  { key: 'instances_source', named: (config: EndpointConfig) => config.instancesSource, absent: 'its own backends are served' },
  { key: 'metrics_source', named: (config: EndpointConfig) => config.metricsSource, absent: 'its rules have no data' },
] as const;

/** The warnings; throws `config_invalid` for a circle. */
export function checkSources(name: string, config: EndpointConfig, cluster: Cluster): readonly string[] {
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
