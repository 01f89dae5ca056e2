import { rangeWords } from './count-range.js';
import type { DecisionRecord, RangeRecord, RuleRecord } from './decision-record.js';
import { plain, quantity, rounded } from './decision-sentence.js';
import { type Nearest, nearestChanges } from './nearest-change.js';

/** A decision taken apart for whoever asks why: each rule, each limit, why not more, why not fewer, and what would change it. */

export interface Explanation {
  readonly rules: readonly ExplainedRule[];
  readonly limits: readonly Limit[];
  readonly whyNotMore: string;
  readonly whyNotFewer: string;
  /** Nearest first of each metric: what it would have to read for another count. */
  readonly nearest: readonly Nearest[];
}

export interface ExplainedRule extends RuleRecord {
  /** Of the window that was looked at. */
  readonly window: 'stable' | 'burst';
  /** A total per instance; null where nothing is divided. */
  readonly each: number | null;
  /** Age of the reading, and how many of its sources reported; null without one. */
  readonly ageMs: number | null;
  readonly sources: { readonly reported: number; readonly expected: number } | null;
}

/** What a limit was given and what it left; a single count is a range of one. */
export interface Limit {
  readonly limit: 'rules' | 'bounds' | 'state' | 'hold' | 'picked' | 'burst' | 'delay' | 'ramp' | 'missing';
  readonly before: RangeRecord | null;
  readonly after: RangeRecord;
}

export function explainDecision(record: DecisionRecord): Explanation {
  return {
    rules: [...explained(record, record.rules, 'stable'), ...explained(record, record.burst?.rules ?? [], 'burst')],
    limits: limitsOf(record),
    whyNotMore: whyNotMore(record),
    whyNotFewer: whyNotFewer(record),
    nearest: nearestChanges(record),
  };
}

function explained(record: DecisionRecord, rules: readonly RuleRecord[], window: 'stable' | 'burst'): readonly ExplainedRule[] {
  const { metrics: stable } = record.inputs.stable;
  // The burst window lacks some metrics; rules on these keep the stable reading.
  const metrics = window === 'stable' ? stable : { ...stable, ...record.inputs.burst.metrics };
  return rules.map((rule) => {
    const reading = Object.hasOwn(metrics, rule.metric) ? metrics[rule.metric]! : null;
    const each = rule.kind === 'total' && rule.value !== null && record.instances > 0 ? rule.value / record.instances : null;
    return { ...rule, window, each, ageMs: reading?.ageMs ?? null, sources: reading?.sources ?? null };
  });
}

/** In the order in which they were applied. */
export function limitsOf(record: DecisionRecord): readonly Limit[] {
  const { ranges, instances, step, recommended } = record;
  const one = (count: number): RangeRecord => [count, count];
  const bounded: readonly Limit[] = [
    { limit: 'rules', before: null, after: ranges.rules },
    { limit: 'bounds', before: ranges.rules, after: ranges.bounds },
  ];
  const after = one(instances + step);
  if (record.state !== 'RUNNING') return [...bounded, { limit: 'state', before: ranges.bounds, after }];
  if (isHeld(record)) {
    const held = one(ranges.delay);
    return [...bounded, { limit: 'hold', before: ranges.bounds, after: held }, { limit: 'ramp', before: held, after }];
  }
  // What missing data kept up the delay did not know of yet: it shows in its own row.
  const picked = one(Math.min(recommended, ranges.delay));
  return [
    ...bounded,
    { limit: record.burst === null ? 'picked' : 'burst', before: ranges.bounds, after: picked },
    { limit: 'delay', before: picked, after: one(ranges.delay) },
    { limit: 'ramp', before: one(ranges.delay), after: one(ranges.ramp) },
    { limit: 'missing', before: one(ranges.ramp), after: one(ranges.missing) },
  ];
}

const isHeld = ({ kinds }: DecisionRecord): boolean => kinds.includes('hold_by_operator');

/** The state or the operator decides, not what was measured; null when that does. */
function decreed(record: DecisionRecord): string | null {
  if (record.state !== 'RUNNING') return `the endpoint is ${record.state}`;
  return isHeld(record) ? record.reasons[record.kinds.indexOf('hold_by_operator')]! : null;
}

function whyNotMore(record: DecisionRecord): string {
  const { target, scaling, ranges } = record;
  const decree = decreed(record);
  if (decree !== null) return decree;
  if (target >= scaling.maxInstances) return `max_instances is ${scaling.maxInstances}`;
  const rules = deciding(record);
  const cap = rules.findIndex(
    ({ range }) => range !== null && range[1] !== null && range[1] === ranges.rules[1] && range[1] <= target,
  );
  if (cap !== -1) return `rule ${cap + 1} '${rules[cap]!.text}' allows at most ${rules[cap]!.range![1]}${at(rules[cap]!)}`;
  const most = neediest(rules);
  if (most === null || most.range![0] === 0) return 'no rule asks for more';
  return `no rule asks for more than ${most.range![0]}, and that is '${most.text}'${at(most)}`;
}

function whyNotFewer(record: DecisionRecord): string {
  const { target, scaling, ranges, recommended, kinds, reasons } = record;
  const decree = decreed(record);
  if (decree !== null) return decree;
  const held = kinds.findLastIndex((kind) => kind === 'hold' || kind === 'partial');
  if (held !== -1 && target > ranges.delay) return `${reasons[held]}, so nothing is taken away`;
  const unknown = [...new Set(record.rules.filter(({ value }) => value === null).map(({ metric }) => metric))];
  if (unknown.length > 0 && target <= record.instances)
    return `there is no data for ${unknown.join(', ')}, so nothing is taken away`;
  if (ranges.delay > recommended) {
    return `${recommended} would do now, but ${ranges.delay} were needed within the last ${plain(scaling.scaleDownDelayMs / 1000)} s`;
  }
  if (target <= scaling.minInstances) return `min_instances is ${scaling.minInstances}`;
  const most = neediest(deciding(record));
  if (most !== null && most.range![0] >= target) return `'${most.text}' needs at least ${most.range![0]}${at(most)}`;
  const [lo, hi] = ranges.bounds;
  const allowed = `the rules allow ${rangeWords({ lo, hi: hi ?? Number.POSITIVE_INFINITY })}`;
  if (target === record.instances) return `${allowed}, and inside that the count stays`;
  return `${allowed}, and with load bounded from both sides the middle is taken`;
}

/** The rules of the window that decided. */
const deciding = (record: DecisionRecord): readonly RuleRecord[] => record.burst?.rules ?? record.rules;

function neediest(rules: readonly RuleRecord[]): RuleRecord | null {
  const known = rules.filter(({ range }) => range !== null);
  return known.reduce<RuleRecord | null>((most, rule) => (most === null || rule.range![0] > most.range![0] ? rule : most), null);
}

const at = ({ kind, metric, value }: RuleRecord): string =>
  value === null || kind === 'direct' ? '' : ` at ${quantity(metric, value, rounded)}${kind === 'total' ? ' in all' : ''}`;
