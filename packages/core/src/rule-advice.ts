import { ruleRange } from './count-range.js';
import type { Rule } from './model.js';
import { METRIC_KINDS, metricKind } from './rule.js';

/** Rules that are legal and yet probably not what was meant. Advice never refuses. */

export interface RuleAdvice {
  /** 1-based. */
  readonly rule: number;
  readonly message: string;
}

/** Longest name worth comparing; no built-in metric is near it, and it bounds the comparison. */
const MAX_NEAR_LENGTH = 16;

/** Looks at the rules alone, without any measurement. Nobody is told that what is `reported` might be misspelt. */
export function adviseRules(rules: readonly Rule[], reported: ReadonlySet<string> = new Set()): readonly RuleAdvice[] {
  const advice: RuleAdvice[] = [];
  rules.forEach((rule, index) => {
    const near = reported.has(rule.metric) ? null : nearMetric(rule.metric);
    if (near !== null) {
      advice.push({ rule: index + 1, message: `no source reports '${rule.metric}'; did you mean '${near}'?` });
    }
    const blocker = rules.findIndex((earlier, i) => i < index && earlier.metric === rule.metric && disjoint(earlier, rule));
    if (blocker !== -1) {
      const message = `rule ${index + 1} can never apply: rule ${blocker + 1} '${rules[blocker]!.text}' comes first and excludes '${rule.text}'`;
      advice.push({ rule: index + 1, message });
    }
  });
  return advice;
}

/** The built-in metric that an unknown name is one slip away from, or null: it may well be a custom metric. */
export function nearMetric(name: string): string | null {
  if (Object.hasOwn(METRIC_KINDS, name) || name.length > MAX_NEAR_LENGTH) return null;
  const lower = name.toLowerCase();
  return Object.keys(METRIC_KINDS).find((known) => known === lower || oneSlip(lower, known)) ?? null;
}

/** One character added, left out, replaced, or swapped with its neighbour. */
function oneSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const rest = (text: string, from: number): string => text.slice(from);
  return (
    rest(a, i + 1) === rest(b, i + 1) ||
    rest(a, i + 1) === rest(b, i) ||
    rest(a, i) === rest(b, i + 1) ||
    (a[i] === b[i + 1] && a[i + 1] === b[i] && rest(a, i + 2) === rest(b, i + 2))
  );
}

function disjoint(a: Rule, b: Rule): boolean {
  if (metricKind(a.metric) === 'direct') {
    const one = ruleRange(a, 0, { direct: 0 });
    const other = ruleRange(b, 0, { direct: 0 });
    return one.hi < other.lo || other.hi < one.lo;
  }
  return below(a, b) || below(b, a);
}

/** Every value `a` allows is under every value `b` allows. */
function below(a: Rule, b: Rule): boolean {
  if (a.upper === null || b.lower === null) return false;
  if (a.upper.value !== b.lower.value) return a.upper.value < b.lower.value;
  return a.upper.op === '<' || b.lower.op === '<';
}
