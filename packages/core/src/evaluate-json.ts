import { describeError, ReactorError } from './errors.js';
import { type EvaluateInput, evaluate } from './evaluation.js';
import type { Rule } from './model.js';
import { MAX_RULES, parseRule } from './rule.js';

/** The line protocol of `reactor evaluate`: one JSON object in, one out. */

/** Far above 64 rules with a metric each; keeps a line that never ends from filling the memory. */
const MAX_LINE_LENGTH = 1_048_576;
/** How much of a refused text is repeated. */
const MAX_QUOTE_LENGTH = 80;
const KEYS = '"rules", "min", "max", "instances" and "metrics"';

/**
 * `{"rules":[text],"min":n,"max":n,"instances":n,"metrics":{name:{"total":v}|{"average":v}}}` to
 * `{"range":[lo,hi],"target":n,"reasons":[text]}`, where an infinite end is null.
 * @throws ReactorError `request_invalid`, one line.
 */
export function evaluateJson(line: string): string {
  const evaluation = evaluate(readInput(line));
  const { lo, hi } = evaluation.range;
  const range = [lo, Number.isFinite(hi) ? hi : null];
  return JSON.stringify({ range, target: evaluation.target, reasons: evaluation.reasons });
}

const refuse = (message: string): never => {
  throw new ReactorError('request_invalid', message);
};

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > MAX_QUOTE_LENGTH ? `${text.slice(0, MAX_QUOTE_LENGTH)}...` : text;
}

function readInput(line: string): EvaluateInput {
  if (line.length > MAX_LINE_LENGTH) refuse(`the line is longer than ${MAX_LINE_LENGTH} characters`);
  const input = parseJson(line);
  if (!isFields(input)) return refuse(`expected a JSON object with ${KEYS}, found ${quote(input)}`);
  for (const key of ['rules', 'min', 'max', 'instances', 'metrics']) {
    if (!Object.hasOwn(input, key)) refuse(`"${key}" is missing; expected ${KEYS}`);
  }
  const min = readCount('min', input['min']);
  const max = readCount('max', input['max']);
  if (min > max) refuse(`min: ${min} is above max ${max}`);
  return {
    rules: readRules(input['rules']),
    min,
    max,
    instances: readCount('instances', input['instances']),
    metrics: readMetrics(input['metrics']),
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    return refuse(`not JSON: ${describeError(error).slice(0, 2 * MAX_QUOTE_LENGTH)}`);
  }
}

function readRules(value: unknown): readonly Rule[] {
  if (!Array.isArray(value)) return refuse(`rules: expected a list of texts, found ${quote(value)}`);
  if (value.length > MAX_RULES) return refuse(`rules: more than ${MAX_RULES}`);
  return value.map((text: unknown, index) => {
    if (typeof text !== 'string') return refuse(`rules: rule ${index + 1}: expected a text, found ${quote(text)}`);
    const rule = parseRule(text);
    if (rule.ok) return rule.value;
    return refuse(`rules: rule ${index + 1} ${quote(text)}, column ${rule.fault.column}: ${rule.fault.message}`);
  });
}

function readMetrics(value: unknown): EvaluateInput['metrics'] {
  if (!isFields(value)) return refuse(`metrics: expected an object of metrics by name, found ${quote(value)}`);
  const entries = Object.entries(value).map(([name, reading]) => [name, readMetric(name, reading)] as const);
  return Object.fromEntries(entries);
}

function readMetric(name: string, reading: unknown): { readonly total: number } | { readonly average: number } {
  const where = `metrics: ${quote(name)}`;
  const keys = isFields(reading) ? Object.keys(reading) : [];
  if (isFields(reading) && keys.length === 1) {
    if (keys[0] === 'total') return { total: readNumber(where, reading['total']) };
    if (keys[0] === 'average') return { average: readNumber(where, reading['average']) };
  }
  return refuse(`${where}: expected {"total":number} or {"average":number}, found ${quote(reading)}`);
}

function readNumber(where: string, value: unknown): number {
  if (typeof value !== 'number') return refuse(`${where}: expected a number, found ${quote(value)}`);
  if (!Number.isFinite(value)) return refuse(`${where}: not finite, expected a number`);
  if (value < 0) return refuse(`${where}: ${value} is negative, expected 0 or more`);
  // JSON knows -0; adding 0 makes it plain.
  return value + 0;
}

function readCount(where: string, value: unknown): number {
  const count = readNumber(where, value);
  return Number.isSafeInteger(count) ? count : refuse(`${where}: expected a whole number, found ${count}`);
}
