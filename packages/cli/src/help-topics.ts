import { EXAMPLE_CONFIG } from './help-example.js';
import { OPTION_NAMES, optionSpec } from './option-table.js';

/** What `reactor help <topic>` prints. */
export function topic(name: string): readonly string[] | undefined {
  return TOPICS.get(name)?.();
}

export const RULES_TOPIC: readonly string[] = [
  'Rules turn what is measured into a number of instances. They are a list, separated by commas; earlier ones win.',
  '',
  '  rules  := rule ("," rule)*',
  '  rule   := [number op] metric [op number]      op is < or <=; at least one bound',
  '  number := digits [. digits] [unit]            ms s m % k M G kB MB GB: 300ms is 0.3, 2k is 2000, 5% is 0.05',
  '',
  'A bound holds per instance: `rate < 10` means "as many instances as it takes that each gets less than 10 requests/s".',
  'The upper bound asks for more instances, the lower bound lets them go. Without a lower bound nothing is taken away',
  'except what the other rules allow; `0 < rate < 10` shrinks to min_instances, but in silence only: `3 < rate < 10` shrinks',
  'with the load. `reactor lint` finds rules that cannot do what they seem to say.',
  '',
  '  rate                 requests per second            (a total: it divides among the instances)',
  '  bytes                body bytes per second          (total)',
  '  active               open connections               (total)',
  '  pending              queued connections             (total)',
  '  response             mean upstream time, seconds    (an average: one decision at most doubles or halves)',
  '  p50 p90 p95 p99      upstream time quantiles        (average)',
  '  errors               fraction answered 5xx          (average)',
  '  instances            the count itself',
  '',
  'Examples:',
  '',
  "  reactor set pyex scaling rules '0 < rate < 1'",
  "  reactor set pyex scaling rules '2 <= instances, 10 <= active <= 30'",
  "  reactor set pyex scaling rules '1 < rate < 50, p95 < 300ms'",
  '',
  'A rule on something nobody measures is skipped and the count is held: missing is not zero. Try rules without a daemon:',
  '',
  `  echo '{"rules":["0 < rate < 1"],"min":1,"max":5,"instances":1,"metrics":{"rate":{"total":33}}}' | reactor evaluate`,
];

const CONFIG_TOPIC: readonly string[] = [
  'A configuration is INI text (or the same as JSON): sections of keys. `reactor validate < docker.conf` checks one.',
  '',
  ...EXAMPLE_CONFIG,
  '',
  'Often used:',
  '',
  '  [endpoint]       url http://, http://:8000, http://a.b/path/   port   weight   static_instances   redirect',
  '                   error_marks   decommissioned_timeout (60 s)   drain_timeout (300 s)   unknown_timeout (60 s)',
  '  [scaling]        min_instances   max_instances   rules   ramp_limit (5)   window (10 s)   scale_down_delay (30 s)',
  '  [cloud:docker]   image   command   environment A=b,C=d   mem_limit   cpus   user   volumes   network   slots (10)',
  '                   strategy spread|binpack|random   constraints   affinity',
  '  [loadbalancer:nginx]   keepalive   sticky_sessions   ssl   ssl_certificate   ssl_key   redirect',
  '  [loadbalancer:haproxy] balance   sticky   check_url   errorloc   contimeout   srvtimeout   ssl   (also url tcp://PORT)',
  '  [loadbalancer:tcp]     exclusive   disposable   dispose_min (30 s)   reconnect (60 s)   client_subnets',
  '',
  'Scaling keys act at once. Keys that shape the container replace the instances one by one, the new one first.',
];

const STATES_TOPIC: readonly string[] = [
  'An endpoint is',
  '  PAUSED    what runs is served, nothing starts or stops (a new endpoint is paused)   reactor pause, manage',
  '  RUNNING   it follows its rules                                                     reactor start',
  '  STOPPED   its instances are drained and stopped                                    reactor stop',
  '',
  'An instance is',
  '  starting   its container comes up or its health check has not passed yet',
  '  ready      it serves',
  '  unhealthy  its health check fails; it is being replaced',
  '  draining   no new requests; it can be taken back until its decommission period ends',
  '  errored    retired because it failed; it is not taken back',
  '  stopping   its container is being stopped and removed',
  '  dead       its container has ended',
  '  unknown    its host does not answer',
];

function optionsTopic(): readonly string[] {
  return [
    "Options may stand before or after the verb; after '--' everything is an argument.",
    '',
    ...optionLines(null),
    '',
    'Each can be set in the environment as REACTOR_<NAME>: REACTOR_API, REACTOR_PASSWORD, REACTOR_PASSWORD_FILE, REACTOR_JSON=1,',
    'REACTOR_TIMEOUT and so on. An empty variable counts as unset, and the command line beats the environment. NO_COLOR is obeyed.',
    '',
    'Exit status: 0 done, 1 refused or failed, 2 the command line is wrong. Errors are one line on standard error.',
  ];
}

/** Lines for the options of one verb, or with null for those of every verb. */
export function optionLines(verb: string | null): readonly string[] {
  const chosen = OPTION_NAMES.filter((name) => {
    const { verbs } = optionSpec(name);
    return verb === null ? verbs === null : verbs?.includes(verb) === true;
  });
  return chosen.map((name) => {
    const { alias, value, about } = optionSpec(name);
    const long = name === 'color' ? '--no-color' : `--${name}${value === undefined ? '' : ` ${value}`}`;
    const text = `${alias === undefined ? '    ' : `-${alias}, `}${long}`;
    return `  ${text.padEnd(26)} ${about}`;
  });
}

const TOPICS: ReadonlyMap<string, () => readonly string[]> = new Map([
  ['rules', () => RULES_TOPIC],
  ['config', () => CONFIG_TOPIC],
  ['states', () => STATES_TOPIC],
  ['options', optionsTopic],
]);

export const TOPIC_NAMES: readonly string[] = [...TOPICS.keys()];
