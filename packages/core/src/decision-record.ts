import type { CountRange } from './count-range.js';
import type { Measurement } from './decision-input.js';
import type { Evaluation, ReasonKind } from './evaluation.js';
import type { EndpointState, Hold, ScalingConfig } from './model.js';
import type { MetricKind } from './rule.js';
import type { TargetHistory } from './target-history.js';

/** What is kept of a decision: enough to explain it, and enough to make it again. */

/** `[lo, hi]`; a null end is infinite, which JSON does not have. */
export type RangeRecord = readonly [number, number | null];

export interface RuleRecord {
  readonly text: string;
  readonly metric: string;
  readonly kind: MetricKind;
  /** Cluster-wide total, average or count; null without data. */
  readonly value: number | null;
  readonly range: RangeRecord | null;
}

/** One decision as a plain JSON value. */
export interface DecisionRecord {
  readonly endpoint: string;
  readonly atMs: number;
  readonly epoch: number;
  readonly state: EndpointState;
  readonly instances: number;
  readonly inputs: {
    readonly stable: Measurement;
    readonly burst: Measurement;
    readonly history: TargetHistory;
    readonly hold?: Hold;
  };
  readonly scaling: Omit<ScalingConfig, 'rules'> & { readonly rules: readonly string[] };
  readonly rules: readonly RuleRecord[];
  /** What the burst window needed, when that was more than the stable one wanted. */
  readonly burst: { readonly need: number; readonly rules: readonly RuleRecord[] } | null;
  /** After each limit in turn: ranges while there are any, then counts. */
  readonly ranges: {
    readonly rules: RangeRecord;
    /** Within min_instances and max_instances. */
    readonly bounds: RangeRecord;
    readonly delay: number;
    readonly ramp: number;
    readonly missing: number;
  };
  /** What the readings ask for, before the scale-down delay. */
  readonly recommended: number;
  readonly target: number;
  /** Instances to start (positive) or retire (negative) in this round. */
  readonly step: number;
  readonly reasons: readonly string[];
  /** Kind of each reason, in the same order. */
  readonly kinds: readonly ReasonKind[];
  /** For an operator at 3 a.m. */
  readonly sentence: string;
}

/** True when `b` tells an operator nothing that `a` did not: only times, ages and values that changed no count differ. */
export function sameDecision(a: DecisionRecord, b: DecisionRecord): boolean {
  const scalars =
    a.endpoint === b.endpoint &&
    a.state === b.state &&
    a.instances === b.instances &&
    a.recommended === b.recommended &&
    a.target === b.target &&
    a.step === b.step &&
    a.burst?.need === b.burst?.need;
  if (!scalars) return false;
  const { ranges: one, scaling: before } = a;
  const { ranges: other, scaling: after } = b;
  return (
    sameList(one.rules, other.rules) &&
    sameList(one.bounds, other.bounds) &&
    sameList([one.delay, one.ramp, one.missing], [other.delay, other.ramp, other.missing]) &&
    sameList(a.kinds, b.kinds) &&
    sameList(before.rules, after.rules) &&
    before.minInstances === after.minInstances &&
    before.maxInstances === after.maxInstances
  );
}

const sameList = <T>(a: readonly T[], b: readonly T[]): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

export const rangeRecord = ({ lo, hi }: CountRange): RangeRecord => [lo, Number.isFinite(hi) ? hi : null];

export const ruleRecords = (evaluation: Evaluation): readonly RuleRecord[] =>
  evaluation.rules.map(({ rule, kind, value, range }) => ({
    text: rule.text,
    metric: rule.metric,
    kind,
    value,
    range: range === null ? null : rangeRecord(range),
  }));
