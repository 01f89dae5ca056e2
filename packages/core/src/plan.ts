import { type Brake, brakeOf } from './brake.js';
import type { At, Cluster } from './cluster.js';
import { type DecisionRecord, decide, NO_HISTORY, type TargetHistory } from './decision.js';
import type { DecisionInput } from './decision-input.js';
import type { EndpointSteps, Resolved } from './endpoint-draft.js';
import { type Ledger, openLedger } from './ledger.js';
import { type InstanceView, NO_FAILURES, type StartFailures, serves, viewInstance } from './lifecycle.js';
import type { EndpointRecord, InstanceRecord } from './model.js';
import { type Observation, observe } from './observation.js';
import type { PlacementReport } from './placement-verdicts.js';
import { seatsOf, stepsFor } from './plan-endpoint.js';
import { type LossNote, planLosses, planRemovals, type Removal } from './plan-hosts.js';
import type { LogEntry } from './ports.js';
import type { PostedReport } from './posted-metrics.js';
import { isBlind, unreadableWords } from './readable.js';
import { openRebalancing, type Rebalancing } from './rebalance.js';
import { CLUSTER_LIMIT_WORDS, openRetirements, type RetirementBudget } from './retirement-limit.js';
import { decideShadow, type ShadowDecision, type ShadowMemory, type ShadowReport } from './shadow.js';
import { type Step, stepEvent } from './step.js';
import type { TrafficReport } from './traffic.js';
import type { Sighting } from './traffic-window.js';

/**
 * One round of the controller, as a pure function: everything it may look at is in `PlanInput`, everything to be done is
 * in the `Plan`, and the executor decides nothing. Endpoints do not influence each other but through the hosts' capacity
 * (the ledger), which they take in order of name.
 */

export interface PlanInput {
  readonly nowMs: number;
  readonly epoch: number;
  /** Before this moment nothing is taken away, because a former leader may still be at work; 0 is over. */
  readonly quietUntilMs: number;
  readonly cluster: Cluster;
  /** The configuration of a record, or in one line why it cannot be used. */
  readonly resolve: (record: At<EndpointRecord>) => Resolved | { readonly error: string };
  /** The newest traffic report of every host that published one. */
  readonly traffic: ReadonlyMap<string, TrafficReport>;
  /** By endpoint, what programs posted; absent is nothing. */
  readonly posted?: ReadonlyMap<string, readonly PostedReport[]>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly newId: () => string;
}

/** What the controller remembers of one endpoint between rounds, in the cluster state so that a successor decides alike. */
export interface EndpointHistory {
  readonly targets: TargetHistory;
  readonly failures: StartFailures;
  /** The last decision that changed something. */
  readonly decision: DecisionReport | null;
  /** What every host answered to the newest start, or to the first that none took; absent before there was one. */
  readonly placement?: PlacementReport | null;
  /** Of the candidate in shadow_rules; null and absent are none. */
  readonly shadow?: ShadowMemory | null;
}

/** A decision and what came of it: what `reactor explain` shows. */
export interface DecisionReport {
  readonly atMs: number;
  readonly record: DecisionRecord;
  readonly steps: readonly Step[];
  /** What every host answered, in a round that started something or could not; what is remembered keeps it apart. */
  readonly placement?: PlacementReport | null;
  /** Instances that serve now; absent in records of earlier versions. */
  readonly ready?: number;
  /** What the candidate in shadow_rules would do; absent without one. */
  readonly shadow?: ShadowReport;
}

export interface EndpointPlan {
  readonly endpoint: At<EndpointRecord>;
  readonly report: DecisionReport;
  /** It acts, or decides otherwise than the one before: worth keeping. */
  readonly changed: boolean;
  /** Records to write; null deletes. Each with the revision it must still have, 0 for new ones. */
  readonly instances: readonly { readonly id: string; readonly record: InstanceRecord | null; readonly revision: number }[];
  /** Null when there is nothing new to remember. */
  readonly history: EndpointHistory | null;
  readonly events: readonly Pick<LogEntry, 'level' | 'event' | 'message'>[];
}

export interface Plan {
  readonly endpoints: readonly EndpointPlan[];
  /** Endpoints whose stored configuration cannot be used, with the reason; nothing is done about them. */
  readonly unusable: readonly { readonly endpoint: string; readonly error: string }[];
  readonly losses: readonly LossNote[];
  /** Hosts to forget. */
  readonly removals: readonly Removal[];
  /** What a person should look at, as long as it lasts; at most one of a kind. */
  readonly alarms: readonly Alarm[];
}

/** `brake`: most hosts were lost at once. `retirements`: the cluster's limit on retirements by load is hit. `unreadable`: records are. */
export interface Alarm {
  readonly kind: 'brake' | 'retirements' | 'unreadable';
  readonly text: string;
}

/** What all endpoints of a round have in common; found out once, for there may be a thousand of them and a hundred hosts. */
interface Scene {
  readonly ledger: Ledger;
  readonly observation: Observation;
  /** A live host with a load balancer whose traffic is not known: its connections may be open without our knowing. */
  readonly unheard: string | null;
  readonly brake: Brake | null;
  readonly retirements: RetirementBudget;
  readonly rebalancing: Rebalancing;
}

export function plan(input: PlanInput): Plan {
  const unread = unreadAlarm(input.cluster);
  // What is not known to be there is not known to be missing either.
  if (isBlind(input.cluster)) return { endpoints: [], unusable: [], losses: [], removals: [], alarms: unread };
  const resolved = new Map<string, Resolved>();
  const unusable: { endpoint: string; error: string }[] = [];
  for (const name of [...input.cluster.endpoints.keys()].sort()) {
    const answer = input.resolve(input.cluster.endpoints.get(name)!);
    if ('error' in answer) unusable.push({ endpoint: name, error: answer.error });
    else resolved.set(name, answer);
  }
  const sources = sourcesOf(input.cluster);
  const scene: Scene = {
    ledger: openLedger(input.cluster),
    observation: observe({
      ...input,
      resolved,
      reports: [...input.traffic.keys()].sort().flatMap((host) => input.traffic.get(host) ?? []),
      voices: sources.flatMap((host) => input.traffic.get(host) ?? []),
      expectedSources: sources.length,
      posted: input.posted ?? NOTHING_POSTED,
    }),
    unheard: sources.find((host) => !input.traffic.has(host)) ?? null,
    brake: brakeOf(input.cluster, input.nowMs),
    retirements: openRetirements(input.cluster, input.nowMs),
    rebalancing: openRebalancing(input.cluster),
  };
  return {
    endpoints: [...resolved].map(([name, one]) => planEndpoint(input.cluster.endpoints.get(name)!, one, input, scene)),
    unusable,
    losses: planLosses(input.cluster, input.nowMs, input.epoch, scene.brake),
    removals: input.nowMs < input.quietUntilMs ? [] : planRemovals(input.cluster),
    alarms: [...unread, ...alarmsOf(scene)],
  };
}

const NOTHING_POSTED: ReadonlyMap<string, readonly PostedReport[]> = new Map();

function unreadAlarm(cluster: Cluster): readonly Alarm[] {
  const text = unreadableWords(cluster);
  return text === null ? [] : [{ kind: 'unreadable', text }];
}

function alarmsOf({ brake, retirements }: Scene): readonly Alarm[] {
  const alarms: Alarm[] = [];
  if (brake !== null) {
    const what = 'no instance is replaced or retired until enough of them are back, or removed by the operator';
    alarms.push({ kind: 'brake', text: `brake: ${brake.words} (${brake.lost.join(', ')}); ${what}` });
  }
  if (retirements.refused() > 0) alarms.push({ kind: 'retirements', text: `${CLUSTER_LIMIT_WORDS}, and more are asked for` });
  return alarms;
}

function planEndpoint(endpoint: At<EndpointRecord>, resolved: Resolved, input: PlanInput, scene: Scene): EndpointPlan {
  const { cluster, nowMs } = input;
  const name = endpoint.value.name;
  const known = (cluster.histories.get(name)?.value ?? null) as unknown as EndpointHistory | null;
  const seen = scene.observation.sightings(name);
  const views = (cluster.instancesOf.get(name) ?? []).map((i) => viewInstance(i, cluster, () => activeOf(i.value.id, seen)));
  const own = views.filter((view) => view.record.endpointUid === endpoint.value.uid);
  const seats = seatsOf(own);

  const { windowMs } = resolved.config.scaling;
  // Also for the burst window: a slow answer of the last seconds began before the newest instances served.
  const settled = settledOf(own, nowMs - windowMs);
  const decided: DecisionInput = {
    endpoint: name,
    atMs: nowMs,
    epoch: input.epoch,
    state: endpoint.value.state,
    scaling: resolved.config.scaling,
    instances: seats,
    ...scene.observation.measure(endpoint, resolved, { instances: seats, settled }),
    history: known?.targets ?? NO_HISTORY,
    ...(endpoint.value.hold === undefined ? {} : { hold: endpoint.value.hold }),
  };
  const { record, history: targets } = decide(decided);
  const { shadowRules, decommissionedTimeoutMs } = resolved.config;
  const shadow = decideShadow(decided, shadowRules, known?.shadow ?? null, decommissionedTimeoutMs);

  const outcome = stepsFor({
    ...input,
    endpoint: endpoint.value,
    resolved,
    own,
    strangers: views.filter((view) => view.record.endpointUid !== endpoint.value.uid),
    seats,
    target: record.target,
    byLoad: !record.kinds.includes('hold_by_operator'),
    failures: known?.failures ?? NO_FAILURES,
    ...scene,
  });
  const ready = own.filter(serves).length;
  return assemble(endpoint, { record, targets, known, outcome, ready, shadow }, nowMs);
}

interface Decided {
  readonly record: DecisionRecord;
  readonly targets: TargetHistory;
  readonly known: EndpointHistory | null;
  readonly outcome: EndpointSteps;
  readonly ready: number;
  readonly shadow: ShadowDecision | null;
}

function assemble(endpoint: At<EndpointRecord>, decided: Decided, nowMs: number): EndpointPlan {
  const { record, targets, known, outcome, ready, shadow } = decided;
  const { placement } = outcome;
  const candidate = shadow === null ? {} : { shadow: shadow.report };
  const bare: DecisionReport = { atMs: nowMs, record, steps: outcome.steps, ready, ...candidate };
  const report = placement === null ? bare : { ...bare, placement };
  const last = known?.decision?.record;
  const acts = outcome.steps.some((step) => step.kind !== 'wait');
  const moved =
    last === undefined || last.target !== record.target || last.instances !== record.instances || last.state !== record.state;
  // Of refusals the first: the next ones differ in the numbers only, and every round would write.
  const refusedAnew = placement !== null && placement.host === null && known?.placement?.host !== null;
  // Told once, however often readings that come and go make it so, until a decision that is kept is without it.
  const conflictsAnew = contradiction(record) !== null && (last === undefined || contradiction(last) === null);
  const remember =
    refusedAnew ||
    conflictsAnew ||
    acts ||
    moved ||
    targets !== (known?.targets ?? NO_HISTORY) ||
    outcome.failures !== (known?.failures ?? NO_FAILURES) ||
    (shadow?.memory ?? null) !== (known?.shadow ?? null);

  const events = outcome.steps.flatMap((step) => stepEvent(step) ?? []);
  if (moved && record.target !== record.instances) {
    events.unshift({
      level: 'info',
      event: 'SCALE_UPDATE',
      message: `${record.instances} => ${record.target}: ${record.sentence}`,
    });
  }
  if (shadow !== null && shadow.report.target !== known?.shadow?.target) events.push(shadowEvent(shadow.report, record));
  if (conflictsAnew) events.push({ level: 'warning', event: 'METRICS_CONFLICT', message: contradiction(record) ?? '' });
  if (refusedAnew) {
    const message = `no host takes another instance: ${placement.reason}`;
    events.push({ level: 'error', event: 'NO_MANAGER_AVAILABLE', message });
  }
  return {
    endpoint,
    report,
    changed: acts || moved,
    instances: outcome.instances,
    history: remember
      ? {
          targets,
          failures: outcome.failures,
          decision: acts || moved || conflictsAnew ? bare : (known?.decision ?? null),
          placement: placement ?? known?.placement ?? null,
          shadow: shadow?.memory ?? null,
        }
      : null,
    events,
  };
}

const shadowEvent = ({ target, sentence }: ShadowReport, { target: live }: DecisionRecord): EndpointPlan['events'][number] => ({
  level: 'info',
  event: 'SHADOW_UPDATE',
  message: `shadow_rules want ${target}, the rules want ${live}: ${sentence}`,
});

/** In words, which rule contradicts earlier ones; null when none does. */
function contradiction({ kinds, reasons }: DecisionRecord): string | null {
  const at = kinds.indexOf('overruled');
  return at === -1 ? null : (reasons[at] ?? null);
}

function activeOf(instance: string, seen: readonly Sighting[]): number {
  let sum = 0;
  for (const { traffic } of seen) sum += traffic.backends[instance]?.active ?? 0;
  return sum;
}

/** Instances that have served since `sinceMs`: those that an average taken since then speaks of. */
function settledOf(own: readonly InstanceView[], sinceMs: number): number {
  return own.filter(
    ({ record, status, report }) => record.phase === 'run' && status === 'ready' && (report?.readyAtMs ?? sinceMs) <= sinceMs,
  ).length;
}

/** Live hosts that run a load balancer, and so have to be heard before "no traffic" means anything; ascending. */
function sourcesOf(cluster: Cluster): readonly string[] {
  return [...cluster.hosts.keys()].filter((host) => cluster.balancers.has(host)).sort();
}
