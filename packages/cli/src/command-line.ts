import { Parser } from 'yargs/helpers';
import { OPTION_NAMES, OPTION_SYNONYMS, type OptionName, type Options, optionSpec } from './option-table.js';
import { UsageError } from './usage-error.js';

export interface CommandLine {
  /** The verb and its arguments, exactly as typed: `05` and `1e3` stay text. */
  readonly words: readonly string[];
  readonly options: Options;
  /** Options that came from the command line, not from the environment. */
  readonly typed: ReadonlySet<OptionName>;
}

/**
 * Options may stand before or after the verb; after `--` everything is an argument. The command line beats the
 * environment. Throws UsageError, which names the option or the variable.
 */
export function readCommandLine(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): CommandLine {
  const parsed = Parser.detailed([...argv], {
    alias: aliases(),
    boolean: OPTION_NAMES.filter((name) => optionSpec(name).kind === 'flag'),
    string: OPTION_NAMES.filter((name) => optionSpec(name).kind !== 'flag'),
    narg: Object.fromEntries(OPTION_NAMES.filter((name) => optionSpec(name).kind !== 'flag').map((name) => [name, 1])),
    configuration: PARSING,
  });
  const given: Readonly<Record<string, unknown>> = parsed.argv;
  if (parsed.error !== null) throw new UsageError(parsed.error.message);
  const free = parsed.argv._.map(String);
  for (const word of free) refuseUnknownOption(word);
  const after = Array.isArray(given['--']) ? given['--'].map(String) : [];
  const typed = new Set(OPTION_NAMES.filter((name) => given[name] !== undefined));
  return { words: [...free, ...after], options: collect(given, env), typed };
}

const PARSING = {
  // Values belong to the user: no numbers made of text, no objects made of dots, the last of two wins.
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'dot-notation': false,
  'camel-case-expansion': false,
  'duplicate-arguments-array': false,
  'boolean-negation': true,
  'strip-aliased': true,
  'populate--': true,
  // Keeps `-5` and `-1 < rate` as arguments, and never lets an unknown option swallow the next word.
  'unknown-options-as-args': true,
} as const;

function aliases(): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const name of OPTION_NAMES) {
    const { alias } = optionSpec(name);
    const synonyms = Object.keys(OPTION_SYNONYMS).filter((synonym) => OPTION_SYNONYMS[synonym] === name);
    const others = alias === undefined ? synonyms : [alias, ...synonyms];
    if (others.length > 0) all[name] = others;
  }
  return all;
}

function refuseUnknownOption(word: string): void {
  const match = /^--?([A-Za-z][A-Za-z_-]*)(?:=.*)?$/s.exec(word);
  if (match === null) return;
  const name = match[1] ?? '';
  const known = [...OPTION_NAMES, ...Object.keys(OPTION_SYNONYMS)].map((other) => `--${other}`);
  const otherwise = "; after '--' everything is an argument";
  throw new UsageError(`unknown option '${word.split('=')[0]}'`, {
    word: word.startsWith('--') ? `--${name}` : '',
    known,
    otherwise,
  });
}

function collect(given: Readonly<Record<string, unknown>>, env: Readonly<Record<string, string | undefined>>): Options {
  const values = OPTION_NAMES.map((name) => {
    const typed = given[name];
    if (typed !== undefined) return [name, readValue(name, typed, `--${name}`)];
    const variable = variableOf(name);
    const text = variable === null ? undefined : env[variable];
    // An empty variable counts as unset: `REACTOR_API= reactor list` asks the default daemon.
    return [name, text === undefined || text === '' || variable === null ? undefined : readValue(name, text, variable)];
  });
  return Object.fromEntries(values) as Options;
}

/** Options that only make sense typed, and those of a single verb, have no variable. */
const WITHOUT_VARIABLE: ReadonlySet<OptionName> = new Set(['help', 'version', 'clear', 'update', 'for', 'dry-run', 'project']);

export const variableOf = (name: OptionName): string | null =>
  WITHOUT_VARIABLE.has(name) ? null : `REACTOR_${name.toUpperCase().replaceAll('-', '_')}`;

/** Digits with at most one point; `Number` alone would take '', '0x10', '1e9' and ' 5'. */
const PLAIN_NUMBER = /^[0-9]{1,15}(?:\.[0-9]{1,6})?$/;
const ON = new Set(['1', 'true', 'yes', 'on']);
const OFF = new Set(['0', 'false', 'no', 'off']);

function readValue(name: OptionName, given: unknown, place: string): string | number | boolean {
  const { kind } = optionSpec(name);
  if (typeof given === 'boolean') return given;
  const text = String(given);
  if (kind === 'text') {
    if (text === '') throw new UsageError(`${place} is empty`);
    return text;
  }
  if (kind === 'number') {
    if (!PLAIN_NUMBER.test(text)) throw new UsageError(`${place}: expected a number such as 5 or 0.5, not '${text}'`);
    return Number(text);
  }
  if (ON.has(text.toLowerCase())) return true;
  if (OFF.has(text.toLowerCase())) return false;
  throw new UsageError(`${place}: expected 1 or 0, not '${text}'`);
}
