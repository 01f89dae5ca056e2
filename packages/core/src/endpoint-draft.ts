import type { Brake } from './brake.js';
import { type Cluster, isDraining } from './cluster.js';
import type { Ledger } from './ledger.js';
import { type InstanceView, recentFailures, type StartFailures } from './lifecycle.js';
import type { EndpointConfig, EndpointRecord, InstanceRecord } from './model.js';
import { demandOf, type HostCandidate, type PlacementRequest, type PlacementResult, place } from './placement.js';
import { type PlacementReport, REPORTED_HOSTS_MAX, verdictsOf } from './placement-verdicts.js';
import type { Rebalancing } from './rebalance.js';
import type { IsCurrent } from './retire.js';
import type { RetirementBudget } from './retirement-limit.js';
import type { Step } from './step.js';

/** What a round does about one endpoint while it is being thought out, and the single acts: each a step and the record that makes it true. */

export interface Resolved {
  readonly config: EndpointConfig;
  /** Fingerprint of what shapes the container. */
  readonly hash: string;
}

export interface StepsInput {
  readonly nowMs: number;
  readonly epoch: number;
  readonly cluster: Cluster;
  readonly random: () => number;
  readonly newId: () => string;
  readonly endpoint: EndpointRecord;
  readonly resolved: Resolved;
  readonly own: readonly InstanceView[];
  /** Instances of a removed endpoint of the same name. */
  readonly strangers: readonly InstanceView[];
  readonly seats: number;
  readonly target: number;
  /** The target comes from what was measured, not from a count the operator holds. */
  readonly byLoad: boolean;
  readonly failures: StartFailures;
  readonly ledger: Ledger;
  readonly retirements: RetirementBudget;
  readonly quietUntilMs: number;
  readonly brake: Brake | null;
  /** A host whose load balancer's connections are not known now. */
  readonly unheard: string | null;
  readonly rebalancing: Rebalancing;
}

export interface EndpointSteps {
  readonly steps: readonly Step[];
  readonly instances: readonly { readonly id: string; readonly record: InstanceRecord | null; readonly revision: number }[];
  readonly failures: StartFailures;
  readonly placement: PlacementReport | null;
}

export interface Draft extends StepsInput {
  readonly isCurrent: IsCurrent;
  /** The lock delay after a takeover, in words; null when there is none. */
  readonly quiet: string | null;
  /** Why nothing may be taken away now, in words; null when it may. The brake is no answer to what the operator asks for. */
  readonly withheld: string | null;
  /** Instances that something is withheld from. */
  readonly spared: Set<string>;
  readonly steps: Step[];
  readonly written: Map<string, { record: InstanceRecord | null; revision: number }>;
  failing: StartFailures;
  startsLeft: number;
  /** Said once a round, however many starts it holds up. */
  refusal: string | null;
  /** Of the first start, or of the one that no host took: a round starts several, and one explanation will do. */
  placement: PlacementReport | null;
}

export function openDraft(input: StepsInput): Draft {
  const left = Math.ceil((input.quietUntilMs - input.nowMs) / 1000);
  const quiet = left > 0 ? `the lock delay after a takeover, ${left} s left` : null;
  const brake = input.brake === null ? null : `the brake, for ${input.brake.words}`;
  return {
    ...input,
    isCurrent: (view) => outdated(view, input) === null,
    quiet,
    withheld: quiet ?? (input.endpoint.state === 'RUNNING' ? brake : null),
    spared: new Set(),
    steps: [],
    written: new Map(),
    failing: input.failures,
    startsLeft: input.resolved.config.scaling.rampLimit,
    refusal: null,
    placement: null,
  };
}

/** Why an instance is to be replaced although it works; null when it is as it should be. */
export function outdated({ record, wish }: InstanceView, { resolved, cluster, nowMs }: StepsInput): string | null {
  if (record.hash !== resolved.hash) return 'whose configuration is old';
  if (isDraining(cluster, record.host)) return `whose host ${record.host} is draining`;
  if (wish?.kind === 'disassociate') return 'which was disassociated by the operator';
  const droppedMs = wish === null ? 0 : nowMs - wish.atMs;
  if (wish === null || droppedMs < resolved.config.unregisteredTimeoutMs) return null;
  return `which was dropped ${Math.round(droppedMs / 1000)} s ago and not registered again`;
}

/** `chosen` is where placement put it already; without it placement is asked. */
export function start(draft: Draft, replaces: string | null, why: string, chosen?: PlacementResult): boolean {
  const { config, hash } = draft.resolved;
  if (draft.startsLeft === 0) return false;
  if (config.container === null) return refuse(draft, 'a cloud to start instances in: set [endpoint] cloud');
  if (draft.nowMs < draft.failing.notBeforeMs) {
    const left = Math.ceil((draft.failing.notBeforeMs - draft.nowMs) / 1000);
    return refuse(draft, `back-off after ${draft.failing.count} failed starts, ${left} s left`);
  }
  const request = {
    endpoint: draft.endpoint.name,
    placement: config.placement,
    container: config.container,
    port: config.port,
  };
  const candidates = candidatesOf(draft);
  const placement = chosen ?? place(request, candidates, draft.random);
  explainPlacement(draft, request, candidates, placement);
  if (placement.kind === 'refused') return refuse(draft, `a host with room: ${placement.summary}`);

  const record: InstanceRecord = {
    id: draft.newId(),
    endpoint: draft.endpoint.name,
    endpointUid: draft.endpoint.uid,
    host: placement.host,
    ...demandOf(config.placement, config.container),
    // On the host's own network the instance takes its port there, asked for or not.
    hostPort: config.container.network === 'host' ? config.port : config.container.hostPort,
    hash,
    container: config.container,
    port: config.port,
    healthCheck: config.healthCheck,
    startTimeoutMs: config.unregisteredTimeoutMs,
    stopTimeoutMs: config.stopTimeoutMs,
    errorMarks: config.errorMarks,
    phase: 'run',
    createdAtMs: draft.nowMs,
    drainedAtMs: null,
    errored: false,
    replaces,
    epoch: draft.epoch,
  };
  draft.written.set(record.id, { record, revision: 0 });
  draft.ledger.add(record);
  draft.startsLeft -= 1;
  draft.steps.push({ kind: 'start', instance: record.id, host: record.host, replaces, why });
  return true;
}

export const candidatesOf = (draft: Draft): readonly HostCandidate[] =>
  draft.ledger.candidates((host) => recentFailures(draft.failing, host, draft.nowMs));

function explainPlacement(
  draft: Draft,
  request: PlacementRequest,
  candidates: readonly HostCandidate[],
  result: PlacementResult,
): void {
  if (draft.placement !== null && (result.kind === 'placed' || draft.placement.host === null)) return;
  const lost = [...draft.cluster.losses.keys()].filter((host) => !draft.cluster.hosts.has(host));
  draft.placement = { atMs: draft.nowMs, ...verdictsOf(request, candidates, result, { lost, limit: REPORTED_HOSTS_MAX }) };
}

function refuse(draft: Draft, on: string): false {
  draft.refusal ??= on;
  return false;
}

/** A dead instance has nothing to drain. */
export function drain(draft: Draft, view: InstanceView, errored: boolean, why: string): void {
  if (view.status === 'dead') {
    remove(draft, view, why);
    return;
  }
  if (draft.withheld !== null) {
    spare(draft, view, draft.withheld, 'retired');
    return;
  }
  write(draft, view, { phase: 'drain', drainedAtMs: draft.nowMs, errored });
  draft.steps.push({ kind: 'retire', instance: view.record.id, host: view.record.host, errored, why });
}

export function remove(draft: Draft, view: InstanceView, why: string): void {
  if (draft.withheld !== null && view.status !== 'dead') {
    spare(draft, view, draft.withheld, 'removed');
    return;
  }
  write(draft, view, { phase: 'remove' });
  draft.steps.push({ kind: 'remove', instance: view.record.id, host: view.record.host, why });
}

/** Not now, and why: said once a round of each instance. */
export function spare(
  draft: Draft,
  view: InstanceView,
  on: string,
  fate: 'retired' | 'removed' | 'replaced' | 'forgotten',
): void {
  if (draft.spared.has(view.record.id)) return;
  draft.spared.add(view.record.id);
  draft.steps.push({ kind: 'wait', instance: view.record.id, on: `${on}; then it is ${fate}` });
}

export function write(draft: Draft, view: InstanceView, change: Partial<InstanceRecord>): void {
  draft.written.set(view.record.id, { record: { ...view.record, ...change, epoch: draft.epoch }, revision: view.revision });
}

export function counted(instances: number): string {
  return instances === 1 ? '1 instance is' : `${instances} instances are`;
}

export function meantToRun(view: InstanceView): boolean {
  return view.record.phase === 'run';
}
