import { ANY_COUNT, type CountRange, clampRange, fittingRange, narrowRange, type Reading, rangeWords } from './count-range.js';
import type { Rule } from './model.js';
import { nearMetric } from './near-metric.js';
import { type MetricKind, metricKind } from './rule.js';

/** From rules and one set of readings to a range of counts and a target, without any memory. */

export interface EvaluateInput {
  readonly rules: readonly Rule[];
  readonly min: number;
  readonly max: number;
  /** Instances meant to run: starting and ready, not draining. */
  readonly instances: number;
  /** How many of them served while the averages were taken; all, unless told. */
  readonly settled?: number;
  /** By metric name; a metric without data is left out. */
  readonly metrics: Readonly<Record<string, { readonly total: number } | { readonly average: number }>>;
  /** Metrics that were reported and do not count, with the reason. */
  readonly dropped?: Readonly<Record<string, string>>;
}

export interface RuleOutcome {
  readonly rule: Rule;
  readonly kind: MetricKind;
  /** The cluster-wide total, the average or the count that was compared; null when missing. */
  readonly value: number | null;
  /** What this rule alone allows; null when its metric is missing. */
  readonly range: CountRange | null;
  /** No whole number fits the rule's band, so its upper bound alone was obeyed. */
  readonly unfit: boolean;
  /** It contradicts earlier rules and only pulled to the nearest count they allow. */
  readonly overruled: boolean;
}

export type ReasonKind =
  | 'rule'
  | 'unfit'
  | 'overruled'
  | 'no_rules'
  | 'no_data'
  | 'min'
  | 'max'
  | 'keep'
  | 'edge'
  | 'middle'
  | 'hold'
  | 'hold_by_operator'
  | 'burst'
  | 'delay'
  | 'ramp'
  | 'partial'
  | 'paused'
  | 'stopped'
  | 'removed';

export interface Reason {
  readonly kind: ReasonKind;
  readonly text: string;
}

export interface Evaluation {
  /** What rules, min and max allow together. */
  readonly range: CountRange;
  readonly target: number;
  readonly rules: readonly RuleOutcome[];
  /** Metrics that rules ask for and nobody reports, each once, in rule order. */
  readonly missing: readonly string[];
  /** What the rules alone allow. */
  readonly rulesRange: CountRange;
  readonly reasons: readonly string[];
  /** Kind of each reason, in the same order. */
  readonly kinds: readonly ReasonKind[];
  /** The target before missing metrics held it up. */
  readonly wanted: number;
  /** How `wanted` was picked from the range. */
  readonly choice: 'keep' | 'edge' | 'middle';
  /** Index of the rule that set the lower and the upper end of `rulesRange`; null when none did. */
  readonly lowerBy: number | null;
  readonly upperBy: number | null;
}

/**
 * The count the rules want. Earlier rules take precedence, min and max stand above all, and a metric without data never
 * lowers the count. Readings that are no finite number or negative are no data.
 */
export function evaluate(input: EvaluateInput): Evaluation {
  const outcomes = input.rules.map((rule) => outcomeOf(rule, input));
  const combined = combine(outcomes);
  const range = clampRange(combined.range, input.min, input.max);
  const { wanted, choice } = choose(combined.rules, range, input.instances);
  const missing = [...new Set(combined.rules.filter((outcome) => outcome.range === null).map((outcome) => outcome.rule.metric))];
  const target = missing.length === 0 ? wanted : Math.max(wanted, Math.min(input.instances, input.max));
  const reasons: Reason[] = [
    ...combined.rules.flatMap((outcome, index) => ruleReasons(outcome, index, input)),
    ...limitReasons(combined.range, range, input),
    choiceReason(choice, wanted, range, input),
  ];
  if (target > wanted) {
    reasons.push({ kind: 'hold', text: `without data for ${missing.join(', ')} the count does not go below ${target}` });
  }
  return {
    range,
    target,
    rules: combined.rules,
    missing,
    rulesRange: combined.range,
    reasons: reasons.map((reason) => reason.text),
    kinds: reasons.map((reason) => reason.kind),
    wanted,
    choice,
    lowerBy: combined.lowerBy,
    upperBy: combined.upperBy,
  };
}

const usable = (value: number): boolean => Number.isFinite(value) && value >= 0;

function readingOf(metric: string, input: EvaluateInput): Reading | null {
  if (metricKind(metric) === 'direct') return { direct: input.instances };
  if (!Object.hasOwn(input.metrics, metric)) return null;
  const reading = input.metrics[metric]!;
  if ('total' in reading) return usable(reading.total) ? reading : null;
  // A mean over no instance is not a value.
  return usable(reading.average) && input.instances >= 1 ? reading : null;
}

function outcomeOf(rule: Rule, input: EvaluateInput): RuleOutcome {
  const reading = readingOf(rule.metric, input);
  if (reading === null) {
    return { rule, kind: metricKind(rule.metric), value: null, range: null, unfit: false, overruled: false };
  }
  const fitting = fittingRange(rule, input.instances, reading, input.settled);
  const unfit = fitting.lo > fitting.hi;
  const range = unfit ? { lo: fitting.lo, hi: fitting.lo } : fitting;
  if ('direct' in reading) return { rule, kind: 'direct', value: reading.direct, range, unfit, overruled: false };
  if ('total' in reading) return { rule, kind: 'total', value: reading.total, range, unfit, overruled: false };
  return { rule, kind: 'average', value: reading.average, range, unfit, overruled: false };
}

interface Combined {
  readonly rules: readonly RuleOutcome[];
  readonly range: CountRange;
  readonly lowerBy: number | null;
  readonly upperBy: number | null;
}

function combine(outcomes: readonly RuleOutcome[]): Combined {
  let range = ANY_COUNT;
  let lowerBy: number | null = null;
  let upperBy: number | null = null;
  const rules = outcomes.map((outcome, index) => {
    if (outcome.range === null) return outcome;
    const overruled = Math.max(range.lo, outcome.range.lo) > Math.min(range.hi, outcome.range.hi);
    const next = narrowRange(range, outcome.range);
    if (next.lo > range.lo) lowerBy = index;
    if (next.hi < range.hi) upperBy = index;
    range = next;
    return overruled ? { ...outcome, overruled } : outcome;
  });
  return { rules, range, lowerBy, upperBy };
}

/**
 * Inside the range nothing moves. Outside, a load bounded from both sides aims at the middle, where it has room to move
 * either way; else the nearest end is enough. Only load counts: `rate < 1` at 3.5 with max 100 means 4, not 52.
 */
function choose(
  rules: readonly RuleOutcome[],
  range: CountRange,
  n: number,
): { readonly wanted: number; readonly choice: Evaluation['choice'] } {
  if (n >= range.lo && n <= range.hi) return { wanted: n, choice: 'keep' };
  const load = rules.flatMap((outcome) => (outcome.range === null || outcome.kind === 'direct' ? [] : [outcome.range]));
  const twoSided = load.some((one) => one.lo >= 1) && load.some((one) => one.hi < Number.POSITIVE_INFINITY);
  if (twoSided) return { wanted: Math.floor((range.lo + range.hi) / 2), choice: 'middle' };
  return { wanted: n < range.lo ? range.lo : range.hi, choice: 'edge' };
}

// ---------------------------------------------------------------------------------------------------------------- reasons

function ruleReasons(outcome: RuleOutcome, index: number, input: EvaluateInput): readonly Reason[] {
  const { rule, range, value } = outcome;
  const name = `rule ${index + 1} '${rule.text}'`;
  if (range === null) {
    const why = outcome.kind === 'average' && input.instances < 1 ? ` over ${input.instances} instances` : '';
    return [{ kind: 'no_data', text: `${name} is skipped, no data for ${rule.metric}${why}${hintOf(rule.metric, input)}` }];
  }
  const reading = `${outcome.kind === 'total' ? `a total ${rule.metric} of` : rule.metric} ${value}`;
  const reasons: Reason[] = [];
  if (outcome.unfit) {
    const text = `no instance count satisfies ${rule.text} at ${reading}; the upper bound wins: ${rangeWords(range)}`;
    reasons.push({ kind: 'unfit', text });
  } else reasons.push({ kind: 'rule', text: `${name} at ${reading} allows ${rangeWords(range)}` });
  if (outcome.overruled) {
    reasons.push({ kind: 'overruled', text: `${name} contradicts earlier rules and only pulls to the nearest count they allow` });
  }
  return reasons;
}

/** What may be behind it; a metric that did report once is not misspelt. */
function hintOf(metric: string, { dropped = {} }: EvaluateInput): string {
  if (Object.hasOwn(dropped, metric)) return `: ${dropped[metric]}`;
  const near = nearMetric(metric);
  return near === null ? '' : `: no source reports '${metric}'; did you mean '${near}'?`;
}

function limitReasons(rulesRange: CountRange, range: CountRange, input: EvaluateInput): readonly Reason[] {
  const reasons: Reason[] = [];
  if (rulesRange.hi < input.min) reasons.push({ kind: 'min', text: `min_instances asks for ${range.lo}` });
  if (rulesRange.lo > input.max) reasons.push({ kind: 'max', text: `max_instances caps it at ${range.hi}` });
  return reasons;
}

function choiceReason(choice: Evaluation['choice'], wanted: number, range: CountRange, input: EvaluateInput): Reason {
  if (choice === 'middle') {
    return { kind: 'middle', text: `load bounds the count from both sides, ${rangeWords(range)}: ${wanted} is the middle` };
  }
  if (choice === 'edge') {
    return { kind: 'edge', text: `${input.instances} is outside ${rangeWords(range)}: ${wanted} is nearest` };
  }
  if (input.rules.length === 0) return { kind: 'no_rules', text: `no rules: ${wanted} stays` };
  return { kind: 'keep', text: `${wanted} is within ${rangeWords(range)} and stays` };
}
