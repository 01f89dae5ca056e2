import {
  type At,
  activeHold,
  addressText,
  type Cluster,
  type DecisionReport,
  type EndpointConfig,
  type EndpointRecord,
  type InstanceView,
  type InstanceWord,
  instanceWord,
  type Json,
  measure,
  measures,
  openConnections,
  type PostedReport,
  serves,
  shownName,
  staticBackendId,
  type TrafficReport,
  viewInstance,
  withPosted,
} from '@reactor/core';

/** What the API shows of an endpoint, worked out from the cluster state of one moment. Pure. */

const WORDS: readonly InstanceWord[] = [
  'starting',
  'ready',
  'dropped',
  'unhealthy',
  'dead',
  'unknown',
  'draining',
  'errored',
  'stopping',
];

/** All instances that carry the endpoint's name, oldest first; those of a removed namesake too, as long as they exist. */
export function instancesOf(cluster: Cluster, endpoint: string): readonly InstanceView[] {
  return (cluster.instancesOf.get(endpoint) ?? [])
    .map((instance) => viewInstance(instance, cluster, () => 0))
    .sort((a, b) => a.record.createdAtMs - b.record.createdAtMs || (a.record.id < b.record.id ? -1 : 1));
}

export const addressOf = (view: InstanceView): string | null => {
  const address = view.report?.address ?? null;
  return address === null ? null : addressText(address.host, address.port);
};

/** `ip:port` of the instances that serve; static ones are not instances. */
export function servingAddresses(cluster: Cluster, endpoint: string): readonly string[] {
  return instancesOf(cluster, endpoint)
    .filter(serves)
    .map(addressOf)
    .filter((address) => address !== null);
}

export interface StatusFacts {
  /** Null when the stored one cannot be used. */
  readonly config: EndpointConfig | null;
  readonly decision: Json;
  readonly nowMs: number;
}

export function statusOf(cluster: Cluster, endpoint: At<EndpointRecord>, { config, decision, nowMs }: StatusFacts): object {
  const { name, state } = endpoint.value;
  const counts = new Map(WORDS.map((word) => [word, 0]));
  for (const view of instancesOf(cluster, name)) {
    const word = instanceWord(view);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const fixed = (config?.staticInstances ?? []).map(({ host, port }) => `${host}:${port}`);
  const setAside = [...cluster.balancers.values()]
    .filter(({ value }) => Object.hasOwn(value.setAside, name))
    .map(({ value }) => [value.host, value.setAside[name]] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    state,
    active: [...servingAddresses(cluster, name), ...fixed],
    manager: cluster.leader?.value.host ?? null,
    target: targetOf(decision),
    shadow: shadowOf(decision),
    hold: activeHold(endpoint.value.hold, nowMs),
    instances: Object.fromEntries(counts),
    setAside: Object.fromEntries(setAside),
  };
}

export function rowOf(cluster: Cluster, endpoint: At<EndpointRecord>, decision: Json): object {
  const { name, state, document, changedAtMs } = endpoint.value;
  const meant = instancesOf(cluster, name).filter((view) => view.record.phase === 'run');
  return {
    name,
    state,
    url: document['endpoint']?.['url'] ?? null,
    instances: meant.length,
    ready: meant.filter(serves).length,
    target: targetOf(decision),
    revision: endpoint.revision,
    changedAtMs,
  };
}

/** Ids by state in the words of 2013: retired but alive, failed, being stopped. */
export function instanceLists(cluster: Cluster, endpoint: string): object {
  const lists: Record<'active' | 'decommissioned' | 'errored' | 'discarded', string[]> = {
    active: [],
    decommissioned: [],
    errored: [],
    discarded: [],
  };
  for (const { record } of instancesOf(cluster, endpoint)) {
    if (record.phase === 'run') lists.active.push(record.id);
    else if (record.phase === 'remove') lists.discarded.push(record.id);
    else lists[record.errored ? 'errored' : 'decommissioned'].push(record.id);
  }
  return lists;
}

/** `reports` is what the load balancers said last; open connections are unknown while none said anything. */
export function instanceRows(cluster: Cluster, endpoint: string, reports: readonly TrafficReport[]): readonly object[] {
  const called = shownName(cluster, endpoint);
  return instancesOf(cluster, endpoint).map((view) => ({
    id: view.record.id,
    endpoint: called,
    host: view.record.host,
    state: instanceWord(view),
    phase: view.record.phase,
    address: addressOf(view),
    createdAtMs: view.record.createdAtMs,
    readyAtMs: view.report?.readyAtMs ?? null,
    active: reports.length === 0 ? null : openConnections(endpoint, view.record.id, reports),
    slots: view.record.slots,
    error: view.report?.error ?? null,
  }));
}

/** The same with what every host answered to the newest start, unless the decision itself tells it. */
export function explainedDecision(cluster: Cluster, endpoint: string, decision: Json): Json {
  const kept = memberOf(cluster.histories.get(endpoint)?.value ?? null, 'placement');
  const told = memberOf(decision, 'placement') !== null;
  return told || kept === null || decision === null || typeof decision !== 'object' ? decision : { ...decision, placement: kept };
}

/** The newest of what was published and what is remembered; null before the first decision. */
export function newestDecision(cluster: Cluster, endpoint: string, published: ReadonlyMap<string, Json>, topic: string): Json {
  const live = published.get(topic) ?? null;
  const history = cluster.histories.get(endpoint)?.value ?? null;
  const kept = memberOf(history, 'decision');
  return timeOf(kept) > timeOf(live) ? kept : live;
}

const timeOf = (decision: Json): number => {
  const atMs = memberOf(decision, 'atMs' satisfies keyof DecisionReport);
  return typeof atMs === 'number' ? atMs : Number.NEGATIVE_INFINITY;
};

/** What the candidate in shadow_rules would do; null without one. */
function shadowOf(decision: Json): Json {
  const shadow = memberOf(decision, 'shadow' satisfies keyof DecisionReport);
  return shadow === null
    ? null
    : { rules: memberOf(shadow, 'rules'), instances: memberOf(shadow, 'instances'), target: memberOf(shadow, 'target') };
}

export function targetOf(decision: Json): number | null {
  const target = memberOf(memberOf(decision, 'record' satisfies keyof DecisionReport), 'target');
  return typeof target === 'number' ? target : null;
}

function memberOf(value: Json, name: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return null;
  return (value as { readonly [key: string]: Json })[name] ?? null;
}

/** Times and shares say something only about requests that were made. */
const NEED_REQUESTS = ['rate', 'bytes', 'response', 'errors', 'p50', 'p90', 'p95', 'p99'] as const;

export interface Seen {
  /** What the load balancers said last. */
  readonly reports: readonly TrafficReport[];
  /** What programs posted about the endpoint. */
  readonly posted: readonly PostedReport[];
  readonly nowMs: number;
}

/**
 * The averages per instance that 2013 answered: loads divided by the instances that serve, times as they are. An endpoint
 * without a request in its window has nothing to average but its open connections and what was posted.
 */
export function metricsOf(
  cluster: Cluster,
  { value: { name: endpoint } }: At<EndpointRecord>,
  config: EndpointConfig,
  { reports, posted, nowMs }: Seen,
): Readonly<Record<string, number>> {
  const views = instancesOf(cluster, endpoint).filter((view) => view.record.phase === 'run');
  const serving = views.filter(serves).length + config.staticInstances.length;
  const { windowMs } = config.scaling;
  const measured = measure(reports, endpoint, {
    nowMs,
    windowMs,
    // A lost host's load balancer is not waited for.
    expectedSources: [...cluster.balancers.keys()].filter((host) => cluster.hosts.has(host)).length,
    instances: serving,
    balancer: config.loadBalancer,
  });
  const backends = new Set([...views.map((view) => view.record.id), ...config.staticInstances.map(staticBackendId)]);
  const { metrics, requests } = withPosted(measured, posted, { nowMs, windowMs, backends, expected: 0 });
  const given = posted.flatMap(({ values }) => Object.keys(values)).filter((name) => Object.hasOwn(metrics, name));
  const own = ['active', 'pending', ...(requests > 0 ? NEED_REQUESTS : [])];
  const shown = new Set([...own.filter((name) => measures(config.loadBalancer, name)), ...given.sort()]);
  const averages = [...shown].flatMap((name) => {
    const reading = Object.hasOwn(metrics, name) ? metrics[name] : undefined;
    if (reading === undefined) return name === 'active' ? [[name, 0] as const] : [];
    return [[name, reading.kind === 'total' ? reading.value / Math.max(1, serving) : reading.value] as const];
  });
  return Object.fromEntries(averages);
}

/** Of one backend: its open connections, and what was posted about it and still counts. */
export function backendMetrics(
  endpoint: string,
  backend: string,
  config: EndpointConfig,
  { reports, posted, nowMs }: Seen,
): Readonly<Record<string, number>> {
  const own = posted.filter((report) => report.backend === backend);
  const nothing = { metrics: {}, requests: 0, partial: false };
  const { windowMs } = config.scaling;
  const { metrics } = withPosted(nothing, own, { nowMs, windowMs, backends: new Set([backend]), expected: 0 });
  const values = Object.entries(metrics).map(([name, { value }]) => [name, value] as const);
  return Object.fromEntries([['active', openConnections(endpoint, backend, reports)], ...values]);
}
