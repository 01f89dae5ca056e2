import type { BalancerKind } from './balancer-config.js';
import { measures } from './balancer-traits.js';
import type { Rule, ScalingConfig } from './model.js';
import { nearMetric } from './near-metric.js';
import { formatRule, METRIC_KINDS, metricKind, plainNumber } from './rule.js';
import { canFall, canRise, canWake, contradiction, idleRules, restless, unfitRules } from './rule-reach.js';

/** Rules that are legal and yet hardly meant, in words. Advice never refuses. */

/** error: it cannot do what it says. warning: it will surprise somebody. advice: worth a thought. */
export type Severity = 'error' | 'warning' | 'advice';

export type AdviceCode =
  | 'unsatisfiable'
  | 'whole_number_gap'
  | 'never_up'
  | 'stuck_at_zero'
  | 'never_down'
  | 'down_only_in_silence'
  | 'never_decides'
  | 'oscillates'
  | 'unreported_metric';

/** What is wrong, or hardly meant, in the configuration of an endpoint. */
export interface Finding {
  /** Stable name: an AdviceCode, the code of an error, or `config` for a remark on a key. */
  readonly code: string;
  readonly severity: Severity;
  readonly section: string | null;
  readonly key: string | null;
  /** From 1; null where the text is not known. */
  readonly line: number | null;
  /** One sentence. */
  readonly text: string;
  /** What to do instead. */
  readonly suggestion: string | null;
}

export interface RuleAdvice extends Pick<Finding, 'severity' | 'text' | 'suggestion'> {
  readonly code: AdviceCode;
  /** By index; null is about all of them. */
  readonly rule: number | null;
}

/** What is known of an endpoint besides its rules. */
export interface Sources {
  readonly loadBalancer: BalancerKind | null;
  /** Another endpoint whose metrics decide, of which nothing is known here. */
  readonly metricsSource: string | null;
  /** Metrics that programs posted lately; null when nobody was asked. */
  readonly reported: ReadonlySet<string> | null;
}

/** Rules that fall with the load begin at about this share of what an instance may have: less than half, so that two may become one. */
const LOWER_SHARE = 0.3;

export function adviseRules(
  scaling: Pick<ScalingConfig, 'rules' | 'minInstances' | 'maxInstances'>,
  sources: Sources,
): readonly RuleAdvice[] {
  const { rules, minInstances: min, maxInstances: max } = scaling;
  if (rules.length === 0) return [];
  const metrics = adviseMetrics(rules, sources);
  if (min === max) {
    const text = `min_instances and max_instances are both ${min}, so the rules never decide anything.`;
    return [
      ...metrics,
      { code: 'never_decides', severity: 'warning', rule: null, text, suggestion: 'raise max_instances, or leave the rules out' },
    ];
  }
  const scope = { rules, min, max };
  return [
    ...metrics,
    ...adviseContradiction(scope),
    ...adviseUpwards(scope),
    ...adviseDownwards(scope),
    ...adviseSteps(scope),
    ...idleRules(scope).map((rule): RuleAdvice => {
      const text = `Rule ${rule + 1} '${rules[rule]!.text}' never decides: whatever is measured, the count is the same without it.`;
      return {
        code: 'never_decides',
        severity: 'warning',
        rule,
        text,
        suggestion: 'leave it out, or move it before the rules that overrule it',
      };
    }),
  ];
}

interface Scope {
  readonly rules: readonly Rule[];
  readonly min: number;
  readonly max: number;
}

const named = (rules: readonly Rule[], index: number): string => `rule ${index + 1} '${rules[index]!.text}'`;

function adviseContradiction(scope: Scope): readonly RuleAdvice[] {
  const found = contradiction(scope);
  if (found === null) return [];
  const { rules, min, max } = scope;
  const { rule, by } = found;
  const [text, suggestion] =
    by === null
      ? [
          `No count from ${Math.max(min, 1)} to ${max} satisfies ${named(rules, rule)}.`,
          'leave it out: min_instances and max_instances bound the count',
        ]
      : [
          `Nothing can satisfy both ${named(rules, by)} and ${named(rules, rule)}: the earlier one decides.`,
          'leave one of them out, or make their bands overlap',
        ];
  return [{ code: 'unsatisfiable', severity: 'error', rule, text, suggestion }];
}

function adviseUpwards(scope: Scope): readonly RuleAdvice[] {
  const { rules, min } = scope;
  const advice: RuleAdvice[] = [];
  const rises = canRise(scope);
  if (!rises && scope.max > Math.max(min, 1)) {
    const text = 'No load ever starts another instance: no rule that could ask for one has a say.';
    advice.push({
      code: 'never_up',
      severity: 'warning',
      rule: null,
      text,
      suggestion: `give a load an upper bound, such as '${anyBand(rules)}'`,
    });
  }
  if (min === 0 && !canWake(scope)) {
    const text = 'Once it has no instance it stays without: there is nothing to measure that could start the first one.';
    const suggestion = 'set min_instances = 1, or add a rule on what clients ask for, such as 1 < rate < 5';
    advice.push({ code: 'stuck_at_zero', severity: 'warning', rule: null, text, suggestion });
  }
  return advice;
}

function adviseDownwards(scope: Scope): readonly RuleAdvice[] {
  if (canFall(scope, true)) return [];
  const suggestion = `try '${anyBand(scope.rules)}'`;
  if (canFall(scope, false)) {
    const text =
      'While there is any traffic the count never falls: it stays at the most that was ever needed until nobody asks at all.';
    return [{ code: 'down_only_in_silence', severity: 'warning', rule: downRule(scope.rules), text, suggestion }];
  }
  const text = 'The count never falls, not even without any traffic: no rule that could let an instance go has a say.';
  return [{ code: 'never_down', severity: 'warning', rule: null, text, suggestion }];
}

/** The one that lets instances go in silence. */
function downRule(rules: readonly Rule[]): number | null {
  const index = rules.findIndex(({ lower }) => lower !== null);
  return index === -1 ? null : index;
}

function adviseSteps(scope: Scope): readonly RuleAdvice[] {
  const { rules } = scope;
  const advice = unfitRules(scope).map(({ rule, count }): RuleAdvice => {
    const { metric, lower, upper } = rules[rule]!;
    const total = metricKind(metric) === 'total';
    const [most, least] = [times(upper!.value, count), times(lower!.value, count + 1)];
    const where = total
      ? `At a total ${metric} from ${most} to ${least}`
      : `Where ${metric} times the count is from ${most} to ${least}`;
    const text = `${where} no whole number of instances satisfies ${named(rules, rule)}: ${count} ${count === 1 ? 'has' : 'have'} too much and ${count + 1} too little, so it will be ${count + 1}.`;
    return { code: 'whole_number_gap', severity: 'warning', rule, text, suggestion: `try '${widerBand(rules[rule]!)}'` };
  });
  const found = restless(scope);
  if (found === null) return advice;
  const { lower, upper, count } = found;
  const [low, high] = [rules[lower]!, rules[upper]!];
  const who =
    lower === upper
      ? `Rule ${upper + 1} '${high.text}' is`
      : `Rules ${upper + 1} '${high.text}' and ${lower + 1} '${low.text}' are together`;
  const text = `${who} narrower than the step from ${count} to ${count + 1}: that one is no sooner started than it is one too many, so the count is likely to swing.`;
  const wider =
    lower === upper || high.lower === null ? `try '${widerBand(high)}'` : `lower the lower bound of rule ${lower + 1}`;
  return [
    ...advice,
    { code: 'oscillates', severity: 'warning', rule: lower === upper ? upper : Math.max(lower, upper), text, suggestion: wider },
  ];
}

const times = (value: number, count: number): string => plainNumber(Number((value * count).toPrecision(12)));

// ----------------------------------------------------------------------------------------------------------- suggestions

/** The rule with a lower bound that leaves room for a step at any count. */
function widerBand(rule: Rule): string {
  const upper = rule.upper ?? { value: short((rule.lower?.value || 1) / LOWER_SHARE), op: '<' as const };
  return formatRule({ ...rule, lower: { value: short(upper.value * LOWER_SHARE), op: '<' }, upper });
}

const short = (value: number): number => Number(value.toPrecision(2));

/** Of the first load with an upper bound: errors and the like are no measure of how many are needed. */
function anyBand(rules: readonly Rule[]): string {
  const loads = rules.filter(({ metric, upper }) => metricKind(metric) === 'total' && upper !== null);
  const others = rules.filter(({ metric, upper }) => metricKind(metric) === 'average' && metric !== 'errors' && upper !== null);
  const rule = loads[0] ?? others[0] ?? rules.find(({ metric }) => metricKind(metric) === 'total');
  return rule === undefined ? '3 < rate < 10' : widerBand(rule);
}

// --------------------------------------------------------------------------------------------------------------- metrics

function adviseMetrics(rules: readonly Rule[], sources: Sources): readonly RuleAdvice[] {
  const { metricsSource, reported } = sources;
  if (metricsSource !== null) return [];
  const advice: RuleAdvice[] = [];
  const told = new Set<string>();
  for (const [rule, { metric }] of rules.entries()) {
    if (told.has(metric) || metricKind(metric) === 'direct' || reported?.has(metric) === true) continue;
    told.add(metric);
    const found = Object.hasOwn(METRIC_KINDS, metric) ? adviseKnown(metric, sources) : advisePosted(metric, sources);
    if (found !== null) advice.push({ code: 'unreported_metric', rule, ...found });
  }
  return advice;
}

type Words = Pick<RuleAdvice, 'severity' | 'text' | 'suggestion'>;

function adviseKnown(metric: string, { loadBalancer }: Sources): Words | null {
  if (loadBalancer === null) {
    const text = `No load balancer serves the endpoint, so ${metric} is always 0 unless a program posts it.`;
    return { severity: 'warning', text, suggestion: 'set loadbalancer in [endpoint]' };
  }
  if (measures(loadBalancer, metric)) return null;
  const known = Object.keys(METRIC_KINDS).filter((name) => metricKind(name) !== 'direct' && measures(loadBalancer, name));
  return {
    severity: 'warning',
    text: `${loadBalancer} does not measure ${metric}: until a program posts it, the count cannot fall.`,
    suggestion:
      known.length === 0
        ? 'post it with reactor set-metrics'
        : `use one of ${known.join(', ')}, or post it with reactor set-metrics`,
  };
}

function advisePosted(metric: string, { reported }: Sources): Words | null {
  const near = nearMetric(metric);
  if (near !== null) {
    return {
      severity: 'warning',
      text: `No source reports '${metric}', so the count cannot fall.`,
      suggestion: `did you mean '${near}'?`,
    };
  }
  const suggestion = `post it: echo '{"${metric}": 1}' | reactor set-metrics ENDPOINT`;
  return reported === null
    ? {
        severity: 'advice',
        text: `No load balancer measures '${metric}': until a program posts it, the count cannot fall.`,
        suggestion,
      }
    : {
        severity: 'warning',
        text: `Nobody has posted '${metric}' lately: until a program does, the count cannot fall.`,
        suggestion,
      };
}
