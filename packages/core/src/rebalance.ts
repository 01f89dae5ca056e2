import type { Cluster } from './cluster.js';
import type { InstanceView } from './lifecycle.js';
import type { InstanceRecord } from './model.js';
import { type HostCandidate, type PlacementRequest, type PlacementResult, place, softMet } from './placement.js';
import { drainHoldout } from './retire.js';

/**
 * Evening out the hosts after one has joined: an instance of the fullest host moves to the emptiest that may take it, when
 * that host even afterwards holds no more of its slots than the other then still does. On like hosts this is a difference
 * of two instances or more. Four properties, which the tests name:
 *
 *  1. At most one instance of the whole cluster begins to move in a round, and at most one of an endpoint is on its way.
 *  2. It ends. Let M be the slots meant on a host and T its total: every move takes at least k(k/Ts + k/Tt) off the sum of
 *     M*M/T, k being the slots of the instance; so none can be taken back, and there are finitely many.
 *  3. Nothing moves while a load balancer has yet to take out what an earlier move retired.
 *  4. A host that refuses the endpoint, or meets fewer of its soft rules, is never moved to.
 */
export interface Rebalancing {
  movesLeft: number;
  /** Slots of the instances that are meant to stay, by host: neither draining ones nor those whose successor has begun. */
  meant(): ReadonlyMap<string, number>;
}

export function openRebalancing(cluster: Cluster): Rebalancing {
  let known: ReadonlyMap<string, number> | null = null;
  return {
    movesLeft: 1,
    meant: () => {
      known ??= meantSlots([...cluster.instances.values()].map(({ value }) => value));
      return known;
    },
  };
}

function meantSlots(instances: readonly InstanceRecord[]): ReadonlyMap<string, number> {
  const running = instances.filter(({ phase }) => phase === 'run');
  const superseded = new Set(running.map(({ replaces }) => replaces));
  const slots = new Map<string, number>();
  for (const { id, host, slots: taken } of running) {
    if (!superseded.has(id)) slots.set(host, (slots.get(host) ?? 0) + taken);
  }
  return slots;
}

export interface Move {
  readonly instance: string;
  readonly from: string;
  readonly placed: PlacementResult & { readonly kind: 'placed' };
}

export interface MoveQuestion {
  readonly cluster: Cluster;
  readonly meant: ReadonlyMap<string, number>;
  readonly own: readonly InstanceView[];
  readonly isCurrent: (view: InstanceView) => boolean;
  readonly request: PlacementRequest;
  readonly candidates: () => readonly HostCandidate[];
}

/** Which instance of an endpoint to move and where to; null when all is even, or not yet at rest. */
export function findMove(question: MoveQuestion): Move | null {
  const { own, cluster, request } = question;
  if (request.placement.strategy === 'binpack') return null;
  const running = own.filter(({ record }) => record.phase === 'run');
  const sources = [...new Set(running.map(({ record }) => record.host))].filter((host) => cluster.hosts.has(host));
  const evens = gainOf(question);
  // Most rounds end here: asking every filter of every host is what costs.
  if (!sources.some((source) => [...cluster.hosts.keys()].some((target) => evens(source, target)))) return null;
  if (!isAtRest(question, running)) return null;

  const candidates = question.candidates();
  const { refusals } = place(request, candidates, () => 0);
  const refused = new Set(refusals.map(({ host }) => host));
  const byId = new Map(candidates.map((candidate) => [candidate.record.id, candidate]));
  const fit = candidates.filter(({ record, recentFailures }) => recentFailures === 0 && !refused.has(record.id));
  const fullness = (host: string): number => (question.meant.get(host) ?? 0) / (cluster.hosts.get(host)?.value.slots || 1);
  const byFullness = (a: string, b: string): number => fullness(a) - fullness(b) || (a < b ? -1 : 1);
  const targets = fit.map(({ record }) => record.id).sort(byFullness);
  for (const source of sources.sort((a, b) => byFullness(b, a))) {
    const met = softMet(request.placement, byId.get(source)!);
    const host = targets.find((target) => evens(source, target) && softMet(request.placement, byId.get(target)!) >= met);
    if (host === undefined) continue;
    const { record } = running.filter((view) => view.record.host === source).sort(byUse)[0]!;
    const reason = `evens out the hosts: ${percent(fullness(source))} of ${source} is in use, ${percent(fullness(host))} of ${host}`;
    return { instance: record.id, from: source, placed: { kind: 'placed', host, refusals, reason } };
  }
  return null;
}

const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;

/** Fewest open connections, then the youngest: the least is lost with it. */
const byUse = (a: InstanceView, b: InstanceView): number =>
  a.active - b.active || b.record.createdAtMs - a.record.createdAtMs || (a.record.id < b.record.id ? -1 : 1);

/** Whether a move leaves the target no fuller than the source. Multiplied out, so that it is exact in whole numbers. */
function gainOf({ cluster, meant, request }: MoveQuestion): (source: string, target: string) => boolean {
  const asked = request.placement.slots;
  return (source, target) => {
    const [from, to] = [cluster.hosts.get(source)?.value.slots ?? 0, cluster.hosts.get(target)?.value.slots ?? 0];
    if (source === target || to === 0) return false;
    return ((meant.get(source) ?? 0) - asked) * to >= ((meant.get(target) ?? 0) + asked) * from;
  };
}

/** All instances are as they should be, none is being succeeded, and every load balancer has taken out what was retired before. */
function isAtRest({ own, cluster, isCurrent }: MoveQuestion, running: readonly InstanceView[]): boolean {
  const ids = new Set(running.map(({ record }) => record.id));
  const still = running.every((view) => view.status === 'ready' && isCurrent(view) && !ids.has(view.record.replaces ?? ''));
  if (!still) return false;
  const leaving = own.filter(({ record }) => record.phase !== 'run');
  return leaving.every((view) => drainHoldout(view, cluster) === null);
}
