import { BURST_WINDOW_MS, type DecisionInput, type Measurement, type MetricReading, STALE_WINDOWS } from './decision-input.js';
import { type DecisionRecord, rangeRecord, ruleRecords } from './decision-record.js';
import { describeDecision } from './decision-sentence.js';
import { type Evaluation, evaluate, type Reason } from './evaluation.js';
import { activeHold, heldCount, heldWords } from './hold.js';
import type { Hold, Rule } from './model.js';
import { nearMetric } from './near-metric.js';
import { METRIC_KINDS, parseRule } from './rule.js';
import { largestTarget, NO_HISTORY, rememberTarget, type TargetHistory } from './target-history.js';

export type { DecisionInput, Measurement, MetricReading } from './decision-input.js';
export { BURST_WINDOW_MS, STALE_WINDOWS } from './decision-input.js';
export type { DecisionRecord } from './decision-record.js';
export { NO_HISTORY, type TargetHistory } from './target-history.js';

/**
 * How many instances an endpoint should have, over time: the stateless evaluation, then what the burst window adds, then
 * what the last minutes, missing data and the ramp hold back. Everything it knows is in its record, so that running it
 * again on a record gives the same bytes.
 */

/** With fewer requests in the burst window their number is mostly chance. */
export const BURST_MIN_REQUESTS = 20;
const QUANTILE = /^p\d\d$/;

/**
 * Decides one endpoint at one moment. The history to keep is the same object when nothing is to be written. While an
 * endpoint does not scale its history is empty; the count it then starts with counts as its target so far, so that
 * resuming, or losing the history, shrinks nothing before a whole delay was seen.
 */
export function decide(given: DecisionInput): { readonly record: DecisionRecord; readonly history: TargetHistory } {
  const record = recordOfDecision(given);
  return { record, history: historyAfter(record) };
}

/** What is remembered after a decision; the same object as before it when nothing is to be written. */
export function historyAfter(record: DecisionRecord): TargetHistory {
  const { atMs, instances, recommended, scaling } = record;
  const { history } = record.inputs;
  // Empty, so that after the hold its count is the target so far: handing back shrinks nothing before a whole delay.
  if (record.state !== 'RUNNING' || record.kinds.includes('hold_by_operator')) return withoutTargets(history);
  return rememberTarget(pastTargets({ history, instances, atMs }, recommended), atMs, recommended, scaling.scaleDownDelayMs);
}

function recordOfDecision(given: DecisionInput): DecisionRecord {
  const input = { ...given, stable: withData(given.stable, given, true), burst: withData(given.burst, given, false) };
  const { instances: n, scaling, state } = input;
  const stable = evaluateWith(input, input.stable, input.stable.metrics);
  if (state !== 'RUNNING') return standing(input, stable);
  const held = activeHold(input.hold, input.atMs);
  if (held !== null) return heldRecord(input, stable, held);
  const burst = burstNeed(input, stable);
  const wanted = burst === null ? stable.wanted : burst.need;
  const hold = holdReason(input, stable);
  const floor = hold === null ? 0 : Math.min(n, scaling.maxInstances);
  const recommended = Math.max(wanted, floor);

  const past = pastTargets(input, recommended);
  const largest = largestTarget(past, input.atMs, scaling.scaleDownDelayMs) ?? 0;
  const delayed = Math.min(Math.max(largest, wanted), scaling.maxInstances);
  const target = Math.max(delayed, floor);
  // Nothing that is no count may ever reach the planner.
  if (!Number.isSafeInteger(target) || target < 0) throw new Error(`the target of ${input.endpoint} is no count: ${target}`);
  const step = limitedStep(target - n, scaling.rampLimit);

  const reasons: Reason[] = [];
  if (burst !== null) reasons.push({ kind: 'burst', text: `the last ${BURST_WINDOW_MS / 1000} s need ${burst.need}` });
  if (delayed > wanted) reasons.push({ kind: 'delay', text: `the largest target of the scale-down delay holds: ${delayed}` });
  if (hold !== null && target > delayed) reasons.push(hold);
  if (n + step !== target) reasons.push(rampReason(scaling.rampLimit, n + step));

  const outcome: Outcome = {
    stable,
    burst,
    recommended,
    target,
    step,
    delay: delayed,
    ramp: n + limitedStep(delayed - n, scaling.rampLimit),
    reasons,
  };
  const sentence = describeDecision({
    input,
    evaluation: burst?.evaluation ?? stable,
    windowMs: burst === null ? scaling.windowMs : BURST_WINDOW_MS,
    wanted,
    delayed,
    target,
    step,
    hold: hold?.text ?? null,
  });
  return recordOf(input, outcome, sentence);
}

/** The decision a record was made from, made again. @throws Error when the record's rules are none. */
export const replay = (record: Remembered): DecisionRecord => decide(inputOf(record)).record;

/** What of a record it was made from. */
export type Remembered = Pick<DecisionRecord, 'endpoint' | 'atMs' | 'epoch' | 'state' | 'instances' | 'inputs' | 'scaling'>;

/** @throws Error when the record's rules are none. */
export function inputOf(record: Remembered): DecisionInput {
  const rules = record.scaling.rules.map((text): Rule => {
    const rule = parseRule(text);
    if (!rule.ok) throw new Error(`a record holds '${text}', which is no rule: ${rule.fault.message}`);
    return rule.value;
  });
  const { endpoint, atMs, epoch, state, instances } = record;
  return { endpoint, atMs, epoch, state, instances, ...record.inputs, scaling: { ...record.scaling, rules } };
}

// ------------------------------------------------------------------------------------------------------------- the limits

/**
 * Without what is stale or no finite, non-negative number; the same object when all is well. Quantiles are known for the
 * endpoint's own window only, so the burst window has nothing to say about them.
 */
function withData(measurement: Measurement, input: DecisionInput, quantiles: boolean): Measurement {
  const staleMs = STALE_WINDOWS * input.scaling.windowMs;
  const good = ([metric, reading]: readonly [string, MetricReading]): boolean =>
    Number.isFinite(reading.value) && reading.value >= 0 && reading.ageMs <= staleMs && (quantiles || !QUANTILE.test(metric));
  const entries = Object.entries(measurement.metrics);
  return entries.every(good) ? measurement : { ...measurement, metrics: Object.fromEntries(entries.filter(good)) };
}

function evaluateWith(
  input: DecisionInput,
  { settled = input.instances, dropped = {} }: Measurement,
  metrics: Measurement['metrics'],
): Evaluation {
  const { rules, minInstances: min, maxInstances: max } = input.scaling;
  const readings = rules.flatMap(({ metric }) => {
    if (!Object.hasOwn(metrics, metric)) return [];
    const { kind, value } = metrics[metric]!;
    return [[metric, kind === 'total' ? { total: value } : { average: value }] as const];
  });
  return evaluate({ rules, min, max, instances: input.instances, settled, metrics: Object.fromEntries(readings), dropped });
}

/**
 * What the burst window needs when that is more than the stable one wants. Where n is enough, only the need itself counts,
 * the lower end: that a burst would also have been fine with n is no reason to keep n.
 */
function burstNeed(input: DecisionInput, stable: Evaluation): { readonly need: number; readonly evaluation: Evaluation } | null {
  if (input.burst.requests < BURST_MIN_REQUESTS) return null;
  // Rules on metrics the burst window lacks keep their precedence with the stable values.
  const evaluation = evaluateWith(input, input.burst, { ...input.stable.metrics, ...input.burst.metrics });
  const need = Math.max(evaluation.range.lo, evaluation.wanted > input.instances ? evaluation.wanted : 0);
  return need > stable.wanted ? { need, evaluation } : null;
}

/** Why the count may not fall below n: missing is not zero, and neither is what half of the sources saw. */
function holdReason(input: DecisionInput, stable: Evaluation): Reason | null {
  const { metrics, partial, dropped = {} } = input.stable;
  if (stable.missing.length > 0) {
    const names = stable.missing.map((metric) => {
      const near = Object.hasOwn(dropped, metric) ? null : nearMetric(metric);
      return near === null ? metric : `${metric} (did you mean ${near}?)`;
    });
    return { kind: 'hold', text: `there is no data for ${names.join(', ')}` };
  }
  const asked = stable.rules.filter((outcome) => outcome.kind !== 'direct').map(({ rule }) => rule.metric);
  const thin = asked.flatMap((metric) => metrics[metric] ?? []).find(isThin);
  // What the load balancers left out matters only to rules on what they measure.
  const measured = partial && asked.some((metric) => Object.hasOwn(METRIC_KINDS, metric));
  if (thin !== undefined) {
    return { kind: 'partial', text: `only ${thin.sources.reported} of ${thin.sources.expected} sources reported` };
  }
  return measured ? { kind: 'partial', text: 'the window is not covered completely yet' } : null;
}

const isThin = ({ sources }: MetricReading): boolean => sources.reported < sources.expected;

const withoutTargets = (history: TargetHistory): TargetHistory => (history.targets.length === 0 ? history : NO_HISTORY);

function pastTargets(
  { history, instances, atMs }: Pick<DecisionInput, 'history' | 'instances' | 'atMs'>,
  recommended: number,
): TargetHistory {
  if (history.targets.length > 0 || instances <= recommended) return history;
  return { targets: [{ target: instances, sinceMs: atMs }] };
}

const limitedStep = (step: number, limit: number): number => Math.max(-limit, Math.min(limit, step));

// -------------------------------------------------------------------------------------------------------------- the record

interface Outcome {
  readonly stable: Evaluation;
  readonly burst: { readonly need: number; readonly evaluation: Evaluation } | null;
  readonly recommended: number;
  readonly target: number;
  readonly step: number;
  readonly delay: number;
  readonly ramp: number;
  /** Beyond those of the evaluation. */
  readonly reasons: readonly Reason[];
}

/** PAUSED keeps what runs; STOPPED and REMOVED go to 0 at once, because the operator said so and no ramp protects anything. */
function standing(input: DecisionInput, stable: Evaluation): DecisionRecord {
  const n = input.instances;
  const target = input.state === 'PAUSED' ? n : 0;
  const word = input.state === 'PAUSED' ? 'paused' : input.state === 'STOPPED' ? 'stopped' : 'removed';
  const reasons: readonly Reason[] = [{ kind: word, text: word === 'paused' ? 'paused: nothing starts or stops' : `${word}: 0` }];
  const outcome = { stable, burst: null, recommended: target, target, step: target - n, delay: target, ramp: target, reasons };
  const evaluation = stable;
  const { windowMs } = input.scaling;
  const facts = { input, evaluation, windowMs, wanted: target, delayed: target, target, step: target - n, hold: null };
  return recordOf(input, outcome, describeDecision(facts));
}

/** The operator's count, whatever is measured; only the ramp and max_instances stand above it. */
function heldRecord(input: DecisionInput, stable: Evaluation, held: Hold): DecisionRecord {
  const { instances: n, scaling, atMs } = input;
  const target = heldCount(held, scaling);
  const step = limitedStep(target - n, scaling.rampLimit);
  const reasons: Reason[] = [{ kind: 'hold_by_operator', text: heldWords(held, scaling, atMs).join('; ') }];
  if (n + step !== target) reasons.push(rampReason(scaling.rampLimit, n + step));
  const outcome = { stable, burst: null, recommended: target, target, step, delay: target, ramp: n + step, reasons };
  const { windowMs } = scaling;
  const facts = { input, evaluation: stable, windowMs, wanted: target, delayed: target, target, step, hold: null, held };
  return recordOf(input, outcome, describeDecision(facts));
}

const rampReason = (limit: number, count: number): Reason => ({
  kind: 'ramp',
  text: `ramp_limit allows ${limit} per round: ${count}`,
});

function recordOf(input: DecisionInput, outcome: Outcome, sentence: string): DecisionRecord {
  const { stable, burst, recommended, target, step } = outcome;
  return {
    endpoint: input.endpoint,
    atMs: input.atMs,
    epoch: input.epoch,
    state: input.state,
    instances: input.instances,
    inputs: {
      stable: input.stable,
      burst: input.burst,
      history: input.history,
      ...(input.hold === undefined ? {} : { hold: input.hold }),
    },
    scaling: { ...input.scaling, rules: input.scaling.rules.map((rule) => rule.text) },
    rules: ruleRecords(stable),
    burst: burst === null ? null : { need: burst.need, rules: ruleRecords(burst.evaluation) },
    ranges: {
      rules: rangeRecord(stable.rulesRange),
      bounds: rangeRecord(stable.range),
      delay: outcome.delay,
      ramp: outcome.ramp,
      missing: input.instances + step,
    },
    recommended,
    target,
    step,
    reasons: [...stable.reasons, ...outcome.reasons.map((reason) => reason.text)],
    kinds: [...stable.kinds, ...outcome.reasons.map((reason) => reason.kind)],
    sentence,
  };
}
