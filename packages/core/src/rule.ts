import type { Comparison, Rule } from './model.js';
import { fault, type Parsed, parsed } from './parsed.js';

/**
 * The rule language: `[number op] metric [op number]`, rules separated by commas. A hand-written scanner that looks at
 * every character once, because the text comes from operators and a backtracking pattern is quadratic on 4,000 spaces.
 */

/** Characters of one rule, white space included: ten times what a long rule needs, and it bounds all work below. */
export const MAX_RULE_LENGTH = 256;
/** Rules of one endpoint; each is evaluated every round. */
export const MAX_RULES = 64;

export type MetricKind = 'total' | 'average' | 'direct';

/** Built-in metrics. total: summed over the cluster and shared by the instances; average: does not divide; direct: a count. */
export const METRIC_KINDS: Readonly<Record<string, MetricKind>> = {
  rate: 'total',
  bytes: 'total',
  active: 'total',
  pending: 'total',
  response: 'average',
  p50: 'average',
  p90: 'average',
  p95: 'average',
  p99: 'average',
  errors: 'average',
  instances: 'direct',
};

/** A metric Reactor does not know is a custom one, and custom metrics are averages. */
export function metricKind(name: string): MetricKind {
  return Object.hasOwn(METRIC_KINDS, name) ? METRIC_KINDS[name]! : 'average';
}

/** Powers of ten, so that `300ms` is exactly the double 0.3; minutes are the only unit that is not one. */
const UNIT_EXPONENTS: ReadonlyMap<string, number> = new Map([
  ['', 0],
  ['ms', -3],
  ['s', 0],
  ['%', -2],
  ['k', 3],
  ['kB', 3],
  ['M', 6],
  ['MB', 6],
  ['G', 9],
  ['GB', 9],
]);
const MINUTE = 60;
const UNITS = 'ms s m % k M G kB MB GB';
const SHAPE = "'lower < metric < upper'";

type Operator = Comparison | '>' | '>=';
/** `at` is the 0-based place in the whole text. */
type Token =
  | { readonly kind: 'number'; readonly at: number; readonly text: string; readonly value: number }
  | { readonly kind: 'name'; readonly at: number; readonly text: string }
  | { readonly kind: 'op'; readonly at: number; readonly text: Operator }
  | { readonly kind: 'end'; readonly at: number; readonly text: '' };
type NumberToken = Extract<Token, { kind: 'number' }>;

const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9';
const isLetter = (c: string | undefined): boolean =>
  c !== undefined && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c === '_');
const isBlank = (c: string | undefined): boolean => c === ' ' || c === '\t' || c === '\n' || c === '\r';

/** One rule. The fault's column counts from the start of `text`. */
export function parseRule(text: string): Parsed<Rule> {
  return parseItem(text, 0, text.length);
}

/** A comma-separated list, earlier rules first. Blank text is no rules; columns count within the whole text. */
export function parseRules(text: string): Parsed<readonly Rule[]> {
  if (text.length <= MAX_RULE_LENGTH && trimmed(text, 0, text.length).text === '') return parsed([]);
  const rules: Rule[] = [];
  for (let from = 0; from <= text.length; ) {
    if (rules.length === MAX_RULES) return fault(from + 1, `more than ${MAX_RULES} rules`);
    const comma = text.indexOf(',', from);
    const to = comma === -1 ? text.length : comma;
    if (to - from <= MAX_RULE_LENGTH && trimmed(text, from, to).text === '') {
      return fault(from + 1, `rule ${rules.length + 1} is empty; expected ${SHAPE} between commas`);
    }
    const rule = parseItem(text, from, to);
    if (!rule.ok) return rule;
    rules.push(rule.value);
    from = to + 1;
  }
  return parsed(rules);
}

/** The rule in plain numbers and single spaces; parses back to the same bounds. */
export function formatRule(rule: Rule): string {
  const lower = rule.lower === null ? '' : `${plainNumber(rule.lower.value)} ${rule.lower.op} `;
  const upper = rule.upper === null ? '' : ` ${rule.upper.op} ${plainNumber(rule.upper.value)}`;
  return `${lower}${rule.metric}${upper}`;
}

/** Shortest decimal digits that give the same double, without an exponent, which the grammar does not have. */
export function plainNumber(value: number): string {
  const [mantissa = '0', exponent] = String(value).split('e');
  if (exponent === undefined) return mantissa;
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const shift = Number(exponent);
  return shift < 0 ? `0.${'0'.repeat(-shift - 1)}${whole}${fraction}` : `${whole}${fraction.padEnd(shift, '0')}`;
}

function trimmed(text: string, from: number, to: number): { readonly text: string; readonly at: number } {
  let start = from;
  let end = to;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return { text: text.slice(start, end), at: start };
}

function parseItem(text: string, from: number, to: number): Parsed<Rule> {
  if (to - from > MAX_RULE_LENGTH) return fault(from + 1, `rule longer than ${MAX_RULE_LENGTH} characters`);
  const tokens = scan(text, from, to);
  if (!tokens.ok) return tokens;
  return assemble(tokens.value, trimmed(text, from, to).text);
}

function scan(text: string, from: number, to: number): Parsed<readonly Token[]> {
  const tokens: Token[] = [];
  let at = from;
  while (at < to) {
    if (isBlank(text[at])) {
      at++;
      continue;
    }
    const token = scanToken(text, at, to);
    if (!token.ok) return token;
    tokens.push(token.value);
    at += token.value.text.length;
  }
  tokens.push({ kind: 'end', at: to, text: '' });
  return parsed(tokens);
}

function scanToken(text: string, at: number, to: number): Parsed<Token> {
  const c = text[at];
  const next = at + 1 < to ? text[at + 1] : undefined;
  if (isDigit(c)) return scanNumber(text, at, to);
  if (isLetter(c)) {
    let end = at + 1;
    while (end < to && (isLetter(text[end]) || isDigit(text[end]))) end++;
    return parsed({ kind: 'name', at, text: text.slice(at, end) });
  }
  if (c === '<' || c === '>') {
    if (next === '=') return parsed({ kind: 'op', at, text: `${c}=` });
    let after = at + 1;
    while (after < to && isBlank(text[after])) after++;
    if (after < to && text[after] === '=') return fault(at + 1, "'<' and '=' are apart; write '<='");
    return parsed({ kind: 'op', at, text: c });
  }
  return fault(at + 1, strangeCharacter(text, at, next));
}

function strangeCharacter(text: string, at: number, next: string | undefined): string {
  const c = String.fromCodePoint(text.codePointAt(at)!);
  if (c === '=' || c === '≤' || c === '≦' || c === '⩽') return `expected < or <=, found '${c}'; write '<='`;
  if (c === '≥' || c === '≧' || c === '⩾') return `use ${SHAPE} with < or <=, found '${c}'`;
  if (c === '.' && isDigit(next)) return "a number starts with a digit; write '0.' instead of '.'";
  if (c === '-' && at > 0 && (isLetter(text[at - 1]) || isDigit(text[at - 1]))) {
    return "unexpected '-'; a metric is letters, digits and _";
  }
  if (c === '-' || c === '+') return `a number has no sign, found '${c}'; expected digits, such as 1 or 0.5`;
  if (c === '"' || c === "'") return 'write the rule without quotes';
  if (c === ',' || c === ';' || c === '|' || c === '&') return `unexpected '${c}' in a rule; rules are separated by commas`;
  if (/^[\p{Z}\p{C}]$/u.test(c)) {
    return `unexpected character U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}; use plain spaces`;
  }
  return `unexpected '${c}'; expected ${SHAPE}`;
}

function scanNumber(text: string, at: number, to: number): Parsed<Token> {
  let end = at;
  while (end < to && isDigit(text[end])) end++;
  if (end < to && text[end] === '.') {
    const dot = end++;
    while (end < to && isDigit(text[end])) end++;
    if (end === dot + 1) return fault(dot + 1, "expected digits after '.'");
  }
  const digits = text.slice(at, end);
  const unitAt = end;
  if (end < to && text[end] === '%') end++;
  else while (end < to && (isLetter(text[end]) || isDigit(text[end]))) end++;
  const unit = text.slice(unitAt, end);
  const exponent = UNIT_EXPONENTS.get(unit);
  if (unit !== 'm' && exponent === undefined) return fault(unitAt + 1, unknownUnit(digits, unit));
  const value = exponent === undefined ? Number(digits) * MINUTE : Number(`${digits}e${exponent}`);
  return parsed({ kind: 'number', at, text: text.slice(at, end), value });
}

function unknownUnit(digits: string, unit: string): string {
  if (/^[eE]\d+$/.test(unit)) return `numbers have no exponent, found '${digits}${unit}'; write the digits or a unit, such as 2k`;
  const near = UNITS.split(' ').find((known) => known.toLowerCase() === unit.toLowerCase());
  const hint =
    near === undefined ? `expected one of ${UNITS}, and a metric starts with a letter or _` : `did you mean '${near}'?`;
  return `unknown unit '${unit}'; ${hint}`;
}

/** Fits the tokens to the grammar; every way out of it has its own words. */
function assemble(tokens: readonly Token[], text: string): Parsed<Rule> {
  const first = tokens[0]!;
  if (first.kind === 'end') return fault(first.at + 1, `the rule is empty; expected ${SHAPE}, such as 0 < rate < 1`);
  const reversed = tokens.find((token) => token.kind === 'op' && token.text.startsWith('>'));
  if (reversed !== undefined) return fault(reversed.at + 1, `use ${SHAPE}${turnedRound(tokens)}`);
  if (first.kind === 'op') return fault(first.at + 1, `expected a number or a metric before '${first.text}'`);

  let position = 0;
  let lower: { readonly number: NumberToken; readonly op: Comparison } | null = null;
  if (first.kind === 'number') {
    const op = tokens[1]!;
    if (op.kind !== 'op') return fault(op.at + 1, `expected < or <= after '${first.text}'${found(op)}`);
    lower = { number: first, op: op.text as Comparison };
    position = 2;
  }
  const metric = tokens[position]!;
  if (metric.kind !== 'name') return fault(metric.at + 1, `expected a metric after '${lower?.op}'${found(metric)}`);
  let upper: { readonly number: NumberToken; readonly op: Comparison } | null = null;
  const op = tokens[position + 1]!;
  if (op.kind === 'op') {
    const bound = tokens[position + 2]!;
    if (bound.kind !== 'number') return fault(bound.at + 1, `expected a number after '${op.text}'${found(bound)}`);
    upper = { number: bound, op: op.text as Comparison };
    const rest = tokens[position + 3]!;
    if (rest.kind !== 'end') return fault(rest.at + 1, afterUpper(bound, rest));
  } else if (op.kind !== 'end') {
    return fault(op.at + 1, `expected < or <= after '${metric.text}'${found(op)}`);
  }
  if (lower === null && upper === null) {
    return fault(op.at + 1, `no bound; expected for example '${metric.text} < 10' or '0 < ${metric.text} < 10'`);
  }
  return bounded(text, metric.text, lower, upper);
}

const found = (token: Token): string => (token.kind === 'end' ? ', found the end of the rule' : `, found '${token.text}'`);

function afterUpper(bound: NumberToken, rest: Token): string {
  if (rest.kind === 'name' && (rest.text === 'm' || UNIT_EXPONENTS.has(rest.text))) {
    return `no space between a number and its unit; write '${bound.text}${rest.text}'`;
  }
  return `unexpected '${rest.text}' after the upper bound; a rule ends there and rules are separated by commas`;
}

/** `rate > 1` read from right to left, when the rest of it is well formed. */
function turnedRound(tokens: readonly Token[]): string {
  const body = tokens.slice(0, -1);
  const shape = body.map((token) => token.kind).join(' ');
  const known = ['name op number', 'number op name', 'number op name op number'].includes(shape);
  if (!known || body.some((token) => token.kind === 'op' && token.text.startsWith('<'))) return '';
  return `; write '${body
    .toReversed()
    .map((token) => token.text.replace('>', '<'))
    .join(' ')}'`;
}

function bounded(
  text: string,
  metric: string,
  lower: { readonly number: NumberToken; readonly op: Comparison } | null,
  upper: { readonly number: NumberToken; readonly op: Comparison } | null,
): Parsed<Rule> {
  if (lower !== null && upper !== null) {
    // Equal bounds leave exactly one value, and that only when both include it.
    const strict = lower.op === '<' || upper.op === '<';
    const { value: low, text: lowText } = lower.number;
    const { value: high, text: highText, at } = upper.number;
    if (low > high || (low === high && strict)) {
      return fault(at + 1, `lower bound ${lowText} is not below upper bound ${highText}`);
    }
  }
  if (upper !== null && upper.number.value === 0) {
    return fault(upper.number.at + 1, `an upper bound must be above 0, found '${upper.number.text}'`);
  }
  return parsed({
    text,
    metric,
    lower: lower === null ? null : { value: lower.number.value, op: lower.op },
    upper: upper === null ? null : { value: upper.number.value, op: upper.op },
  });
}
