import { describeError, TOKEN_VARIABLE } from '@reactor/core';
import { type CommandLine, readCommandLine } from './command-line.js';
import type { Io } from './io.js';
import { OPTION_NAMES, type OptionName, optionSpec } from './option-table.js';
import { createOutput, type Output } from './output.js';
import { UsageError, usageMessage } from './usage-error.js';
import { type Call, DONE, REFUSED, USAGE, usageLine, type Verb } from './verb.js';
import { findVerb, VERBS } from './verb-table.js';
import { versionText } from './version.js';

/**
 * One run of the command: `argv` without node and script. Answers the exit status: 0 done, 1 refused or failed,
 * 2 the command line is wrong. Prints at most one `reactor: <message>` for a failure.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let line: CommandLine;
  try {
    line = readCommandLine(argv, io.env);
  } catch (error) {
    createOutput(io, { color: undefined, json: false }).say(await messageOf(error));
    return USAGE;
  }
  const output = createOutput(io, { color: line.options.color, json: line.options.json === true });
  try {
    return await dispatch(line, io, output);
  } catch (error) {
    // A reader that has left (`| head`) has what it wanted.
    if (output.closed.aborted) return isBrokenPipe(output.closed.reason) ? DONE : REFUSED;
    output.say(await messageOf(error));
    if (line.options.debug === true && isFailure(error)) io.stderr.write(`${stackOf(error)}\n`);
    return error instanceof UsageError ? USAGE : REFUSED;
  }
}

const messageOf = async (error: unknown): Promise<string> =>
  describeError(error instanceof UsageError ? await usageMessage(error) : error);

async function dispatch(line: CommandLine, io: Io, output: Output): Promise<number> {
  const [name, ...args] = line.words;
  if (name === undefined) return withoutVerb(line, output);
  const verb = findVerb(name);
  if (verb === undefined) {
    const known = VERBS.flatMap((each) => [each.name, ...(each.aliases ?? [])]);
    throw new UsageError(`unknown command '${name}'`, { word: name, known, otherwise: "; 'reactor --help' lists them" });
  }
  if (line.options.help === true) {
    output.lines((await import('./help.js')).verbHelp(verb));
    return DONE;
  }
  const misused = [...line.typed].find((option) => optionVerbs(option)?.includes(verb.name) === false);
  if (misused !== undefined) {
    throw new UsageError(`--${misused} is an option of ${optionVerbs(misused)?.join(' and ')}, not of ${verb.name}`);
  }
  const complete = await withEndpoint(verb, args, io);
  if (hasWrongCount(verb, complete.length)) {
    io.stderr.write(`${usageLine(verb)}\n`);
    return USAGE;
  }
  const call: Call = {
    verb,
    args: complete,
    options: line.options,
    typed: line.typed,
    io,
    output,
    client: async () => (await import('./connect.js')).connect(line, io, output),
  };
  const perform = await verb.load();
  return perform(call);
}

/** `reactor --version`, `reactor --help`, and `reactor` alone, which is a usage mistake that the help answers. */
async function withoutVerb(line: CommandLine, output: Output): Promise<number> {
  if (line.options.version === true) {
    output.lines([versionText()]);
    return DONE;
  }
  if (line.options.help === true) {
    output.lines((await import('./help.js')).overview());
    return DONE;
  }
  throw new UsageError("no command given; 'reactor --help' lists them");
}

/** As in 2013 the number of arguments says whether the endpoint is among them; only an instance may leave it out. */
async function withEndpoint(verb: Verb, args: readonly string[], io: Io): Promise<readonly string[]> {
  if (verb.own !== true || args.length !== requiredOf(verb) - 1 || !io.env[TOKEN_VARIABLE]) return args;
  return [(await import('@reactor/client')).OWN_ENDPOINT, ...args];
}

const requiredOf = (verb: Verb): number => verb.args.filter((name) => !name.startsWith('[')).length;

function hasWrongCount(verb: Verb, given: number): boolean {
  const required = requiredOf(verb);
  const endless = verb.args.some((name) => name.endsWith('...'));
  return given < required || (given > verb.args.length && !endless);
}

function optionVerbs(name: OptionName): readonly string[] | null {
  return OPTION_NAMES.includes(name) ? optionSpec(name).verbs : null;
}

const isBrokenPipe = (reason: unknown): boolean =>
  typeof reason === 'object' && reason !== null && 'code' in reason && reason.code === 'EPIPE';

function stackOf({ stack, message, cause }: Failure): string {
  return `${stack ?? message}${isFailure(cause) ? `\ncaused by ${stackOf(cause)}` : ''}`;
}

type Failure = Pick<Error, 'stack' | 'message' | 'cause'>;

/** By its form: an error from another realm (a worker, a test's sandbox) is no instance of this one's `Error`. */
const isFailure = (value: unknown): value is Failure =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
