import { resolveEndpoint } from '@reactor/config';
import {
  type Cluster,
  type EndpointHistory,
  type HostCandidate,
  NO_FAILURES,
  openLedger,
  place,
  ReactorError,
  recentFailures,
  verdictsOf,
} from '@reactor/core';
import type { ApiContext } from './context.js';
import { absentHost, knownHosts } from './host-views.js';
import { liveEndpoint } from './names.js';
import { quoted } from './offending-value.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** Where the next instance of an endpoint would go now, and why not elsewhere. Asks the same function as the controller; nothing is reserved. */
export const PLACEMENT_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/placement', showPlacement, {
    summary: 'Where its next instance would go, and why not elsewhere',
    gives: shape('Placement'),
  }),
];

/** More rows than this nobody reads; the rest is counted. */
const SHOWN_HOSTS_MAX = 100;

async function showPlacement(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name, endpoint, cluster } = await liveEndpoint(request, context);
  const { config } = resolveEndpoint(endpoint.value.document);
  const { container, placement, port } = config;
  if (container === null) {
    throw new ReactorError('request_invalid', `endpoint ${quoted(name)} starts no instances: set [endpoint] cloud`);
  }
  const candidates = candidatesFor(cluster, name, context.now());
  // Chance is the controller's: of hosts that fit equally the first stands for all.
  const asked = { endpoint: name, placement, container, port };
  const result = place(asked, candidates, () => 0);
  return json({
    endpoint: name,
    strategy: placement.strategy,
    ...verdictsOf(asked, candidates, result, { limit: SHOWN_HOSTS_MAX }),
  });
}

/** Hosts that are away are asked too, so that each host one knows of gets its answer. */
function candidatesFor(cluster: Cluster, endpoint: string, nowMs: number): readonly HostCandidate[] {
  const history = (cluster.histories.get(endpoint)?.value ?? null) as unknown as EndpointHistory | null;
  const failures = history?.failures ?? NO_FAILURES;
  const used = { slots: 0, cpus: 0, memoryBytes: 0 };
  const away = knownHosts(cluster)
    .filter((id) => !cluster.hosts.has(id))
    .map((id) => ({ record: absentHost(id), lost: true, draining: false, used, placed: [], recentFailures: 0 }));
  return [...openLedger(cluster).candidates((host) => recentFailures(failures, host, nowMs)), ...away];
}
