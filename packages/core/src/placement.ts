import { checkCapacity, type Need, needsOf, share } from './capacity.js';
import type { ContainerConfig, Expression, HostRecord, PlacementConfig } from './model.js';
import { affinityCandidates, constraintCandidates, containerWords, matches } from './placement-expression.js';

/**
 * Which host gets the next instance, or why none does. Six filters in a fixed order, each of which says why it refuses;
 * then soft rules, then the strategy, then the lowest host id, so that the same input always gives the same answer.
 */

export interface HostCandidate {
  readonly record: HostRecord;
  /** Its lease is gone. */
  readonly lost: boolean;
  readonly draining: boolean;
  /** Of every instance placed there that is not yet known to be gone; memory in bytes. */
  readonly used: { readonly slots: number; readonly cpus: number; readonly memoryBytes: number };
  /** Those instances. `hostPort` is the port one takes on the host: a published one, or its own with the host's network. */
  readonly placed: readonly {
    readonly endpoint: string;
    readonly instance: string;
    readonly hostPort: number | null;
    readonly network: string | null;
  }[];
  /** `placed` counted by endpoint; where it is absent placement counts itself. */
  readonly ofEndpoint?: ReadonlyMap<string, number>;
  /** Failed starts of this endpoint there in the last five minutes. */
  readonly recentFailures: number;
}

export interface PlacementRequest {
  readonly endpoint: string;
  readonly placement: PlacementConfig;
  readonly container: ContainerConfig;
  /** The port the instance listens on, in the container; 0 for none. */
  readonly port: number;
}

export type Filter = 'health' | 'port' | 'capacity' | 'dependency' | 'affinity' | 'constraint';

export interface Refusal {
  /** Host id. */
  readonly host: string;
  readonly filter: Filter;
  readonly reason: string;
}

export type PlacementResult =
  | { readonly kind: 'placed'; readonly host: string; readonly refusals: readonly Refusal[]; readonly reason: string }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[]; readonly summary: string };

/** What an instance takes on its host; 0 is not asked for and not checked. */
export interface Demand {
  readonly slots: number;
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** Three failed starts are no accident of one container; a fourth is tried only where nothing else is left. */
const FAILURES_MAX = 3;
/** A sentence naming more hosts than this helps nobody; the refusals themselves are complete. */
const SUMMARY_HOSTS_MAX = 10;

/** The reservation is what is promised, so it counts where it is set; else the limit. */
export function demandOf(placement: PlacementConfig, container: ContainerConfig): Demand {
  const memoryBytes = container.memReservationBytes > 0 ? container.memReservationBytes : container.memLimitBytes;
  return { slots: placement.slots, cpus: container.cpus, memoryBytes };
}

/**
 * `random` answers in [0, 1) and is asked only by the strategy of that name. Every host is either the one picked, a
 * candidate that ranked lower, or in `refusals` with its one reason.
 */
export function place(request: PlacementRequest, hosts: readonly HostCandidate[], random: () => number): PlacementResult {
  const needs = needsOf(demandOf(request.placement, request.container));
  const ordered = inOrder(hosts) ? hosts : [...hosts].sort((a, b) => compareText(a.record.id, b.record.id));
  const fit: HostCandidate[] = [];
  const lastResort: HostCandidate[] = [];
  const refusals: Refusal[] = [];
  for (const host of ordered) {
    const refusal = refuse(request, needs, host);
    const failing = host.recentFailures >= FAILURES_MAX;
    if (refusal === null && !failing) fit.push(host);
    if (refusal === null && failing) lastResort.push(host);
    if (failing && refusal?.filter !== 'health') refusals.push(failureRefusal(host));
    else if (refusal !== null) refusals.push(refusal);
  }

  const desperate = fit.length === 0 && lastResort.length > 0;
  const candidates = desperate ? lastResort : fit;
  if (candidates.length === 0) return { kind: 'refused', refusals, summary: summarize(refusals, hosts) };
  const left = desperate ? refusals.filter(({ host }) => !lastResort.some(({ record }) => record.id === host)) : refusals;
  const preferred = preferSoft(request.placement, candidates);
  const host = pick(request, needs, preferred, random);
  const reason = explain(request, needs, host, desperate);
  return { kind: 'placed', host: host.record.id, refusals: left, reason };
}

/** The ledger hands its hosts over in order; asking is cheaper than sorting a hundred hosts for every start. */
const inOrder = (hosts: readonly HostCandidate[]): boolean =>
  hosts.every((host, index) => index === 0 || compareText(hosts[index - 1]!.record.id, host.record.id) <= 0);

// ------------------------------------------------------------------------------------------------------------ filters

type FilterCheck = (request: PlacementRequest, needs: readonly Need[], host: HostCandidate) => string | null;

/** In the order they are asked; a host is told the first that refuses it. */
const FILTERS: readonly (readonly [Filter, FilterCheck])[] = [
  ['health', (_request, _needs, host) => checkHealth(host)],
  ['port', (request, _needs, host) => checkPort(request, host)],
  ['capacity', (_request, needs, host) => checkCapacity(needs, host)],
  ['dependency', (request, _needs, host) => checkDependencies(request.container, host)],
  ['affinity', (request, _needs, host) => checkAffinity(request.placement.affinity, host)],
  ['constraint', (request, _needs, host) => checkConstraints(request.placement.constraints, host)],
];

function refuse(request: PlacementRequest, needs: readonly Need[], host: HostCandidate): Refusal | null {
  for (const [filter, check] of FILTERS) {
    const reason = check(request, needs, host);
    if (reason !== null) return { host: host.record.id, filter, reason };
  }
  return null;
}

function checkHealth(host: HostCandidate): string | null {
  if (host.lost) return 'lost';
  if (host.draining) return 'draining';
  return host.record.dockerError === null ? null : `Docker: ${host.record.dockerError}`;
}

function failureRefusal(host: HostCandidate): Refusal {
  return { host: host.record.id, filter: 'health', reason: `${host.recentFailures} starts failed there lately` };
}

function checkPort(request: PlacementRequest, host: HostCandidate): string | null {
  const { hostPort, network } = request.container;
  const wanted = network === 'host' && request.port > 0 ? request.port : hostPort;
  if (wanted === null) return null;
  const mine = host.placed.find((instance) => instance.hostPort === wanted);
  if (mine !== undefined) return `port ${wanted} is taken by ${mine.endpoint}`;
  const foreign = host.record.containers.find(({ hostPorts }) => hostPorts.includes(wanted));
  return foreign === undefined ? null : `port ${wanted} is taken by container ${containerWords(foreign).at(-1)}`;
}

function checkDependencies(container: ContainerConfig, host: HostCandidate): string | null {
  const wanted = container.volumesFrom.map((item) => item.split(':')[0]!);
  if (container.network?.startsWith('container:')) wanted.push(container.network.slice('container:'.length));
  if (wanted.length === 0) return null;
  const there = affinityCandidates(host, 'container');
  const missing = wanted.find((name) => !there.includes(name));
  return missing === undefined ? null : `needs container ${missing}, which is not there`;
}

function checkAffinity(expressions: readonly Expression[], host: HostCandidate): string | null {
  const broken = expressions.find((each) => !each.soft && !matches(each, affinityCandidates(host, each.key)));
  return broken === undefined ? null : `affinity ${broken.text} (${broken.op === '==' ? 'not there' : 'there'})`;
}

function checkConstraints(expressions: readonly Expression[], host: HostCandidate): string | null {
  const broken = expressions.find((each) => !each.soft && !matches(each, constraintCandidates(host.record, each.key)));
  if (broken === undefined) return null;
  const found = constraintCandidates(host.record, broken.key);
  return `constraint ${broken.text} (${found.length === 0 ? 'not set' : `is ${[...new Set(found)].join(' or ')}`})`;
}

// ------------------------------------------------------------------------------------------------------------ ranking

/** How many of its soft rules a host meets. */
export function softMet(placement: PlacementConfig, host: HostCandidate): number {
  const constraints = placement.constraints.filter(
    (each) => each.soft && matches(each, constraintCandidates(host.record, each.key)),
  );
  const affinity = placement.affinity.filter((each) => each.soft && matches(each, affinityCandidates(host, each.key)));
  return constraints.length + affinity.length;
}

/** Hosts that meet the most soft rules; the strategy chooses among them. */
function preferSoft(placement: PlacementConfig, hosts: readonly HostCandidate[]): readonly HostCandidate[] {
  if (softRules(placement) === 0) return hosts;
  return least(hosts, (host) => -softMet(placement, host));
}

const softRules = ({ constraints, affinity }: PlacementConfig): number =>
  [...constraints, ...affinity].filter((each) => each.soft).length;

/** `hosts` is not empty and in the order of ids, which is the last tie-break; what costs more is asked of ever fewer hosts. */
function pick(
  request: PlacementRequest,
  needs: readonly Need[],
  hosts: readonly HostCandidate[],
  random: () => number,
): HostCandidate {
  const { strategy } = request.placement;
  if (strategy === 'random') return hosts[Math.min(hosts.length - 1, Math.floor(random() * hosts.length))]!;
  const ofEndpoint = (host: HostCandidate): number =>
    host.ofEndpoint === undefined
      ? host.placed.filter(({ endpoint }) => endpoint === request.endpoint).length
      : (host.ofEndpoint.get(request.endpoint) ?? 0);
  if (strategy === 'binpack') {
    const fullest = least(hosts, (host) => -share(needs, host));
    return least(fullest, ({ placed }) => -placed.length)[0]!;
  }
  const emptiest = least(hosts, (host) => share(needs, host));
  return least(least(emptiest, ofEndpoint), ({ placed }) => placed.length)[0]!;
}

/** Those of the smallest value, in their order. */
function least(hosts: readonly HostCandidate[], rank: (host: HostCandidate) => number): readonly HostCandidate[] {
  let smallest = Number.POSITIVE_INFINITY;
  let chosen: HostCandidate[] = [];
  for (const host of hosts) {
    const value = rank(host);
    if (value > smallest) continue;
    if (value < smallest) chosen = [];
    smallest = value;
    chosen.push(host);
  }
  return chosen;
}

// -------------------------------------------------------------------------------------------------------- explanation

function explain(request: PlacementRequest, needs: readonly Need[], host: HostCandidate, desperate: boolean): string {
  const { placement } = request;
  const soft = softRules(placement);
  const parts = [`${placement.strategy}: ${(share(needs, host) * 100).toFixed(1)} % used after placement`];
  if (soft > 0) parts.push(`${softMet(placement, host)} of ${soft} soft rules met`);
  if (desperate) parts.push(`last resort after ${host.recentFailures} failed starts there`);
  return parts.join('; ');
}

/** One piece per host, commonest cause first; causes equally common come in the order of their first host. */
function summarize(refusals: readonly Refusal[], hosts: readonly HostCandidate[]): string {
  if (refusals.length === 0) return 'there is no host';
  const names = new Map(hosts.map(({ record }) => [record.id, record.name]));
  const causes = new Map<Filter, Refusal[]>();
  for (const refusal of refusals) causes.set(refusal.filter, [...(causes.get(refusal.filter) ?? []), refusal]);
  const ordered = [...causes.values()].sort((a, b) => b.length - a.length || compareText(a[0]!.host, b[0]!.host)).flat();
  const told = ordered.slice(0, SUMMARY_HOSTS_MAX).map(({ host, reason }) => `${names.get(host) ?? host}: ${reason}`);
  if (ordered.length > told.length) told.push(`and ${ordered.length - told.length} more hosts`);
  return told.join('; ');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
