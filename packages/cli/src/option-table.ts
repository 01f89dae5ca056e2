/**
 * Every option, once: the parser, the environment (`REACTOR_<NAME>`), the help and the completion read this table.
 * `verbs` null means that every verb takes it.
 */
export interface OptionSpec {
  readonly kind: 'text' | 'flag' | 'number';
  readonly alias?: string;
  /** What a value is called in the help. */
  readonly value?: string;
  readonly verbs: readonly string[] | null;
  readonly about: string;
}

const LOG_VERBS = ['log', 'watch', 'manager-log', 'manager-watch'];

export const OPTIONS = {
  api: { kind: 'text', alias: 'a', value: 'URL', verbs: null, about: 'the daemon to ask; host or host:port will do' },
  password: { kind: 'text', value: 'KEY', verbs: null, about: 'the auth key (visible to other users: prefer the next two)' },
  askpass: { kind: 'flag', verbs: null, about: 'ask for the auth key at the terminal' },
  'password-file': { kind: 'text', value: 'FILE', verbs: null, about: 'read the auth key from a file' },
  json: { kind: 'flag', verbs: null, about: 'print JSON' },
  color: { kind: 'flag', verbs: null, about: 'no colours, also on a terminal' },
  timeout: { kind: 'number', value: 'SECONDS', verbs: null, about: 'how long to wait for an answer (default 10)' },
  debug: { kind: 'flag', verbs: null, about: 'on failure print the stack as well' },
  help: { kind: 'flag', alias: 'h', verbs: null, about: 'explain the verb' },
  version: { kind: 'flag', verbs: null, about: 'print the version' },
  watch_delay: { kind: 'number', value: 'SECONDS', verbs: null, about: 'accepted as in 2013; lines now come as they happen' },
  update: { kind: 'flag', alias: 'u', verbs: ['manage'], about: 'merge into the stored configuration instead of replacing it' },
  ini: { kind: 'flag', verbs: ['show'], about: 'print the configuration as INI, ready to edit' },
  secrets: { kind: 'flag', verbs: ['show', 'get'], about: 'print keys and passwords instead of ***' },
  python: { kind: 'flag', verbs: ['get-metrics'], about: 'print the Python 2 form of 2013' },
  for: { kind: 'text', value: 'TIME', verbs: ['scale'], about: 'how long the hold lasts: 90 (seconds), 30m, 8h' },
  follow: { kind: 'flag', alias: 'f', verbs: ['logs'], about: 'go on as the containers write (Ctrl-C ends)' },
  tail: { kind: 'number', value: 'N', verbs: ['logs'], about: 'at most the newest N lines (default 1000)' },
  cluster: { kind: 'flag', verbs: ['lint'], about: 'also ask the daemon what programs post and how much room its hosts have' },
  'dry-run': { kind: 'flag', verbs: ['place', 'import'], about: 'ask without acting' },
  project: { kind: 'text', value: 'NAME', verbs: ['import'], about: 'goes before the name of every endpoint: NAME-SERVICE' },
  at: { kind: 'text', value: 'TIME', verbs: ['explain'], about: 'as it was then; times as of --since' },
  history: { kind: 'flag', verbs: ['explain'], about: 'list the decisions that changed something' },
  limit: { kind: 'number', value: 'N', verbs: [...LOG_VERBS, 'explain'], about: 'at most the newest N lines' },
  since: {
    kind: 'text',
    value: 'TIME',
    verbs: [...LOG_VERBS, 'logs', 'simulate', 'explain'],
    about: 'only what came later: 10m or 1h30m ago, 2026-11-21T12:00:00Z, or Unix seconds',
  },
  log: { kind: 'text', value: 'FILE', verbs: ['simulate'], about: "load of an access log: combined, or Reactor's own" },
  metrics: { kind: 'text', value: 'FILE', verbs: ['simulate'], about: 'load of a table: time,metric,... and a line per moment' },
  recorded: {
    kind: 'text',
    value: 'ENDPOINT',
    verbs: ['simulate'],
    about: 'load that the daemon has recorded (default: a day of it)',
  },
  site: {
    kind: 'text',
    value: 'TOKEN',
    verbs: ['simulate'],
    about: "which site of Reactor's own log: the first field of its lines",
  },
  'start-time': { kind: 'text', value: 'TIME', verbs: ['simulate'], about: 'until an instance is ready (default 2s)' },
  capacity: {
    kind: 'text',
    value: 'N/s',
    verbs: ['simulate'],
    about: 'requests one instance serves; without it, as many as come',
  },
  compare: { kind: 'text', value: 'CONFIG', verbs: ['simulate'], about: 'another configuration, side by side' },
  html: { kind: 'text', value: 'FILE', verbs: ['simulate'], about: 'write a page with table and charts, too' },
  clock: { kind: 'flag', verbs: [...LOG_VERBS, 'logs'], about: 'local date and time instead of Unix seconds' },
  long: { kind: 'flag', alias: 'l', verbs: ['list'], about: 'a table with state, instances and URL' },
  clear: { kind: 'flag', verbs: ['passwd'], about: 'remove the key; without the auth key everyone is let in' },
  endpoint: { kind: 'text', value: 'NAME', verbs: ['passwd'], about: "the endpoint's own key instead of the auth key" },
  server: { kind: 'flag', verbs: ['version'], about: "also ask for the daemon's version" },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export type OptionName = keyof typeof OPTIONS;

export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** What was given, on the command line or in the environment; absent is undefined. */
export type Options = { readonly [Name in OptionName]: OptionValue<(typeof OPTIONS)[Name]['kind']> | undefined };

type OptionValue<Kind extends OptionSpec['kind']> = Kind extends 'flag' ? boolean : Kind extends 'number' ? number : string;

export const optionSpec = (name: OptionName): OptionSpec => OPTIONS[name];

/** `--watch-delay` is what a newcomer types; `watch_delay` is the name of 2013. */
export const OPTION_SYNONYMS: Readonly<Record<string, OptionName>> = { 'watch-delay': 'watch_delay' };
