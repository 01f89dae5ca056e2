/*
 * Every verb, in the order of the help. Each loads its own file only when it is called. Long, but one thing: a table with
 * a row per verb, which help, completion and the usage check read.
 */

import { EXAMPLE_CONFIG } from './help-example.js';
import type { Verb } from './verb.js';

const endpoints = () => import('./verbs/endpoint-verbs.js');
const configuration = () => import('./verbs/configuration-verbs.js');
const documents = () => import('./verbs/document-verbs.js');
const names = () => import('./verbs/name-verbs.js');
const running = () => import('./verbs/run-verbs.js');
const reasons = () => import('./verbs/why-verbs.js');
const following = () => import('./verbs/log-verbs.js');
const cluster = () => import('./verbs/cluster-verbs.js');
const hosts = () => import('./verbs/host-verbs.js');
const shell = () => import('./completion.js');

export const VERBS: readonly Verb[] = [
  {
    name: 'manage',
    group: 'endpoints',
    args: ['ENDPOINT'],
    own: true,
    about: 'create the endpoint, or replace its configuration',
    more: [
      'Reads a configuration from standard input. A new endpoint is PAUSED until `reactor start`. Of an existing one only',
      'the configuration changes: its state and its instances stay, and changed containers are replaced one by one.',
      'With --update the given keys are merged into what is stored.',
      '',
      ...EXAMPLE_CONFIG,
    ],
    load: async () => (await configuration()).manage,
  },
  {
    name: 'create',
    group: 'endpoints',
    args: ['ENDPOINT'],
    about: 'create the endpoint; fails when it exists',
    more: ['Reads a configuration from standard input.', '', ...EXAMPLE_CONFIG],
    load: async () => (await configuration()).create,
  },
  {
    name: 'update',
    group: 'endpoints',
    args: ['ENDPOINT'],
    own: true,
    about: 'replace the configuration; fails when there is no such endpoint',
    more: ['Reads a configuration from standard input.'],
    load: async () => (await configuration()).update,
  },
  {
    name: 'validate',
    group: 'endpoints',
    args: [],
    about: 'check a configuration without a daemon',
    more: [
      'Reads a configuration from standard input; prints `valid`, or the mistake with its place and exits with 1. Warns like the daemon.',
    ],
    load: async () => (await documents()).validate,
  },
  { name: 'list', group: 'endpoints', args: [], about: 'the names of all endpoints', load: async () => (await endpoints()).list },
  {
    name: 'show',
    group: 'endpoints',
    args: ['ENDPOINT'],
    own: true,
    about: 'the stored configuration, as JSON or (--ini) as INI',
    load: async () => (await endpoints()).show,
  },
  {
    name: 'get',
    group: 'endpoints',
    args: ['ENDPOINT', 'SECTION', 'KEY'],
    own: true,
    about: 'one value of the configuration',
    more: ['Prints nothing when the key is not set.'],
    load: async () => (await endpoints()).get,
  },
  {
    name: 'set',
    group: 'endpoints',
    args: ['ENDPOINT', 'SECTION', 'KEY', 'VALUE'],
    own: true,
    about: 'change one value of the configuration',
    more: ["Example: reactor set pyex scaling rules '0 < rate < 1'   (see `reactor help rules`)"],
    load: async () => (await endpoints()).set,
  },
  {
    name: 'remove',
    group: 'endpoints',
    args: ['ENDPOINT'],
    own: true,
    about: 'delete the endpoint; its instances are drained and stopped',
    more: ['Fine when there is no such endpoint: absent is what was asked for.'],
    load: async () => (await endpoints()).remove,
  },
  {
    name: 'unmanage',
    group: 'endpoints',
    args: ['ENDPOINT'],
    own: true,
    about: 'the same, by its older name',
    load: async () => (await endpoints()).remove,
  },
  {
    name: 'rename',
    group: 'endpoints',
    args: ['ENDPOINT', 'NAME'],
    own: true,
    about: 'call it otherwise; fails when the new name is taken',
    more: [
      'At once or not at all, and nothing moves: instances, log and URL stay. Containers and metrics go on under the name the',
      'endpoint was created with.',
    ],
    load: async () => (await names()).rename,
  },
  {
    name: 'alias',
    group: 'endpoints',
    args: ['ENDPOINT', 'NAME'],
    own: true,
    about: 'give it one more name; `remove` of one name leaves the others',
    load: async () => (await names()).alias,
  },
  {
    name: 'metadata-list',
    group: 'endpoints',
    args: ['ENDPOINT'],
    own: true,
    about: 'the keys of your notes about it',
    load: async () => (await names()).metadataList,
  },
  {
    name: 'metadata-get',
    group: 'endpoints',
    args: ['ENDPOINT', 'KEY'],
    own: true,
    about: 'one of them; prints None when it is not there',
    load: async () => (await names()).metadataGet,
  },
  {
    name: 'metadata-set',
    group: 'endpoints',
    args: ['ENDPOINT', 'KEY', 'VALUE'],
    own: true,
    about: 'note something: a text, or with --json any JSON value',
    load: async () => (await names()).metadataSet,
  },
  {
    name: 'metadata-delete',
    group: 'endpoints',
    args: ['ENDPOINT', 'KEY'],
    own: true,
    about: 'forget one',
    load: async () => (await names()).metadataDelete,
  },
  {
    name: 'start',
    group: 'run',
    args: ['ENDPOINT'],
    own: true,
    about: 'run it: instances start and follow the rules',
    load: async () => (await running()).start,
  },
  {
    name: 'pause',
    group: 'run',
    args: ['ENDPOINT'],
    own: true,
    about: 'freeze it: what runs is served, nothing starts or stops',
    load: async () => (await running()).pause,
  },
  {
    name: 'stop',
    group: 'run',
    args: ['ENDPOINT'],
    own: true,
    about: 'drain and stop all its instances',
    load: async () => (await running()).stop,
  },
  {
    name: 'scale',
    group: 'run',
    args: ['ENDPOINT=COUNT'],
    about: 'hold a count, whatever the rules say; =auto hands it back to them',
    more: [
      'The count may lie below min_instances (0 drains everything) but max_instances caps it; ramp_limit sets the pace.',
      '--for ends the hold by itself; without it the hold lasts until `reactor scale ENDPOINT=auto`. It is kept through stop',
      'and start. `reactor explain` and `reactor state` show it. Example: reactor scale pyex=3 --for 30m',
    ],
    load: async () => (await import('./verbs/scale-verb.js')).scale,
  },
  {
    name: 'state',
    group: 'run',
    args: ['ENDPOINT'],
    own: true,
    about: 'RUNNING, PAUSED or STOPPED, and who serves',
    load: async () => (await running()).state,
  },
  {
    name: 'instances',
    group: 'run',
    args: ['ENDPOINT'],
    own: true,
    about: 'its instances: id, state, host, address',
    load: async () => (await running()).instances,
  },
  {
    name: 'ps',
    group: 'run',
    args: ['[ENDPOINT]'],
    about: 'the instances of one or all endpoints: host, state, age, open connections',
    load: async () => (await running()).ps,
  },
  {
    name: 'ips',
    group: 'run',
    args: ['ENDPOINT'],
    own: true,
    about: 'the addresses that serve, one per line',
    load: async () => (await running()).ips,
  },
  {
    name: 'explain',
    group: 'why',
    args: ['ENDPOINT'],
    about: 'why it has as many instances as it has: the last decision',
    more: [
      'Reads from top to bottom as the decision was made: the sentence, what was measured, what each rule asked for,',
      'what each limit made of it, the steps taken, and what every host answered to the newest start. --json prints the',
      'record itself.',
    ],
    load: async () => (await reasons()).explain,
  },
  {
    name: 'place',
    group: 'why',
    args: ['ENDPOINT'],
    about: 'which host the next instance would go to, and why not the others (--dry-run)',
    more: [
      'Asks the placement that the controller asks, on the hosts as they are now. Nothing is started or reserved. Exit status 1',
      'when every host refuses.',
    ],
    load: async () => (await reasons()).place,
  },
  {
    name: 'get-metrics',
    group: 'why',
    args: ['ENDPOINT'],
    own: true,
    about: 'what its load balancers measure now',
    load: async () => (await running()).getMetrics,
  },
  {
    name: 'set-metrics',
    group: 'why',
    args: ['ENDPOINT', '[BACKEND]'],
    about: 'report metrics of your own, for its rules to use',
    more: [
      'Reads JSON from standard input: {"name": value} or {"name": [weight, value]}. With BACKEND, an instance id or an address,',
      'they are about that one alone: loads of several add up, everything else is averaged by weight. A report replaces the one',
      'before it, and counts for two windows: repeat it more often, or the metric is missing, and nothing is taken away.',
      "Example: echo '{\"queue\": 12}' | reactor set-metrics pyex; reactor set pyex scaling rules 'queue < 10'",
    ],
    load: async () => (await running()).setMetrics,
  },
  {
    name: 'log',
    group: 'why',
    args: ['ENDPOINT'],
    own: true,
    about: 'what happened to it: seconds, severity, message',
    load: async () => (await following()).log,
  },
  {
    name: 'watch',
    group: 'why',
    args: ['ENDPOINT'],
    own: true,
    about: 'the same, and go on as things happen (Ctrl-C ends)',
    load: async () => (await following()).watch,
  },
  {
    name: 'logs',
    group: 'why',
    args: ['ENDPOINT'],
    about: 'what its containers wrote on all hosts, line by line after the instance',
    more: [
      'Both streams of all instances, interleaved by time; the newest 1000 lines unless --tail says otherwise. -f goes on as',
      'they write, also with instances and hosts that come later. The daemon asks those of the other hosts, which takes an',
      '[api] listen there that is not loopback; hosts that cannot be asked are named on standard error.',
      'Example: reactor logs pyex -f --since 10m',
    ],
    load: async () => (await following()).logs,
  },
  {
    name: 'post',
    group: 'why',
    args: ['ENDPOINT'],
    own: true,
    about: 'write a line of your own into its log',
    more: ["Example: echo 'deploying 1.4' | reactor post pyex"],
    load: async () => (await following()).post,
  },
  {
    name: 'evaluate',
    group: 'why',
    args: [],
    about: 'try rules on numbers, without a daemon',
    more: [
      'Reads one JSON object per line and prints one answer per line. An infinite end of a range is null. Example:',
      '',
      '  {"rules":["0 < rate < 1"],"min":1,"max":5,"instances":1,"metrics":{"rate":{"total":33.01}}}',
    ],
    load: async () => (await reasons()).evaluate,
  },
  {
    name: 'info',
    group: 'cluster',
    args: [],
    about: 'the cluster: counts, leader, and each host with what it has left',
    load: async () => (await cluster()).info,
  },
  {
    name: 'hosts',
    group: 'cluster',
    args: [],
    about: 'the hosts, their slots and their state',
    load: async () => (await hosts()).hosts,
  },
  {
    name: 'host',
    group: 'cluster',
    args: ['drain|activate|remove', 'HOST'],
    about: 'empty a host, take it back, or forget one that is gone',
    more: [
      'drain     places nothing new there and moves its instances away: each is replaced before it goes, never below the',
      '          count. Without room elsewhere they stay, and `reactor explain` says what they wait for.',
      'activate  takes the wish back.',
      'remove    forgets a host that is gone for good, without waiting for unknown_timeout. Refused while it is alive. If it',
      '          ever returns it is a new host; its old containers are left alone and named in its log.',
    ],
    load: async () => (await hosts()).host,
  },
  {
    name: 'manager-active',
    aliases: ['managers-active', 'managers'],
    group: 'cluster',
    args: [],
    about: 'the ids of the managers that are alive',
    load: async () => (await cluster()).managerActive,
  },
  {
    name: 'url',
    group: 'cluster',
    args: ['[URL]'],
    about: "print or set the cluster's public URL ('' removes it)",
    load: async () => (await cluster()).url,
  },
  {
    name: 'passwd',
    group: 'cluster',
    args: ['[KEY]'],
    about: 'set the auth key',
    more: [
      'Without an argument it asks twice at the terminal, or reads one line from standard input when that is no terminal.',
      '--clear removes the key: after that everyone who reaches the daemon is let in.',
    ],
    load: async () => (await cluster()).passwd,
  },
  {
    name: 'version',
    group: 'cluster',
    args: [],
    about: 'the version of this program',
    load: async () => (await cluster()).version,
  },
  {
    name: 'completion',
    group: 'shell',
    args: ['bash|zsh'],
    about: 'print the completion script of a shell',
    more: ['Example, in ~/.bashrc: eval "$(reactor completion bash)"'],
    load: async () => (await shell()).completion,
  },
  {
    name: 'help',
    group: 'shell',
    args: ['[VERB|TOPIC]'],
    about: 'this text, a verb, or a topic: rules, config, states, options',
    load: async () => (await import('./help.js')).helpVerb,
  },
];

/** Called by the completion scripts only. */
export const COMPLETE_WORDS: Verb = {
  name: 'complete-words',
  group: 'shell',
  args: ['INDEX', '[WORD]...'],
  about: 'the words that may follow',
  load: async () => (await shell()).completeWords,
};

export const findVerb = (name: string): Verb | undefined =>
  name === COMPLETE_WORDS.name
    ? COMPLETE_WORDS
    : VERBS.find((verb) => verb.name === name || verb.aliases?.includes(name) === true);
