import { BURST_MIN_REQUESTS, decide, historyAfter } from './decision.js';
import type { DecisionInput, Measurement, MetricReading } from './decision-input.js';
import type { DecisionRecord } from './decision-record.js';
import type { EndpointState, Hold, Rule } from './model.js';
import type { DecisionReport } from './plan.js';
import { metricKind, parseRule } from './rule.js';
import type { TargetHistory } from './target-history.js';

/**
 * What is kept of the rounds of one endpoint: enough to draw them, and to decide each of them again with the same result.
 * A round that differs from the one before in nothing but its time is left out, for it decides the same.
 */
export interface RecordedRound {
  readonly atMs: number;
  readonly state: EndpointState;
  readonly instances: number;
  /** Those that served through the whole window. */
  readonly settled: number;
  readonly ready: number;
  readonly target: number;
  /** What the candidate of shadow_rules wanted; null without one. */
  readonly shadow: number | null;
  readonly hold: Hold | null;
  readonly partial: boolean;
  /** Metrics of which not every source reported. */
  readonly thin: readonly string[];
  /** Over the window, totals and averages as they were measured; what was missing is absent. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Over the last two seconds; null when they saw too few requests to count. */
  readonly burst: Readonly<Record<string, number>> | null;
}

/** Rounds under one configuration, each of which follows from those before it. */
export interface Recording {
  readonly endpoint: string;
  readonly scaling: DecisionRecord['scaling'];
  /** What was remembered before the first round. */
  readonly history: TargetHistory;
  /** Rounds are missing between these: they can be drawn, but do not follow from each other. */
  readonly thinned: boolean;
  readonly rounds: readonly RecordedRound[];
}

/** A recording as it is kept: what it covers is known before it is read. */
export interface RecordedBlock {
  readonly firstMs: number;
  readonly lastMs: number;
  /** Null when it is of a form that this version does not know. */
  read(): Recording | null;
}

export function recordedRound({ record, ready, shadow }: DecisionReport): RecordedRound {
  const { stable, burst, hold } = record.inputs;
  const thin = Object.entries(stable.metrics).filter(([, { sources }]) => sources.reported < sources.expected);
  return {
    atMs: record.atMs,
    state: record.state,
    instances: record.instances,
    settled: stable.settled ?? record.instances,
    ready: ready ?? record.instances,
    target: record.target,
    shadow: shadow?.target ?? null,
    hold: hold ?? null,
    partial: stable.partial,
    thin: thin.map(([name]) => name),
    metrics: valuesOf(stable),
    burst: burst.requests < BURST_MIN_REQUESTS ? null : valuesOf(burst),
  };
}

/** Without the count itself, which the round has anyway. */
const valuesOf = ({ metrics }: Measurement): RecordedRound['metrics'] =>
  Object.fromEntries(Object.entries(metrics).flatMap(([name, { kind, value }]) => (kind === 'direct' ? [] : [[name, value]])));

/** Whether `next` says what `last` said already. */
export const repeats = (last: RecordedRound, next: RecordedRound): boolean =>
  JSON.stringify({ ...last, atMs: 0 }) === JSON.stringify({ ...next, atMs: 0 });

/** What was measured in a round, as the decision is given it. */
export function measurementsOf(round: RecordedRound): { readonly stable: Measurement; readonly burst: Measurement } {
  const { metrics, burst, partial, settled, thin } = round;
  const readings = (values: RecordedRound['metrics']): Measurement['metrics'] =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, readingOf(name, value, thin.includes(name))] as const),
    );
  const requests = burst === null ? 0 : BURST_MIN_REQUESTS;
  return {
    stable: { metrics: readings(metrics), requests, partial, settled },
    burst: { metrics: readings(burst ?? {}), requests, partial: false, settled },
  };
}

const readingOf = (name: string, value: number, thin: boolean): MetricReading => ({
  kind: metricKind(name),
  value,
  ageMs: 0,
  sources: { reported: thin ? 0 : 1, expected: 1 },
});

/** The rounds decided again, each from what was measured and what the one before left behind. */
export function* decideAgain(
  recording: Recording,
): Generator<readonly [round: RecordedRound, again: DecisionRecord], void, void> {
  let { history } = recording;
  const scaling = { ...recording.scaling, rules: recording.scaling.rules.map(ruleOf) };
  for (const round of recording.rounds) {
    const { atMs, state, instances, hold } = round;
    const input: DecisionInput = {
      ...{ endpoint: recording.endpoint, atMs, epoch: 0, state, scaling, instances, history },
      ...measurementsOf(round),
      ...(hold === null ? {} : { hold }),
    };
    const record = decide(input).record;
    history = historyAfter(record);
    yield [round, record];
  }
}

/** @throws Error when it is none: only rules that were in force are recorded. */
export function ruleOf(text: string): Rule {
  const rule = parseRule(text);
  if (!rule.ok) throw new Error(`a record holds '${text}', which is no rule: ${rule.fault.message}`);
  return rule.value;
}

/**
 * For what is old: the newest round of each `stepMs`, and every one in which a count or the state changed, so that what was
 * done stays where it was.
 */
export function thinned(recording: Recording, stepMs: number): Recording {
  const { rounds } = recording;
  const counts = ({ state, instances, ready, target, shadow }: RecordedRound): string =>
    [state, instances, ready, target, shadow].join();
  const kept = rounds.filter((round, index) => {
    const [last, next] = [rounds[index - 1], rounds[index + 1]];
    if (last === undefined || next === undefined || counts(last) !== counts(round)) return true;
    return Math.floor(next.atMs / stepMs) !== Math.floor(round.atMs / stepMs);
  });
  return { ...recording, thinned: true, rounds: kept };
}
