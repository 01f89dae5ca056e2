import { optionLines, TOPIC_NAMES, topic } from './help-topics.js';
import { UsageError } from './usage-error.js';
import { DONE, type Group, type Perform, usageLine, type Verb } from './verb.js';
import { findVerb, VERBS } from './verb-table.js';

const GROUPS: readonly (readonly [group: Group, title: string])[] = [
  ['endpoints', 'Manage endpoints'],
  ['run', 'Run'],
  ['why', 'See why'],
  ['cluster', 'Cluster'],
  ['shell', 'Shell'],
];

const WALK_THROUGH: readonly string[] = [
  'A first walk:',
  '  reactor manage pyex < docker.conf                  describe a service: image, URL, limits',
  '  reactor start pyex                                 run it; curl http://127.0.0.1 answers',
  "  reactor set pyex scaling rules '0 < rate < 1'      one instance per request/s",
  '  reactor get-metrics pyex                           what is measured',
  '  reactor explain pyex                               what was decided, and why',
  '  reactor watch pyex                                 what happens, as it happens',
];

/** `reactor --help`. */
export function overview(): readonly string[] {
  const groups = GROUPS.flatMap(([group, title]) => [
    '',
    `${title}:`,
    ...VERBS.filter((verb) => verb.group === group).map(
      (verb) => `  ${[verb.name, ...verb.args].join(' ').padEnd(32)} ${verb.about}`,
    ),
  ]);
  return [
    'usage: reactor [OPTION]... COMMAND [ARGUMENT]...',
    '',
    'Runs as many containers of a service as its load asks for, behind a load balancer.',
    ...groups,
    '',
    ...WALK_THROUGH,
    '',
    'Options:',
    ...optionLines(null),
    '',
    `More: reactor COMMAND --help, reactor help TOPIC (${TOPIC_NAMES.join(', ')})`,
  ];
}

/** `reactor VERB --help`. */
export function verbHelp(verb: Verb): readonly string[] {
  const own = optionLines(verb.name);
  const sentence = `${verb.about.charAt(0).toUpperCase()}${verb.about.slice(1)}.`;
  return [
    usageLine(verb),
    '',
    sentence,
    ...(verb.aliases === undefined ? [] : [`Also called ${verb.aliases.join(' and ')}.`]),
    ...(verb.more === undefined ? [] : ['', ...verb.more]),
    ...(verb.own === true ? ['', `In an instance ${verb.args[0]} may be left out; its own is meant then.`] : []),
    ...(own.length === 0 ? [] : ['', 'Options:', ...own]),
    '',
    'Options of every command: reactor help options',
  ];
}

export const helpVerb: Perform = async (call) => {
  const name = call.args[0];
  call.output.lines(name === undefined ? overview() : about(name));
  return DONE;
};

function about(name: string): readonly string[] {
  const text = topic(name);
  if (text !== undefined) return text;
  const verb = findVerb(name);
  if (verb !== undefined) return verbHelp(verb);
  const known = [...TOPIC_NAMES, ...VERBS.map((each) => each.name)];
  throw new UsageError(`no help on '${name}'`, { word: name, known, otherwise: `; the topics are ${TOPIC_NAMES.join(', ')}` });
}
