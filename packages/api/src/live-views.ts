import {
  activeHold,
  BURST_WINDOW_MS,
  brakeOf,
  type Cluster,
  coverageOf,
  type DecisionReport,
  type EndpointConfig,
  endpointCalled,
  instanceWord,
  type Json,
  type LogEntry,
  measureSightings,
  measures,
  namesOf,
  type PostedReport,
  serves,
  shownName,
  sightingsOf,
  TOPICS,
  type TrafficReport,
} from '@reactor/core';
import { explainedDecision, instanceRows, instancesOf, metricsOf, newestDecision, statusOf } from './endpoint-views.js';
import { hostRows } from './host-views.js';
import { usableConfig } from './usable-config.js';

/** The rows of the boards that open pages see (live-wire.ts of the client says their shapes). Pure. */

/** JSON text by the name of the row. */
export type Rows = ReadonlyMap<string, string>;

export interface LiveFacts {
  readonly cluster: Cluster;
  readonly traffic: ReadonlyMap<string, TrafficReport>;
  readonly posted: ReadonlyMap<string, readonly PostedReport[]>;
  /** What was published, by topic. */
  readonly decisions: ReadonlyMap<string, Json>;
  readonly nowMs: number;
  /** Of the daemon that answers. */
  readonly version: string;
  readonly host: string;
  readonly problems: readonly string[];
  /** Since when all of this is old; null while it is not. */
  readonly staleSinceMs: number | null;
}

const rowsOf = (rows: readonly (readonly [string, object])[]): Rows =>
  new Map(rows.map(([key, row]) => [key, JSON.stringify(row)] as const));

// ------------------------------------------------------------------------------------------------------------ the cluster

export function overviewRows(facts: LiveFacts): Rows {
  const { cluster, version, host, problems, staleSinceMs, nowMs } = facts;
  const rates = ratesOf(facts);
  const brake = brakeOf(cluster, nowMs);
  const head = {
    ...{ id: cluster.id, version, host, staleSinceMs, problem: null },
    leader: cluster.leader?.value.host ?? null,
    // The leader's own problems have it, too.
    alarms: [...new Set([...(brake === null ? [] : [brake.words]), ...problems])],
  };
  // What fills pages is left out, and what changes with every word a host says.
  const hosts = hostRows(cluster, facts.traffic).map(
    ({ images: _images, containers: _containers, heartbeatMs, ...row }) =>
      [`host/${row.id}`, { ...row, heartbeatMs: row.state === 'lost' ? heartbeatMs : null }] as const,
  );
  const endpoints = [...cluster.endpoints.values()].filter(({ value }) => value.state !== 'REMOVED');
  const rows = endpoints.map(({ value }) => [`endpoint/${value.name}`, overviewRow(facts, value.name, rates)] as const);
  return rowsOf([['cluster', head], ...hosts, ...rows]);
}

/** Where there is no view at all: what was shown stays, and says why it is old. */
export function troubleRow(rows: Rows, error: Error): Rows {
  const former: unknown = JSON.parse(rows.get('cluster') ?? '{}');
  return new Map([...rows, ['cluster', JSON.stringify({ ...(former as object), problem: error.message })]]);
}

function overviewRow(facts: LiveFacts, stored: string, rates: ReadonlyMap<string, number>): object {
  const { cluster } = facts;
  const { state, document } = cluster.endpoints.get(stored)!.value;
  const views = instancesOf(cluster, stored);
  const meant = views.filter(({ record }) => record.phase === 'run');
  const decision = decisionOf(facts, stored);
  const [name = stored, ...aliases] = namesOf(cluster, stored);
  return {
    ...{ name, aliases, state },
    url: document['endpoint']?.['url'] ?? null,
    target: decision?.record.target ?? null,
    instances: meant.length,
    ready: meant.filter(serves).length,
    draining: views.filter((view) => instanceWord(view) === 'draining').length,
    rate: rates.get(stored) ?? null,
    sentence: decision?.record.sentence ?? null,
    trouble: troubleOf(cluster, stored),
  };
}

/** What somebody should look at: the configuration that no load balancer takes, or the newest failure of an instance. */
function troubleOf(cluster: Cluster, stored: string): string | null {
  for (const { value } of cluster.balancers.values()) {
    if (Object.hasOwn(value.setAside, stored)) return `${value.host} does not serve it: ${value.setAside[stored]}`;
  }
  const failing = instancesOf(cluster, stored).find(({ report }) => report !== null && report.error !== null);
  return failing === undefined ? null : `${failing.record.id} on ${failing.record.host}: ${failing.report?.error}`;
}

/** Requests per second of every endpoint over its window, as its last decision saw it. */
function ratesOf(facts: LiveFacts): ReadonlyMap<string, number> {
  const { nowMs } = facts;
  const reports = [...facts.traffic.values()];
  const rates = new Map<string, number>();
  for (const [endpoint, sightings] of sightingsOf(reports)) {
    const windowMs = decisionOf(facts, endpoint)?.record.scaling.windowMs ?? BURST_WINDOW_MS;
    const options = { nowMs, windowMs, expectedSources: 1, instances: 1, quantiles: false };
    const { rate } = measureSightings(sightings, coverageOf(reports, nowMs, windowMs), options).metrics;
    // Three digits are all that is shown, and a row that differs in the fourth is no news.
    if (rate !== undefined) rates.set(endpoint, Number(rate.value.toPrecision(3)));
  }
  return rates;
}

const decisionOf = (facts: LiveFacts, stored: string): DecisionReport | null =>
  newestDecision(facts.cluster, stored, facts.decisions, TOPICS.decision(stored)) as unknown as DecisionReport | null;

// ------------------------------------------------------------------------------------------------------------ an endpoint

/** `called` may be any of its names; `log` are its newest lines. */
export function endpointRows(called: string, facts: LiveFacts, log: readonly LogEntry[]): Rows {
  const { cluster, nowMs } = facts;
  const endpoint = endpointCalled(cluster, called);
  if (endpoint === null) return rowsOf([['status', { missing: true }]]);
  const stored = endpoint.value.name;
  const config = usableConfig(endpoint.value.document);
  const decision = explainedDecision(cluster, stored, decisionOf(facts, stored) as unknown as Json);
  const status = {
    ...statusOf(cluster, endpoint, { config, decision, nowMs }),
    name: shownName(cluster, stored),
    url: endpoint.value.document['endpoint']?.['url'] ?? null,
    revision: endpoint.revision,
    hold: activeHold(endpoint.value.hold, nowMs),
    scaling: config?.scaling ?? null,
  };
  const reports = [...facts.traffic.values()];
  const instances = instanceRows(cluster, stored, reports) as readonly { readonly id: string }[];
  return rowsOf([
    ['status', status],
    ...(config === null ? [] : [['metrics', metricsRow(facts, stored, config)] as const]),
    ...(decision === null ? [] : [['decision', decision as object] as const]),
    ...instances.map((row) => [`instance/${row.id}`, row] as const),
    ...log.map((entry) => [`log/${entry.seq}`, entry] as const),
  ]);
}

/** What each instance bears now, and how many there are: one point of every chart. */
function metricsRow(facts: LiveFacts, stored: string, config: EndpointConfig): object {
  const { cluster, nowMs } = facts;
  const reports = [...facts.traffic.values()];
  const heardMs = Math.max(...reports.map(({ atMs }) => atMs), Number.NEGATIVE_INFINITY);
  const posted = facts.posted.get(stored) ?? [];
  const measured = metricsOf(cluster, cluster.endpoints.get(stored)!, config, { reports, posted, nowMs });
  // No request in the window is a rate of nothing; times and shares have nothing to be of.
  const silent = reports.length > 0 && measures(config.loadBalancer, 'rate') ? { rate: 0, bytes: 0 } : {};
  const views = instancesOf(cluster, stored);
  const decision = decisionOf(facts, stored);
  return {
    atMs: Number.isFinite(heardMs) ? heardMs : Math.floor(nowMs / 1000) * 1000,
    values: { ...silent, ...measured },
    ready: views.filter(serves).length,
    target: decision?.record.target ?? null,
    shadowTarget: decision?.shadow?.target ?? null,
  };
}
