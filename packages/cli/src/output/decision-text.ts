import {
  type DecisionRecord,
  type DecisionReport,
  type Explanation,
  explainDecision,
  type Measurement,
  type RangeRecord,
  type Step,
} from '@reactor/core';
import { duration } from './age.js';
import { clockTime } from './log-line.js';
import { metricValue } from './metric-value.js';
import { printable } from './printable.js';
import { table } from './table.js';
import { verdictTable } from './verdict-table.js';

/**
 * The last decision, to be read from top to bottom by somebody who was just woken up: the sentence, then the numbers it
 * came from in the order in which they were used. Whoever stops reading early has read what matters most.
 */
export function decisionText(report: DecisionReport, nowMs: number): readonly string[] {
  const { record } = report;
  const { rules: each, limits: all, whyNotMore, whyNotFewer, nearest } = explainDecision(record);
  const age = duration(nowMs - report.atMs);
  const facts = `Decided ${age} ago (${clockTime(report.atMs)}) by leader epoch ${record.epoch}; ${record.endpoint} is ${record.state}.`;
  return [
    printable(`${record.endpoint}: ${record.sentence}`),
    printable(facts),
    ...section('Measured', measured(record)),
    ...section('Rules', rules(record, each)),
    ...section('Limits', limits(record, all)),
    ...section('Why not', [printable(`more: ${whyNotMore}`), printable(`fewer: ${whyNotFewer}`)]),
    ...section(
      'It would be',
      nearest.map(({ text }) => printable(text)),
    ),
    ...section(
      'Because',
      record.reasons.map((reason) => printable(reason)),
    ),
    ...section('Shadow', shadow(report)),
    ...section('Steps', report.steps.length === 0 ? ['none'] : table(null, report.steps.map(stepRow))),
    ...section('Placement', placement(report, nowMs)),
  ];
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];

/** The candidate in shadow_rules: what it would do, with the count that it would have by now. */
function shadow({ shadow: candidate }: DecisionReport): readonly string[] {
  if (candidate === undefined) return [];
  return [printable(`shadow: ${candidate.target} (rules ${candidate.rules.join(', ')})`), printable(candidate.sentence)];
}

/** Of the newest start, which may lie rounds back, or of what no host took since: where it went, and why not elsewhere. */
function placement(report: DecisionReport, nowMs: number): readonly string[] {
  const verdicts = report.placement ?? null;
  if (verdicts === null) return [];
  const { host, reason, atMs } = verdicts;
  const when = `${duration(nowMs - atMs)} ago`;
  const title = host === null ? `first refused ${when}: no host takes it` : `started ${when} on ${host}: ${reason}`;
  return [printable(title), ...verdictTable(verdicts)];
}

function measured(record: DecisionRecord): readonly string[] {
  const { stable, burst } = record.inputs;
  // The short window is only looked at when it changed something; otherwise it would be one more thing to read.
  const rows = [...readings(stable, record.scaling.windowMs), ...(record.burst === null ? [] : readings(burst, BURST_MS))];
  const missing = [...new Set(record.rules.filter((rule) => rule.value === null).map((rule) => rule.metric))];
  const { dropped = {} } = stable;
  const gaps = missing.map((metric) => [
    metric,
    Object.hasOwn(dropped, metric) ? `no data: ${dropped[metric]}` : 'no data',
    '',
    '',
    '',
  ]);
  if (rows.length + gaps.length === 0) return ['nothing: no source has reported'];
  return table(['METRIC', 'VALUE', 'WINDOW', 'AGE', 'SOURCES'], [...rows, ...gaps]);
}

/** The burst window's length is a constant of the decision; the record holds what it saw, not how long it is. */
const BURST_MS = 2000;

function readings(measurement: Measurement, windowMs: number): readonly (readonly string[])[] {
  return Object.keys(measurement.metrics)
    .sort()
    .flatMap((metric) => {
      const reading = measurement.metrics[metric];
      if (reading === undefined) return [];
      const { reported, expected } = reading.sources;
      const value = `${metricValue(metric, reading.value)}${reading.kind === 'total' ? ' in all' : ''}`;
      return [[metric, value, `last ${duration(windowMs)}`, duration(reading.ageMs), `${reported} of ${expected}`]];
    });
}

function rules(record: DecisionRecord, explained: Explanation['rules']): readonly string[] {
  if (explained.length === 0) return ['none: the count stays within its bounds'];
  const rows = explained.map((rule, index) => {
    const burst = rule.window === 'burst';
    const name = `${burst ? index + 1 - record.rules.length : index + 1}. ${rule.text}${burst ? ' (burst)' : ''}`;
    if (rule.value === null || rule.range === null) return [name, 'no data', '', '', '', 'skipped'];
    return [
      name,
      metricValue(rule.metric, rule.value),
      rule.each === null ? '' : metricValue(rule.metric, rule.each),
      rule.ageMs === null ? '' : duration(rule.ageMs),
      rule.sources === null ? '' : `${rule.sources.reported} of ${rule.sources.expected}`,
      rangeText(rule.range),
    ];
  });
  return table(['RULE', 'VALUE', 'EACH NOW', 'AGE', 'SOURCES', 'ALLOWS'], rows);
}

function limits(record: DecisionRecord, explained: Explanation['limits']): readonly string[] {
  const { scaling, instances, state } = record;
  const names: Readonly<Record<Explanation['limits'][number]['limit'], string>> = {
    rules: 'rules',
    bounds: `min ${scaling.minInstances}, max ${scaling.maxInstances}`,
    state,
    hold: 'held by the operator',
    picked: `picked at ${instances}`,
    burst: 'burst',
    delay: `scale-down delay ${duration(scaling.scaleDownDelayMs)}`,
    ramp: `at most ${scaling.rampLimit} a round`,
    missing: 'missing data',
  };
  const rows = explained.map(({ limit, before, after }) => [
    names[limit],
    before === null ? 'any' : rangeText(before),
    rangeText(after),
  ]);
  return table(['LIMIT', 'BEFORE', 'AFTER'], rows);
}

function rangeText([lo, hi]: RangeRecord): string {
  if (hi === null) return lo === 0 ? 'any' : `${lo} or more`;
  if (lo === hi) return String(lo);
  return lo === 0 ? `at most ${hi}` : `${lo} to ${hi}`;
}

function stepRow(step: Step): readonly string[] {
  switch (step.kind) {
    case 'start':
      return ['start', step.instance, `on ${step.host}`, step.why];
    case 'recommission':
      return ['take back', step.instance, `on ${step.host}`, 'it was draining'];
    case 'retire':
      return [step.errored ? 'retire (errored)' : 'drain', step.instance, `on ${step.host}`, step.why];
    case 'remove':
      return ['remove', step.instance, `on ${step.host}`, step.why];
    case 'forget':
      return ['forget', step.instance, '', 'its container is gone'];
    case 'wait':
      return ['wait', step.instance ?? '', '', `for ${step.on}`];
  }
}
