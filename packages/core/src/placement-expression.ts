import { RE2JS } from 're2js';
import type { Expression, HostRecord } from './model.js';
import { fault, type Parsed, parsed } from './parsed.js';

/**
 * The words of `constraints` and `affinity`: `key OP value`, OP `==` or `!=`, with a `~` behind it when the rule is soft.
 * The syntax is classic Docker Swarm's. A plain value matches the whole candidate, `*` any run of characters; `/re/`
 * searches with RE2 syntax, whose matching time is linear, so no value can hang a round.
 */

export type ExpressionKind = 'constraint' | 'affinity';

/** A list is evaluated for every host in every round; more than this is a mistake, not a wish. */
const EXPRESSIONS_MAX = 32;
const EXPRESSION_LENGTH_MAX = 256;
/** Compiled patterns kept; one per distinct `/re/` in use, so far more than any cluster has. */
const PATTERNS_MAX = 1024;

const EXAMPLE: Readonly<Record<ExpressionKind, string>> = {
  constraint: "like 'region==eu' or 'node!=vm3'",
  affinity: "like 'image==nginx' or 'container!=db-*'",
};

/**
 * Reads a comma list; empty text is an empty list. Columns are those of the whole text, 1-based.
 * A value may hold anything but `,`, `#`, `;` and control characters.
 */
export function parseExpressions(text: string, kind: ExpressionKind): Parsed<readonly Expression[]> {
  if (text.trim() === '') return parsed([]);
  const expressions: Expression[] = [];
  let start = 0;
  for (const item of text.split(',')) {
    if (expressions.length === EXPRESSIONS_MAX) return fault(start + 1, `more than ${EXPRESSIONS_MAX} expressions`);
    if (item.trim() === '') return fault(start + 1, `expression ${expressions.length + 1} is empty`);
    const expression = parseOne(item, kind);
    if (!expression.ok) return fault(start + expression.fault.column, expression.fault.message);
    expressions.push(expression.value);
    start += item.length + 1;
  }
  return parsed(expressions);
}

function parseOne(item: string, kind: ExpressionKind): Parsed<Expression> {
  const text = item.trim();
  const first = item.indexOf(text) + 1;
  if (text.length > EXPRESSION_LENGTH_MAX) return fault(first, `expression longer than ${EXPRESSION_LENGTH_MAX} characters`);

  const key = /^[A-Za-z_][A-Za-z0-9_.-]*/.exec(text)?.[0];
  if (key === undefined) return fault(first, `'${text}' does not start with a key; expected 'key==value', ${EXAMPLE[kind]}`);
  const gap = text.length - text.slice(key.length).trimStart().length;
  const op = text.slice(gap, gap + 2);
  if (op !== '==' && op !== '!=') {
    return fault(first + gap, `'${text}': one of the operators == and != is expected after '${key}', ${EXAMPLE[kind]}`);
  }

  let rest = text.slice(gap + 2).trimStart();
  const soft = rest.startsWith('~');
  if (soft) rest = rest.slice(1).trimStart();
  const column = first + text.length - rest.length;
  if (rest === '') return fault(column, `'${text}' has no value after ${op}`);
  const stray = /[#;\p{Cc}]/u.exec(rest);
  if (stray !== null) return fault(column + stray.index, `'${text}': a value cannot hold '#', ';' or control characters`);
  if (rest.startsWith('=')) return fault(column, `'${text}': one of the operators == and != is expected, not ===`);

  const refusal = isPattern(rest) ? patternRefusal(rest) : null;
  if (refusal !== null) return fault(column, `'${text}': ${refusal}`);
  const expression = { key, op, soft, value: rest } as const;
  return parsed({ text: formatExpression(expression), ...expression });
}

/** The one spelling of an expression, as `parseExpressions` reads it back. */
export function formatExpression(expression: Omit<Expression, 'text'>): string {
  return `${expression.key}${expression.op}${expression.soft ? '~' : ''}${expression.value}`;
}

/** `==` holds when any candidate matches, `!=` when none does; so without candidates `==` fails and `!=` holds. */
export function matches(expression: Expression, candidates: readonly string[]): boolean {
  const test = isPattern(expression.value) ? searcher(expression.value) : wholeMatcher(expression.value);
  return candidates.some(test) === (expression.op === '==');
}

const isPattern = (value: string): boolean => value.length > 2 && value.startsWith('/') && value.endsWith('/');

/** Case matters; between the fixed pieces any run of characters fits, which the leftmost find of each piece decides. */
function wholeMatcher(value: string): (candidate: string) => boolean {
  const pieces = value.split('*');
  const head = pieces[0]!;
  const tail = pieces.at(-1)!;
  if (pieces.length === 1) return (candidate) => candidate === value;
  return (candidate) => {
    if (candidate.length < head.length + tail.length || !candidate.startsWith(head) || !candidate.endsWith(tail)) return false;
    const end = candidate.length - tail.length;
    let from = head.length;
    for (const piece of pieces.slice(1, -1)) {
      const found = candidate.indexOf(piece, from);
      if (found < 0 || found + piece.length > end) return false;
      from = found + piece.length;
    }
    return true;
  };
}

const patterns = new Map<string, RE2JS>();

function compile(value: string): RE2JS {
  const known = patterns.get(value);
  if (known !== undefined) return known;
  const pattern = RE2JS.compile(value.slice(1, -1));
  const oldest = patterns.keys().next();
  if (patterns.size >= PATTERNS_MAX && !oldest.done) patterns.delete(oldest.value);
  patterns.set(value, pattern);
  return pattern;
}

function searcher(value: string): (candidate: string) => boolean {
  const pattern = compile(value);
  return (candidate) => pattern.matcher(candidate).find();
}

function patternRefusal(value: string): string | null {
  try {
    compile(value);
    return null;
  } catch (error) {
    // The library's own words name the piece it could not read; look-around and back-references end here as well.
    const reason = error instanceof Error ? error.message.replace('error parsing regexp: ', '') : String(error);
    return `not a regular expression of the linear kind (no look-around, no back-references): ${reason}`;
  }
}

// --------------------------------------------------------------------------------------------------------- candidates

/** `node` is the host's id and name; any other key is the host label of that name, built-in ones included. */
export function constraintCandidates(host: HostRecord, key: string): readonly string[] {
  if (key === 'node') return [host.id, host.name];
  const label = Object.hasOwn(host.labels, key) ? host.labels[key] : undefined;
  return label === undefined ? [] : [label];
}

export interface AffinityHost {
  readonly record: HostRecord;
  readonly placed: readonly { readonly endpoint: string; readonly instance: string }[];
}

/** What is on the host already: `container`, `image`, `endpoint`, or the values of that container label. */
export function affinityCandidates(host: AffinityHost, key: string): readonly string[] {
  const { containers, images } = host.record;
  if (key === 'container') {
    return [...containers.flatMap((container) => containerWords(container)), ...host.placed.map(({ instance }) => instance)];
  }
  if (key === 'image') return images.flatMap(({ id, tags }) => [...idWords(id), ...tags, ...tags.map(repository)]);
  if (key === 'endpoint') return [...new Set(host.placed.map(({ endpoint }) => endpoint))];
  return containers.flatMap(({ labels }) => (Object.hasOwn(labels, key) ? [labels[key]!] : []));
}

/** Every word a container is known by. Docker puts a slash before its names. */
export function containerWords(container: { readonly id: string; readonly names: readonly string[] }): readonly string[] {
  return [...idWords(container.id), ...container.names.map((name) => name.replace(/^\//, ''))];
}

/** An id as Docker prints it: in full, without its algorithm, and as the twelve digits people copy. */
function idWords(id: string): readonly string[] {
  const digits = id.replace(/^sha256:/, '');
  return /^[0-9a-f]{64}$/.test(digits) ? [...new Set([id, digits, digits.slice(0, 12)])] : [id];
}

/** `localhost:5000/test:latest` is of the repository `localhost:5000/test`: only a colon behind the last slash is a tag's. */
function repository(tag: string): string {
  const name = tag.split('@')[0]!;
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return colon < 0 ? name : name.slice(0, colon);
}
