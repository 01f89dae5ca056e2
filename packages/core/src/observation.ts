import type { At, Cluster } from './cluster.js';
import { BURST_WINDOW_MS, type Measurement } from './decision-input.js';
import type { Resolved } from './endpoint-draft.js';
import { endpointCalled } from './endpoint-names.js';
import { viewInstance } from './lifecycle.js';
import type { EndpointRecord } from './model.js';
import { withPosted } from './posted-measurement.js';
import type { PostedReport } from './posted-metrics.js';
import { backendsOwner, staticBackendId } from './serving.js';
import type { TrafficReport } from './traffic.js';
import { type Coverage, coverageOf, measureSightings, type Sighting, sightingsOf } from './traffic-window.js';

/**
 * What is known of endpoints in one round: what the load balancers saw, under whichever url its backends were asked, and
 * what programs posted. Found out once a round, for there may be a thousand endpoints and a hundred hosts.
 */
export interface Observation {
  /** What each load balancer saw of an endpoint's backends. */
  sightings(endpoint: string): readonly Sighting[];
  /** What the endpoint is to be decided by; `instances` and `settled` are its own, whoever's metrics these are. */
  measure(
    endpoint: At<EndpointRecord>,
    resolved: Resolved,
    own: { readonly instances: number; readonly settled: number },
  ): { readonly stable: Measurement; readonly burst: Measurement };
}

export interface ObservationInput {
  readonly nowMs: number;
  readonly cluster: Cluster;
  /** Of the endpoints whose configuration can be used. */
  readonly resolved: ReadonlyMap<string, Resolved>;
  /** Of all hosts, by host. */
  readonly reports: readonly TrafficReport[];
  /** Of those hosts that should report: what a lost host saw counts, but it must not stand in for a live one that is silent. */
  readonly voices: readonly TrafficReport[];
  readonly expectedSources: number;
  readonly posted: ReadonlyMap<string, readonly PostedReport[]>;
}

export function observe(input: ObservationInput): Observation {
  const { nowMs, cluster, expectedSources } = input;
  const seen = sightingsOf(input.reports);
  const borrowers = borrowersOf(input);
  const coverage = onceEach((windowMs) => coverageOf(input.voices, nowMs, windowMs));

  const sightings = (name: string): readonly Sighting[] => {
    const own = seen.get(name) ?? [];
    const others = borrowers.get(name) ?? [];
    if (others.length === 0) return own;
    const kinds = new Map<string, Sighting[]>();
    for (const one of [name, ...others]) {
      const kind = input.resolved.get(one)?.config.loadBalancer ?? '';
      kinds.set(kind, [...(kinds.get(kind) ?? []), ...(seen.get(one) ?? [])]);
    }
    return [...kinds.values()].flatMap(joined);
  };

  const measure: Observation['measure'] = (endpoint, { config }, { instances, settled }) => {
    const { windowMs, rules } = config.scaling;
    const named = config.metricsSource;
    const source = named === null ? endpoint.value.name : endpointCalled(cluster, named)?.value.name;
    const of = (measuredMs: number, quantiles: boolean): Measurement => {
      const balancer = source === undefined ? null : (input.resolved.get(source)?.config.loadBalancer ?? null);
      const options = { nowMs, expectedSources, instances, settled, windowMs: measuredMs, quantiles, balancer };
      // Not its own instead: numbers that were never meant to decide could take most of it away.
      if (source === undefined) return measureSightings([], NOTHING_HEARD, options);
      const measured = measureSightings(sightings(source), coverage(measuredMs), options);
      const reports = input.posted.get(source);
      return reports === undefined
        ? measured
        : withPosted(measured, reports, { nowMs, windowMs, ...postersOf(source, input, windowMs) });
    };
    const [stable, burst] = [of(windowMs, true), of(BURST_WINDOW_MS, false)];
    if (source !== undefined) return { stable, burst };
    const dropped = rules.map(({ metric }) => [metric, `metrics_source '${named}' is no endpoint`] as const);
    return { stable: { ...stable, dropped: Object.fromEntries(dropped) }, burst };
  };
  return { sightings, measure };
}

const NOTHING_HEARD: Coverage = { reported: 0, newestMs: Number.NEGATIVE_INFINITY, incomplete: false };

/** By endpoint, the others under whose url its backends are served. */
function borrowersOf({ resolved, cluster }: ObservationInput): ReadonlyMap<string, readonly string[]> {
  const borrowers = new Map<string, string[]>();
  for (const [name, { config }] of resolved) {
    const owner = backendsOwner(name, config, cluster);
    if (owner !== name) borrowers.set(owner, [...(borrowers.get(owner) ?? []), name]);
  }
  return borrowers;
}

/**
 * One list of what one kind of load balancer saw of the same backends under several urls. Requests add up. Connections do not:
 * they are counted by address, so each url tells all of them, and of one report only the fullest is heard about them.
 */
function joined(sightings: readonly Sighting[]): readonly Sighting[] {
  const leads = new Map<TrafficReport, Sighting>();
  for (const sighting of sightings) {
    const lead = leads.get(sighting.report);
    if (lead === undefined || sighting.traffic.active > lead.traffic.active) leads.set(sighting.report, sighting);
  }
  return sightings.map((sighting) =>
    leads.get(sighting.report) === sighting
      ? sighting
      : { report: sighting.report, traffic: { ...sighting.traffic, active: 0, backends: {} } },
  );
}

/** Who may post about an endpoint's backends. Static ones count when they do; whether they can nobody knows. */
function postersOf(
  name: string,
  { cluster, resolved, nowMs }: ObservationInput,
  windowMs: number,
): { readonly backends: ReadonlySet<string>; readonly expected: number } {
  const uid = cluster.endpoints.get(name)?.value.uid;
  const meant = (cluster.instancesOf.get(name) ?? []).filter(({ value }) => value.phase === 'run' && value.endpointUid === uid);
  const fixed = (resolved.get(name)?.config.staticInstances ?? []).map(staticBackendId);
  const settled = meant
    .map((instance) => viewInstance(instance, cluster, () => 0))
    .filter(({ status, report }) => status === 'ready' && (report?.readyAtMs ?? nowMs) <= nowMs - windowMs);
  return { backends: new Set([...meant.map(({ value }) => value.id), ...fixed]), expected: settled.length };
}

/** `of`, asked once for each number: a thousand endpoints have but a few windows. */
function onceEach<T>(of: (asked: number) => T): (asked: number) => T {
  const known = new Map<number, T>();
  return (asked) => {
    const answer = known.get(asked) ?? of(asked);
    known.set(asked, answer);
    return answer;
  };
}
