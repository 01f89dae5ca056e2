import type { Client } from '@reactor/client';
import { readCommandLine } from './command-line.js';
import { OPTION_NAMES, optionSpec } from './option-table.js';
import { printable } from './output/printable.js';
import { UsageError } from './usage-error.js';
import { argument, type Call, DONE, type Perform, type Verb } from './verb.js';
import { findVerb, VERBS } from './verb-table.js';

/*
 * The shells ask `reactor complete-words INDEX WORD...` at every Tab, with the words of the line (the first is `reactor`
 * itself) and the index of the one under the cursor; it answers candidates, one per line. So the scripts never age.
 */

// `--` keeps the words from being taken as options of this call.
const BASH = `_reactor() {
  local IFS=$'\\n'
  COMPREPLY=($(reactor complete-words -- "$COMP_CWORD" "\${COMP_WORDS[@]}" 2>/dev/null))
}
complete -o default -F _reactor reactor`;

const ZSH = `#compdef reactor
_reactor() {
  local -a found
  found=("\${(@f)$(reactor complete-words -- $((CURRENT - 1)) "\${words[@]}" 2>/dev/null)}")
  compadd -- \${found:#}
}
compdef _reactor reactor`;

export const completion: Perform = async (call) => {
  const shell = argument(call, 0);
  if (shell !== 'bash' && shell !== 'zsh') throw new UsageError(`no completion for '${shell}': expected bash or zsh`);
  call.output.lines([shell === 'bash' ? BASH : ZSH]);
  return DONE;
};

export const completeWords: Perform = async (call) => {
  const index = Number(argument(call, 0));
  const words = call.args.slice(1);
  const prefix = words[index] ?? '';
  const found = await candidates(call, words.slice(1, index), prefix);
  call.output.lines(found.filter((name) => name.startsWith(prefix)).map(printable));
  return DONE;
};

/** Sections and keys worth completing; a configuration may hold others. */
const SECTIONS = [
  ...['endpoint', 'scaling', 'cloud:docker'],
  ...['loadbalancer:nginx', 'loadbalancer:haproxy', 'loadbalancer:tcp'],
];

async function candidates(call: Call, before: readonly string[], prefix: string): Promise<readonly string[]> {
  // Half a line may be no valid one; then there is nothing to offer.
  let line: ReturnType<typeof readCommandLine>;
  try {
    line = readCommandLine(before, call.io.env);
  } catch {
    return [];
  }
  const [name, ...args] = line.words;
  const verb = name === undefined ? undefined : findVerb(name);
  if (prefix.startsWith('-')) return optionsOf(verb);
  if (name === undefined) return VERBS.map((known) => known.name);
  const wanted = verb?.args[args.length];
  if (wanted === 'ENDPOINT' || wanted === '[ENDPOINT]') return endpointNames(call, before);
  if (wanted === 'ENDPOINT=COUNT') return (await endpointNames(call, before)).map((endpoint) => `${endpoint}=`);
  if (wanted === 'drain|activate|remove') return ['drain', 'activate', 'remove'];
  if (wanted === 'HOST') return hostIds(call, before);
  if (wanted === 'SECTION') return SECTIONS;
  if (wanted === 'bash|zsh') return ['bash', 'zsh'];
  if (wanted === '[VERB|TOPIC]') return [...VERBS.map((known) => known.name), ...(await import('./help-topics.js')).TOPIC_NAMES];
  return [];
}

function optionsOf(verb: Verb | undefined): readonly string[] {
  const fitting = OPTION_NAMES.filter((option) => {
    const { verbs } = optionSpec(option);
    return verbs === null || (verb !== undefined && verbs.includes(verb.name));
  });
  return fitting.map((option) => (option === 'color' ? '--no-color' : `--${option}`));
}

/** A Tab must not hang: without a quick answer there are no names. */
const NAMES_TIMEOUT_MS = 1000;

const endpointNames = (call: Call, before: readonly string[]): Promise<readonly string[]> =>
  asked(call, before, (client) => client.endpoints());

const hostIds = (call: Call, before: readonly string[]): Promise<readonly string[]> =>
  asked(call, before, async (client) => (await client.hosts()).map(({ id }) => id));

async function asked(
  call: Call,
  before: readonly string[],
  ask: (client: Client) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const [{ connect }, line] = [await import('./connect.js'), readCommandLine(before, call.io.env)];
  // Never ask for a password in the middle of a line.
  const quiet = { ...line, options: { ...line.options, askpass: undefined, timeout: NAMES_TIMEOUT_MS / 1000 } };
  try {
    return [...(await ask(await connect(quiet, call.io, { ...call.output, say: () => {} })))].sort();
  } catch {
    return [];
  }
}
