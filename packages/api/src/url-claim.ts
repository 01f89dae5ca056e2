import { resolveEndpoint } from '@reactor/config';
import {
  type At,
  type Cluster,
  type EndpointConfig,
  type EndpointRecord,
  portOf,
  ReactorError,
  shownName,
  urlText,
} from '@reactor/core';
import { quoted } from './offending-value.js';

/**
 * Endpoints may share a URL: their backends are then served together. They cannot disagree on how it is served, because
 * a load balancer has one listener for it; the second to come is refused and told the name of the first. Nor can two load
 * balancers, or two protocols, share a TCP port of the hosts: every host listens on it.
 */

const HTTP_PORT = 80;

/** Where an endpoint is served and the settings that all endpoints there have to share. */
interface Claim {
  readonly place: string;
  readonly terms: string;
  readonly url: string;
  /** The TCP port it needs, and what all endpoints on that port have to share. */
  readonly port: number | null;
  readonly portTerms: string;
}

function claimOf(config: EndpointConfig): Claim | null {
  const { url, loadBalancer } = config;
  if (url === null || loadBalancer === null) return null;
  return {
    place: JSON.stringify([portOf(url), url.host, url.path]),
    terms: JSON.stringify([url.scheme, loadBalancer, ...sharedSettings(config)]),
    url: urlText(url),
    port: portOf(url),
    portTerms: `${loadBalancer}, ${url.scheme}`,
  };
}

function sharedSettings(config: EndpointConfig): readonly unknown[] {
  const { loadBalancer, nginx, haproxy, tcp } = config;
  // Not the certificate: the one that is valid longest is used, so that each of them can be given the renewed one in turn.
  if (loadBalancer === 'nginx') return [nginx.ssl];
  if (loadBalancer === 'haproxy') return [haproxy.ssl];
  return loadBalancer === 'tcp' ? [tcp] : [];
}

function storedClaim(record: EndpointRecord): Claim | null {
  if (record.state === 'REMOVED') return null;
  try {
    return claimOf(resolveEndpoint(record.document).config);
  } catch (error) {
    // Stored by a version with other rules: it is not served, so it holds no URL.
    if (error instanceof ReactorError) return null;
    throw error;
  }
}

export interface ClaimChecker {
  /** Whether the configuration takes a URL that the current record does not hold. Throws `exists` when another one's settings differ, or the port is ours. */
  check(name: string, config: EndpointConfig, current: EndpointRecord | null, cluster: Cluster): boolean;
  /** Other endpoints that serve the same URL, by name. */
  sharers(name: string, config: EndpointConfig, cluster: Cluster): readonly string[];
}

/** `apiPort`: where the API of this daemon listens; null while it does not. */
export function createClaimChecker(apiPort: () => number | null): ClaimChecker {
  // Resolving every stored configuration at every write would make the write slow in a large cluster.
  let known = new Map<string, Claim | null>();

  const claims = (cluster: Cluster): Map<string, Claim | null> => {
    const fresh = new Map<string, Claim | null>();
    for (const [name, { value, revision }] of cluster.endpoints) {
      const key = versionKey(name, revision);
      fresh.set(key, known.has(key) ? (known.get(key) ?? null) : storedClaim(value));
    }
    known = fresh;
    return fresh;
  };

  return {
    check(name, config, current, cluster) {
      const claim = claimOf(config);
      if (claim === null) return false;
      const held = current === null ? null : storedClaim(current);
      if (held !== null && held.place === claim.place && held.terms === claim.terms) return false;
      refuseApiPort(claim, [apiPort(), ...apiPortsOf(cluster)]);
      const all = claims(cluster);
      const others = [...cluster.endpoints].filter(([other]) => other !== name).sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [other, entry] of others) refuseOther(claim, entry, all, shownName(cluster, other));
      return true;
    },
    sharers(name, config, cluster) {
      const claim = claimOf(config);
      if (claim === null) return [];
      const all = claims(cluster);
      const holds = ([other, entry]: readonly [string, At<EndpointRecord>]): boolean =>
        other !== name && all.get(versionKey(other, entry.revision))?.place === claim.place;
      return [...cluster.endpoints]
        .filter(holds)
        .map(([other]) => other)
        .sort();
    },
  };
}

const versionKey = (name: string, revision: number): string => `${name}@${revision}`;

function refuseOther(claim: Claim, entry: At<EndpointRecord>, all: ReadonlyMap<string, Claim | null>, called: string): void {
  const held = all.get(versionKey(entry.value.name, entry.revision)) ?? null;
  if (held === null || (held.place === claim.place && held.terms === claim.terms)) return;
  if (held.place !== claim.place) refusePort(claim, called, held);
  else refusePlace(claim, called);
}

/** A load balancer listens on every address of every host, so it shares no port with an API, on whatever address that is. */
function refuseApiPort({ port }: Claim, taken: readonly (number | null)[]): void {
  if (port === null || !taken.includes(port)) return;
  throw new ReactorError('exists', `port ${port} is used by reactor itself, for its API; use another port`, {
    details: { section: 'endpoint', key: 'url' },
  });
}

/** Of the hosts whose API is open to others; one on loopback is known to its own daemon alone. */
function apiPortsOf(cluster: Cluster): readonly number[] {
  const urls = [...cluster.hosts.values()].flatMap(({ value }) => value.apiUrl ?? []);
  return urls.filter((url) => URL.canParse(url)).map((url) => Number(new URL(url).port || HTTP_PORT));
}

function refusePlace(claim: Claim, called: string): void {
  throw new ReactorError(
    'exists',
    `${claim.url} is served by endpoint ${quoted(called)} with another loadbalancer or ssl setting; use the same or another url`,
    { details: { endpoint: called } },
  );
}

function refusePort(claim: Claim, other: string, held: Claim): void {
  if (claim.port === null || held.port !== claim.port || held.portTerms === claim.portTerms) return;
  throw new ReactorError(
    'exists',
    `port ${claim.port} is taken by ${held.url} of endpoint ${quoted(other)} (${held.portTerms}); it cannot serve ${claim.portTerms} too; use another port`,
    { details: { endpoint: other } },
  );
}
