import { decide, inputOf } from './decision.js';
import type { Measurement } from './decision-input.js';
import type { DecisionRecord } from './decision-record.js';
import { plain, quantity } from './decision-sentence.js';
import { parseRule } from './rule.js';

/**
 * What a metric would have to read for another decision, everything else being as it was. Found by asking the decision
 * itself: the count it recommends grows with every metric and falls with it, so halving the interval between two doubles
 * ends at two neighbours, of which one changes it and the other does not. There are 2^62 doubles at most: 62 questions.
 */
export interface Nearest {
  readonly metric: string;
  readonly direction: 'up' | 'down';
  /** The first value that changes it: cluster-wide for totals. */
  readonly value: number;
  /** The same per instance; null where nothing is divided. */
  readonly each: number | null;
  /** What would be wanted then; downwards, once the scale-down delay has passed. */
  readonly target: number;
  readonly text: string;
}

export function nearestChanges(record: DecisionRecord): readonly Nearest[] {
  if (record.state !== 'RUNNING' || record.kinds.includes('hold_by_operator')) return [];
  const metrics = new Set(
    record.rules.filter(({ kind, value }) => kind !== 'direct' && value !== null).map(({ metric }) => metric),
  );
  return [...metrics]
    .flatMap((metric) => [nearest(record, metric, 'up'), nearest(record, metric, 'down')])
    .filter((one) => one !== null);
}

function nearest(record: DecisionRecord, metric: string, direction: Nearest['direction']): Nearest | null {
  const now = record.inputs.stable.metrics[metric]!.value;
  const input = inputOf(record);
  const wanted = (value: number): number =>
    decide({ ...input, stable: withValue(input.stable, metric, value) }).record.recommended;
  const far = direction === 'up' ? beyondAll(record, metric, now) : 0;
  if (wanted(far) === record.recommended) return null;
  let [same, other] = [bitsOf(now), bitsOf(far)];
  while (same - other > 1n || other - same > 1n) {
    const middle = (same + other) / 2n;
    if (wanted(ofBits(middle)) === record.recommended) same = middle;
    else other = middle;
  }
  const value = ofBits(other);
  const { kind } = record.inputs.stable.metrics[metric]!;
  const each = kind === 'total' && record.instances > 0 ? value / record.instances : null;
  const change = { metric, direction, value, each, target: wanted(value) };
  return { ...change, text: words(change, record) };
}

const withValue = (measurement: Measurement, metric: string, value: number): Measurement => ({
  ...measurement,
  metrics: { ...measurement.metrics, [metric]: { ...measurement.metrics[metric]!, value } },
});

/** A value at which every rule on the metric asks for max_instances. */
function beyondAll({ scaling, instances }: DecisionRecord, metric: string, now: number): number {
  const bounds = scaling.rules.flatMap((text) => {
    const rule = parseRule(text);
    return rule.ok && rule.value.metric === metric ? [rule.value.lower?.value ?? 0, rule.value.upper?.value ?? 0] : [];
  });
  return 2 * Math.max(now, ...bounds) * (Math.max(scaling.maxInstances, instances) + 1);
}

/** Doubles that are not negative are in the order of their bits. */
const scratch = new DataView(new ArrayBuffer(8));

function bitsOf(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

function ofBits(bits: bigint): number {
  scratch.setBigUint64(0, bits);
  return scratch.getFloat64(0);
}

function words({ metric, direction, value, each, target }: Omit<Nearest, 'text'>, { scaling }: DecisionRecord): string {
  const shown = each ?? value;
  const round = Number(shown.toPrecision(12));
  // The first double beyond a bound that is allowed itself is shown as that bound.
  const verb = direction === 'up' ? (shown > round ? 'passed' : 'reached') : shown < round ? 'fell below' : 'fell to';
  const amount = quantity(metric, round, plain);
  const share = each === null ? '' : ` per instance (${quantity(metric, Number(value.toPrecision(12)), plain)} in all)`;
  const delay = direction === 'down' && scaling.scaleDownDelayMs > 0 ? ` for ${plain(scaling.scaleDownDelayMs / 1000)} s` : '';
  return `${target} if ${metric} ${verb} ${amount}${share}${delay}`;
}
