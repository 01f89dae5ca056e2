import type { CountRange } from './count-range.js';
import type { DecisionInput } from './decision-input.js';
import type { Evaluation, RuleOutcome } from './evaluation.js';
import { heldWords } from './hold.js';
import type { Hold } from './model.js';

/** A decision in one sentence: what is wanted, which reading asks for it, and which limits changed it. */

export interface DecisionFacts {
  readonly input: DecisionInput;
  /** The one that decided: of the stable window, or of the burst window. */
  readonly evaluation: Evaluation;
  readonly windowMs: number;
  readonly wanted: number;
  /** After the scale-down delay. */
  readonly delayed: number;
  readonly target: number;
  readonly step: number;
  /** Why nothing may be taken away; it made a difference when `target` is above `delayed`. */
  readonly hold: string | null;
  /** What the operator holds it at, instead of all that was measured. */
  readonly held?: Hold;
}

export function describeDecision(facts: DecisionFacts): string {
  const { input, target, step } = facts;
  const n = input.instances;
  if (input.state === 'PAUSED') return `Paused: ${instances(n)} ${n === 1 ? 'stays' : 'stay'}, nothing starts or stops.`;
  const head = `${instances(target)} wanted (${n} now)`;
  if (input.state === 'STOPPED') return `Stopped: ${head}.`;
  if (input.state === 'REMOVED') return `Removed: ${head}.`;

  const clauses = facts.held === undefined ? causes(facts) : [...heldWords(facts.held, input.scaling, input.atMs)];
  if (facts.delayed > facts.wanted) {
    const seconds = plain(input.scaling.scaleDownDelayMs / 1000);
    clauses.push(`${facts.wanted} would do now, but the most wanted in the last ${seconds} s holds`);
  }
  if (facts.hold !== null) clauses.push(facts.target > facts.delayed ? `${facts.hold}, so nothing is taken away` : facts.hold);
  if (n + step !== target) clauses.push(`ramp_limit ${step > 0 ? 'starts' : 'retires'} at most ${Math.abs(step)} a round`);
  return `${head}: ${clauses.join('; ')}.`;
}

const instances = (count: number): string => `${count} ${count === 1 ? 'instance' : 'instances'}`;

/** What the rules, min and max ask for, and because of which reading. */
function causes(facts: DecisionFacts): string[] {
  const { evaluation, input } = facts;
  const { range, rulesRange } = evaluation;
  const { instances: n, scaling } = input;
  const { minInstances: min, maxInstances: max } = scaling;
  const clauses: string[] = [];
  const upwards = facts.wanted > n || (facts.wanted === range.lo && range.lo === rulesRange.lo && n === range.lo);
  const decisive = upwards ? evaluation.lowerBy : n > range.hi ? evaluation.upperBy : null;
  const rule = decisive === null ? undefined : evaluation.rules[decisive];
  if (rule !== undefined && rule.range !== null) {
    clauses.push(upwards ? need(rule, rule.range, facts) : allowance(rule, rule.range, facts));
    if (rule.overruled) clauses.push(`earlier rules allow only ${upwards ? rulesRange.hi : rulesRange.lo}`);
  } else if (scaling.rules.length === 0) clauses.push('there are no rules, so the count stays');
  else clauses.push(...readings(facts));
  if (rulesRange.lo > max || n > max) clauses.push(`max_instances caps it at ${max}`);
  else if (rulesRange.hi < min || n < min) clauses.push(`min_instances asks for ${min}`);
  if (evaluation.choice === 'middle' && range.lo < range.hi) {
    clauses.push(`${evaluation.wanted} is the middle of ${range.lo} to ${range.hi}`);
  }
  return clauses;
}

/** No rule moved the count: what was read, and what that allows. */
function readings(facts: DecisionFacts): string[] {
  const { evaluation } = facts;
  const seen = new Map(evaluation.rules.filter((rule) => rule.value !== null).map((rule) => [rule.rule.metric, rule]));
  if (seen.size === 0) return [];
  const { lo, hi } = evaluation.rulesRange;
  const allowed =
    hi === Number.POSITIVE_INFINITY ? (lo === 0 ? 'any count' : `${lo} or more`) : lo === hi ? `${lo}` : `${lo} to ${hi}`;
  const list = [...seen.values()].map((outcome) => reading(outcome)).join(' and ');
  return [`${list}${over(facts, [...seen.values()])}, for which the rules allow ${allowed}`];
}

function need(outcome: RuleOutcome, range: CountRange, facts: DecisionFacts): string {
  const { rule, kind } = outcome;
  if (kind === 'direct' || rule.upper === null) return `rule '${rule.text}' asks for at least ${range.lo}`;
  const bound = `${rule.upper.op === '<' ? 'less than' : 'at most'} ${quantity(rule.metric, rule.upper.value, plain)}`;
  const doubled = kind === 'average' && range.lo === 2 * facts.input.instances ? ' (at most twice as many at once)' : '';
  return `${reading(outcome)}${over(facts, [outcome])}, and ${bound}${each(outcome)} needs at least ${range.lo}${doubled}`;
}

function allowance(outcome: RuleOutcome, range: CountRange, facts: DecisionFacts): string {
  const { rule, kind } = outcome;
  if (kind === 'direct' || rule.lower === null) return `rule '${rule.text}' allows at most ${range.hi}`;
  const bound = `${rule.lower.op === '<' ? 'more than' : 'at least'} ${quantity(rule.metric, rule.lower.value, plain)}`;
  const halved = kind === 'average' && range.hi === Math.ceil(facts.input.instances / 2) ? ' (at most half as many at once)' : '';
  return `${reading(outcome)}${over(facts, [outcome])}, and ${bound}${each(outcome)} allows at most ${range.hi}${halved}`;
}

const PLURAL: ReadonlySet<string> = new Set(['bytes', 'errors', 'instances']);

const reading = (outcome: RuleOutcome): string =>
  `${outcome.rule.metric} ${PLURAL.has(outcome.rule.metric) ? 'are' : 'is'} ${quantity(outcome.rule.metric, outcome.value ?? 0, rounded)}`;

const each = (outcome: RuleOutcome): string => (outcome.kind === 'total' ? ' each' : '');

/** Counts of this moment have no window. */
function over(facts: DecisionFacts, outcomes: readonly RuleOutcome[]): string {
  const momentary = ['active', 'pending', 'instances'];
  if (outcomes.every((outcome) => momentary.includes(outcome.rule.metric))) return '';
  return ` over the last ${plain(facts.windowMs / 1000)} s`;
}

// ---------------------------------------------------------------------------------------------------------------- numbers

export type Digits = (value: number) => string;

/** With the unit of a built-in metric; custom ones are shown as posted. */
export function quantity(metric: string, value: number, digits: Digits): string {
  switch (metric) {
    case 'rate':
      return `${digits(value)}/s`;
    case 'bytes':
      if (value >= 1e9) return `${digits(value / 1e9)} GB/s`;
      if (value >= 1e6) return `${digits(value / 1e6)} MB/s`;
      return value >= 1e3 ? `${digits(value / 1e3)} kB/s` : `${digits(value)} B/s`;
    case 'response':
    case 'p50':
    case 'p90':
    case 'p95':
    case 'p99':
      return value > 0 && value < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
    case 'errors':
      return `${digits(value * 100)} %`;
    case 'active':
    case 'pending':
    case 'instances':
      return plain(value);
    default:
      return digits(value);
  }
}

/** A reading of a metric, with its unit, as decisions name it. */
export const shownQuantity = (metric: string, value: number): string => quantity(metric, value, rounded);

/** Three digits that matter: 33.0, 0.250, 1240. */
export function rounded(value: number): string {
  if (value === 0 || value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 0.01 ? value.toFixed(2) : value.toPrecision(2);
}

/** As the operator would write it: 300, 0.5; without the noise of binary fractions. */
export const plain = (value: number): string => String(Number(value.toPrecision(12)));
