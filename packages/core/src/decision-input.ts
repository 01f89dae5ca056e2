import type { EndpointState, Hold, ScalingConfig } from './model.js';
import type { MetricKind } from './rule.js';
import type { TargetHistory } from './target-history.js';

/** What a decision is made from. */

/** Older than this many windows is no data any more. */
export const STALE_WINDOWS = 3;
/** Short enough to answer a spike within seconds; used for scaling up only, because two quiet seconds mean nothing. */
export const BURST_WINDOW_MS = 2_000;

export interface MetricReading {
  readonly kind: MetricKind;
  readonly value: number;
  /** Of its newest sample. */
  readonly ageMs: number;
  readonly sources: { readonly reported: number; readonly expected: number };
}

export interface Measurement {
  /** By metric name; what nobody reports is absent. */
  readonly metrics: Readonly<Record<string, MetricReading>>;
  /** Requests seen in the window. */
  readonly requests: number;
  /** Some source did not report, or not about the whole window. */
  readonly partial: boolean;
  /** Instances that served through the whole window; all, unless told. */
  readonly settled?: number;
  /** Metrics that were posted and do not count now, with the reason; absent when there is none. */
  readonly dropped?: Readonly<Record<string, string>>;
}

export interface DecisionInput {
  readonly endpoint: string;
  readonly atMs: number;
  /** Of the leader that decides. */
  readonly epoch: number;
  readonly state: EndpointState;
  readonly scaling: ScalingConfig;
  /** Instances meant to run: starting and ready, not draining. */
  readonly instances: number;
  readonly stable: Measurement;
  readonly burst: Measurement;
  readonly history: TargetHistory;
  /** Given by the operator; obeyed until it runs out. */
  readonly hold?: Hold;
}
