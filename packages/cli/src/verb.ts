import type { Client } from '@reactor/client';
import type { Io } from './io.js';
import type { OptionName, Options } from './option-table.js';
import type { Output } from './output.js';

export type Group = 'endpoints' | 'run' | 'why' | 'cluster' | 'shell';

/** One line of the verb table: all that the help, the completion and the usage check need to know of a verb. */
export interface Verb {
  readonly name: string;
  /** Names of earlier versions. */
  readonly aliases?: readonly string[];
  readonly group: Group;
  /** In order; optional ones last. `[name]` is optional, `name...` takes the rest. */
  readonly args: readonly string[];
  /** The first argument, an endpoint, may be left out in an instance: it means the instance's own. */
  readonly own?: true;
  readonly about: string;
  /** What `reactor <verb> --help` says below the usage line. */
  readonly more?: readonly string[];
  readonly load: () => Promise<Perform>;
}

/** Does it; answers the exit status. */
export type Perform = (call: Call) => Promise<number>;

export interface Call {
  readonly verb: Verb;
  /** As many as the verb's required arguments, at least. */
  readonly args: readonly string[];
  readonly options: Options;
  readonly typed: ReadonlySet<OptionName>;
  readonly io: Io;
  readonly output: Output;
  /** Reads the password and the address only when a verb needs the daemon. */
  readonly client: () => Promise<Client>;
}

export const DONE = 0;
export const REFUSED = 1;
export const USAGE = 2;

/** The argument at a place that the usage check has already found filled. */
export function argument(call: Call, index: number): string {
  const value = call.args[index];
  if (value === undefined)
    throw new TypeError(`verb ${call.verb.name} reads argument ${index}, which its table does not require`);
  return value;
}

export const usageLine = (verb: Verb): string =>
  `usage: reactor ${[verb.name, ...verb.args].join(' ')}${STDIN_VERBS.get(verb.name) ?? ''}`;

/** What a verb reads from standard input, shown as a redirection. */
const STDIN_VERBS: ReadonlyMap<string, string> = new Map([
  ['manage', ' < CONFIG'],
  ['create', ' < CONFIG'],
  ['update', ' < CONFIG'],
  ['validate', ' < CONFIG'],
  ['lint', ' < CONFIG'],
  ['manager-update', ' < CONFIG'],
  ['post', ' < TEXT'],
  ['evaluate', ' < JSON-LINES'],
  ['set-metrics', ' < JSON'],
]);
