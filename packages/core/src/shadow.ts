import { decide } from './decision.js';
import type { DecisionInput, Measurement, MetricReading } from './decision-input.js';
import type { DecisionRecord } from './decision-record.js';
import { type FollowingCount, followTarget } from './following-count.js';
import type { Rule } from './model.js';
import type { TargetHistory } from './target-history.js';

/**
 * A candidate's rules, decided beside the live ones: the same function, moment and observation, a memory of its own.
 * Nothing of it is carried out, so nobody measured what the candidate's count would have led to. What is assumed instead:
 *
 * - Its count begins with the live one and follows its own targets as live instances would follow theirs; they serve at once.
 * - A load is what it is, however many share it: the measured total counts, shared by the candidate's own count.
 * - A mean was measured over the live instances, and is taken to change in proportion, as the rules themselves reckon. That
 *   is a guess, and the farther the two counts are apart the worse it is.
 */

/** What is remembered of a candidate between rounds. */
export interface ShadowMemory extends FollowingCount {
  /** Others begin anew. */
  readonly rules: readonly string[];
  readonly targets: TargetHistory;
  /** Of its last decision; null before the first. */
  readonly target: number | null;
}

/** What a candidate would do, as it is shown. */
export interface ShadowReport {
  readonly rules: readonly string[];
  /** It would have so many now. */
  readonly instances: number;
  readonly target: number;
  readonly sentence: string;
}

export interface ShadowDecision {
  readonly record: DecisionRecord;
  readonly report: ShadowReport;
  /** The same object when there is nothing new to remember. */
  readonly memory: ShadowMemory;
}

/** Null without a candidate, and while the endpoint does not scale: the candidate then begins with what runs when it does. */
export function decideShadow(
  live: DecisionInput,
  rules: readonly Rule[],
  known: ShadowMemory | null,
  decommissionedTimeoutMs: number,
): ShadowDecision | null {
  if (rules.length === 0 || live.state !== 'RUNNING') return null;
  const texts = rules.map(({ text }) => text);
  const memory = known !== null && sameTexts(known.rules, texts) ? known : begin(live, texts);
  const { record, history } = decide({
    ...live,
    scaling: { ...live.scaling, rules },
    instances: memory.instances,
    stable: asIfCount(live.stable, live.instances, memory.instances),
    burst: asIfCount(live.burst, live.instances, memory.instances),
    history: memory.targets,
  });
  const { instances, drained } = followTarget(memory, record, decommissionedTimeoutMs);
  const { target, sentence } = record;
  const still =
    known === memory &&
    instances === memory.instances &&
    drained === memory.drained &&
    history === memory.targets &&
    target === memory.target;
  return {
    record,
    report: { rules: texts, instances: memory.instances, target, sentence },
    memory: still ? memory : { rules: texts, instances, drained, targets: history, target },
  };
}

/** As if the candidate went live now. */
const begin = ({ instances, history }: DecisionInput, rules: readonly string[]): ShadowMemory => ({
  rules,
  instances,
  drained: [],
  targets: history,
  target: null,
});

/** What was measured while there were `measured` instances, as it would read with `count`; see the head of this file. */
export function asIfCount(measurement: Measurement, measured: number, count: number): Measurement {
  if (count === measured) return measurement;
  const scale = measured > 0 && count > 0 ? measured / count : 1;
  const reading = (one: MetricReading): MetricReading => {
    if (one.kind === 'total') return one;
    return { ...one, value: one.kind === 'direct' ? count : one.value * scale };
  };
  const metrics = Object.entries(measurement.metrics).map(([name, one]) => [name, reading(one)] as const);
  const { settled } = measurement;
  return {
    ...measurement,
    metrics: Object.fromEntries(metrics),
    ...(settled === undefined ? {} : { settled: Math.round(settled / scale) }),
  };
}

const sameTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, i) => text === b[i]);
