import { fault, type Parsed, parsed } from '@reactor/core';

/**
 * `$NAME` and `${NAME}` in the values of a Compose file, with `:-` and `-` for a default, `:?` and `?` for an error, `:+`
 * and `+` for a replacement; the forms with a colon take an empty variable for a missing one. `$$` is a dollar sign.
 */

export interface Variables {
  readonly get: (name: string) => string | undefined;
  /** Called for a variable that is not set where nothing is said about that. */
  readonly missing: (name: string) => void;
}

/** Defaults within defaults. */
const DEPTH_MAX = 16;
/** Ten lines that double each other are a thousandfold. */
const LENGTH_MAX = 64 * 1024;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

export function interpolate(text: string, variables: Variables, depth = 0): Parsed<string> {
  if (depth > DEPTH_MAX) return fault(1, `defaults within defaults deeper than ${DEPTH_MAX}`);
  let result = '';
  let from = 0;
  for (let at = text.indexOf('$'); at >= 0; at = text.indexOf('$', from)) {
    result += text.slice(from, at);
    const reference = readReference(text, at);
    if (reference === null) return fault(at + 1, "'$' must be written '$$' where no variable follows");
    const value = reference.name === null ? parsed('$') : meaningOf(reference, variables, depth);
    if (!value.ok) return value;
    result += value.value;
    if (result.length > LENGTH_MAX) return fault(at + 1, 'expands beyond 64 KiB');
    from = reference.end;
  }
  return parsed(result + text.slice(from));
}

interface Reference {
  /** Null for `$$`. */
  readonly name: string | null;
  readonly operator: string;
  readonly rest: string;
  readonly end: number;
}

function readReference(text: string, at: number): Reference | null {
  if (text[at + 1] === '$') return { name: null, operator: '', rest: '', end: at + 2 };
  const braced = text[at + 1] === '{';
  const start = at + (braced ? 2 : 1);
  const name = NAME.exec(text.slice(start, start + 256))?.[0];
  if (name === undefined) return null;
  const after = start + name.length;
  if (!braced) return { name, operator: '', rest: '', end: after };
  const close = closingBrace(text, after);
  if (close < 0) return null;
  const inside = text.slice(after, close);
  const operator = /^:?[-?+]/.exec(inside)?.[0] ?? '';
  return operator === '' && inside !== '' ? null : { name, operator, rest: inside.slice(operator.length), end: close + 1 };
}

/** The brace that closes the one before `from`, passing over whole references in between. */
function closingBrace(text: string, from: number): number {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '$' && text[at + 1] === '{') open++;
    else if (text[at] === '}' && --open === 0) return at;
  }
  return -1;
}

function meaningOf({ name, operator, rest }: Reference, variables: Variables, depth: number): Parsed<string> {
  const value = variables.get(name ?? '');
  const there = value !== undefined && !(operator.startsWith(':') && value === '');
  switch (operator.at(-1)) {
    case '-':
      return there ? parsed(value) : interpolate(rest, variables, depth + 1);
    case '+':
      return there ? interpolate(rest, variables, depth + 1) : parsed('');
    case '?':
      return there ? parsed(value) : fault(1, `variable ${name} is not set${rest === '' ? '' : `: ${rest}`}`);
    default:
      if (!there) variables.missing(name ?? '');
      return parsed(value ?? '');
  }
}
