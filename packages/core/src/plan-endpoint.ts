import { isRemoved } from './cluster.js';
import {
  candidatesOf,
  counted,
  type Draft,
  drain,
  type EndpointSteps,
  meantToRun,
  openDraft,
  outdated,
  remove,
  type StepsInput,
  spare,
  start,
  write,
} from './endpoint-draft.js';
import { addFailure, type InstanceView } from './lifecycle.js';
import { awayMs } from './plan-hosts.js';
import { findMove } from './rebalance.js';
import { drainHoldout, drainVerdict, recommissionable, retirementOrder } from './retire.js';
import { CLUSTER_LIMIT_WORDS, recentlyRetired, retirementsOf } from './retirement-limit.js';

/**
 * From a target count to steps, for one endpoint. Counting is in *seats*: an instance meant to run holds one, and a
 * successor shares the seat of the instance it replaces until that one has left. So a dead instance still counts (it is
 * replaced, not forgotten), and a rolling replacement changes no count. Long, but one thing: the stages of one draft.
 */

/** An instance that ends sooner than this after it became ready counts as a failed start: it will do so again. */
const SETTLED_AFTER_MS = 60_000;

export function seatsOf(own: readonly InstanceView[]): number {
  const superseded = new Set(own.filter(meantToRun).map((view) => view.record.replaces));
  return own.filter((view) => meantToRun(view) && !superseded.has(view.record.id)).length;
}

export function stepsFor(input: StepsInput): EndpointSteps {
  const draft = openDraft(input);
  // Paused means hands off: nothing starts or stops, what runs is served.
  if (input.endpoint.state !== 'PAUSED') {
    retireStrangers(draft);
    scaleDown(draft);
    replaceFailed(draft);
    scaleUp(draft);
    rollOver(draft);
    evenOut(draft);
    finishDraining(draft);
    if (draft.refusal !== null) draft.steps.push({ kind: 'wait', instance: null, on: draft.refusal });
  }
  return {
    steps: draft.steps,
    instances: [...draft.written].map(([id, { record, revision }]) => ({ id, record, revision })),
    failures: draft.failing,
    placement: draft.placement,
  };
}

// -------------------------------------------------------------------------------------------------------- the stages

function retireStrangers(draft: Draft): void {
  for (const view of draft.strangers.filter(meantToRun)) drain(draft, view, false, 'its endpoint was removed');
}

/** Stopping an endpoint is not a matter of load, so the ramp does not hold it up. */
function scaleDown(draft: Draft): void {
  const excess = draft.seats - draft.target;
  if (excess <= 0) return;
  const halt = draft.endpoint.state !== 'RUNNING';
  const running = draft.own.filter(meantToRun);
  const successors = new Map(running.filter((view) => view.record.replaces).map((view) => [view.record.replaces, view]));
  const ids = new Set(running.map((view) => view.record.id));
  const seated = running.filter((view) => view.record.replaces === null || !ids.has(view.record.replaces));
  const victims = retirementOrder(seated, draft.isCurrent).slice(0, halt ? excess : allowance(draft, excess));
  const why = halt ? `the endpoint is ${draft.endpoint.state.toLowerCase()}` : `${counted(draft.target)} enough`;
  for (const victim of victims) {
    for (const view of [victim, successors.get(victim.record.id)]) if (view) drain(draft, view, false, why);
  }
}

/** How many of `excess` instances may go in this round, and what the others wait for. */
function allowance(draft: Draft, excess: number): number {
  const { scaling } = draft.resolved.config;
  const { windowMs } = scaling;
  const recent = recentlyRetired(draft.own, draft.nowMs, windowMs);
  const { ramped, above, share } = retirementsOf(excess, draft.seats, recent, scaling);
  if (!draft.byLoad || draft.withheld !== null) return ramped;
  const allowed = above + draft.retirements.take(share - above);
  const refuse = (on: string): number => draft.steps.push({ kind: 'wait', instance: null, on });
  if (allowed < share) refuse(`the cluster's retirements: ${CLUSTER_LIMIT_WORDS}`);
  else if (share < ramped) refuse(`the next ${windowMs / 1000} s: in so long at most a quarter of the instances is retired`);
  return allowed;
}

/**
 * A dead or unhealthy instance goes when its successor is begun. One on a lost host may still serve through the other
 * hosts' load balancers, so it shares its seat until the successor is ready (`rollOver`): losing it earlier could be
 * losing the last one.
 */
function replaceFailed(draft: Draft): void {
  const running = draft.own.filter(meantToRun);
  const ids = new Set(running.map((view) => view.record.id));
  const succeeded = new Set(running.map((view) => view.record.replaces));
  for (const view of running) {
    if (draft.written.has(view.record.id) || draft.spared.has(view.record.id)) continue;
    const failure = failureOf(view, draft);
    const handedOver = succeeded.has(view.record.id);
    if (failure === null || (view.status === 'unknown' && handedOver)) continue;
    // The successor of a failed successor takes the seat that one was meant for.
    const { replaces } = view.record;
    const seat = replaces !== null && ids.has(replaces) && !draft.written.has(replaces) ? replaces : view.record.id;
    // One that may not leave yet gets one successor, and its successor none: a seat is never held by more than two.
    if (draft.withheld !== null && view.status !== 'dead' && (handedOver || seat !== view.record.id)) {
      spare(draft, view, draft.withheld, 'replaced');
      continue;
    }
    // A second successor would have a seat of its own as soon as the first has taken over, above every bound.
    if (!handedOver && !start(draft, seat, `in place of ${view.record.id}: ${failure}`)) continue;
    succeeded.add(seat);
    if (view.status === 'unknown' && seat === view.record.id) continue;
    // What an older configuration could not do says nothing about this one, which may be the repair.
    const counts = !handedOver && view.record.hash === draft.resolved.hash && isFailedStart(view, draft.nowMs);
    if (counts) draft.failing = addFailure(draft.failing, view.record.host, draft.nowMs, draft.random);
    if (view.status === 'unhealthy') drain(draft, view, true, failure);
    else remove(draft, view, failure);
  }
}

/** Why an instance has to be replaced; null while it does not. */
function failureOf(view: InstanceView, draft: Draft): string | null {
  if (view.status === 'dead') return view.report?.error ?? 'its container has ended';
  if (view.status === 'unhealthy') return view.report?.error ?? 'its health check fails';
  if (view.status !== 'unknown') return null;
  if (isRemoved(draft.cluster, view.record.host)) return `host ${view.record.host} was removed by the operator`;
  if (draft.brake !== null) {
    spare(draft, view, `the brake, for ${draft.brake.words}`, 'replaced');
    return null;
  }
  const lostMs = awayMs(draft.cluster, view.record.host, draft.nowMs, draft.epoch);
  if (lostMs < draft.resolved.config.unknownTimeoutMs) return null;
  return `host ${view.record.host} has been out of reach for ${Math.round(lostMs / 1000)} s`;
}

function isFailedStart(view: InstanceView, nowMs: number): boolean {
  if (view.status === 'unknown' || view.report?.spent) return false;
  return !view.report?.wasReady || nowMs - (view.report.readyAtMs ?? 0) < SETTLED_AFTER_MS;
}

/** Draining instances come back before new ones start, the newest drained first: the cheapest capacity there is. */
function scaleUp(draft: Draft): void {
  let missing = draft.target - draft.seats;
  if (missing <= 0) return;
  const back = draft.own
    .filter((view) => view.record.phase === 'drain' && recommissionable(view, draft.isCurrent))
    .sort((a, b) => (b.record.drainedAtMs ?? 0) - (a.record.drainedAtMs ?? 0) || (a.record.id < b.record.id ? -1 : 1))
    .slice(0, missing);
  for (const view of back) {
    write(draft, view, { phase: 'run', drainedAtMs: null, replaces: null });
    draft.steps.push({ kind: 'recommission', instance: view.record.id, host: view.record.host });
    missing -= 1;
  }
  while (missing > 0 && start(draft, null, `${counted(draft.target)} wanted`)) missing -= 1;
}

/**
 * Replaces instances of an older configuration, and those on hosts that are to be emptied, start-first: a successor shares
 * the seat of the one it replaces and takes it over when it is ready. At most a quarter of the seats (one at least) move at
 * a time, so a bad image costs no capacity.
 */
function rollOver(draft: Draft): void {
  const running = draft.own.filter((view) => meantToRun(view) && !draft.written.has(view.record.id));
  const byId = new Map(running.map((view) => [view.record.id, view]));
  const successors = running.filter((view) => view.record.replaces !== null && byId.has(view.record.replaces));
  let ready = running.filter((view) => view.status === 'ready').length;
  const least = Math.min(draft.target, draft.resolved.config.scaling.minInstances);
  for (const successor of successors) {
    if (successor.status !== 'ready') continue;
    const old = byId.get(successor.record.replaces!)!;
    // While another seat is empty, by a host that was lost meanwhile, the old one stays on beside its successor.
    if (old.status === 'ready' && ready <= least) {
      draft.steps.push({ kind: 'wait', instance: old.record.id, on: `more than ${least} ready instances` });
      continue;
    }
    if (old.status === 'ready') ready -= 1;
    drain(draft, old, false, `${successor.record.id} has taken over`);
  }
  // Some may have been begun in this very round, in place of successors that failed.
  const begun = [...draft.written.values()].flatMap(({ record }) =>
    record?.replaces && byId.has(record.replaces) ? [record] : [],
  );
  const superseded = new Set([...successors.map((view) => view.record), ...begun].map((record) => record.replaces));
  // A successor that is stale itself takes its seat over, or fails, before it is replaced: else three would share one seat.
  const following = new Set(successors.map((view) => view.record.id));
  const stale = running.filter(
    (view) => !draft.isCurrent(view) && !superseded.has(view.record.id) && !following.has(view.record.id),
  );
  // What has a ready successor but may not leave yet is still on its way, or the others would all be doubled meanwhile.
  const moving = successors.filter((view) => view.status !== 'ready' || draft.withheld !== null).length + begun.length;
  const room = Math.max(1, Math.ceil(draft.target / 4)) - moving;
  for (const view of retirementOrder(stale, draft.isCurrent).slice(0, Math.max(0, room))) {
    if (!start(draft, view.record.id, `in place of ${view.record.id}, ${outdated(view, draft)}`)) return;
  }
}

/** Only at rest: a round that starts or ends something else leaves the hosts as they are. */
function evenOut(draft: Draft): void {
  const { config } = draft.resolved;
  const { container, placement } = config;
  const asked = placement.rebalance === 'gradual' && container !== null && draft.endpoint.state === 'RUNNING';
  const busy = draft.written.size > 0 || draft.seats !== draft.target || draft.unheard !== null || draft.refusal !== null;
  if (!asked || busy || draft.withheld !== null || draft.rebalancing.movesLeft === 0 || draft.nowMs < draft.failing.notBeforeMs)
    return;
  const move = findMove({
    cluster: draft.cluster,
    meant: draft.rebalancing.meant(),
    own: draft.own,
    isCurrent: draft.isCurrent,
    request: { endpoint: draft.endpoint.name, placement, container, port: config.port },
    candidates: () => candidatesOf(draft),
  });
  if (move === null) return;
  const why = `in place of ${move.instance}, which moves there from ${move.from} to even out the hosts`;
  if (start(draft, move.instance, why, move.placed)) draft.rebalancing.movesLeft -= 1;
}

function finishDraining(draft: Draft): void {
  const removed = draft.endpoint.state === 'REMOVED';
  for (const view of [...draft.own, ...draft.strangers]) {
    const { record } = view;
    if (draft.written.has(record.id)) continue;
    const gone = record.phase === 'remove' && view.report?.state === 'gone';
    const forgotten = gone || (record.phase !== 'run' && isRemoved(draft.cluster, record.host));
    if (forgotten && draft.quiet !== null) {
      spare(draft, view, draft.quiet, 'forgotten');
    } else if (forgotten) {
      draft.written.set(record.id, { record: null, revision: view.revision });
      draft.steps.push({ kind: 'forget', instance: record.id });
    } else if (record.phase === 'drain') {
      const recoverable = !removed && record.endpointUid === draft.endpoint.uid && recommissionable(view, draft.isCurrent);
      const holdout = drainHoldout(view, draft.cluster) ?? draft.unheard;
      const verdict = drainVerdict(view, draft.resolved.config, { nowMs: draft.nowMs, recoverable, holdout });
      if (verdict.done) remove(draft, view, verdict.why);
      else draft.steps.push({ kind: 'wait', instance: record.id, on: verdict.waitingOn });
    }
  }
}
