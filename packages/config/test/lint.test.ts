import { readdirSync, readFileSync } from 'node:fs';
import type { Finding, Room } from '@reactor/core';
import { type Circumstances, lint, NOTHING_KNOWN, readDocument } from '../src/index.js';

const findings = (text: string, known: Circumstances = NOTHING_KNOWN): readonly Finding[] =>
  lint(() => readDocument(text), known);

/** Behind nginx, from 1 to 10. */
const web = (rules: string, scaling = 'min_instances=1\nmax_instances=10\n'): string =>
  `[endpoint]\nurl=http://\nloadbalancer=nginx\n\n[scaling]\n${scaling}rules=${rules}\n`;

const told = (list: readonly Finding[]): readonly string[] => list.map(({ severity, code }) => `${severity} ${code}`);

test.each<[string, readonly string[]]>([
  ['0.3 < rate < 1', []],
  ['0.3 < rate < 1, 50 < active < 200', []],
  ['50ms < p95 < 250ms, errors < 1', []],
  ['0 < rate < 1', ['warning down_only_in_silence']],
  ['rate < 1', ['warning never_down']],
  ['0.1 < rate', ['warning never_up']],
  ['0.9 < rate < 1', ['warning whole_number_gap', 'warning oscillates']],
  ['0.5 < rate <= 1', ['warning oscillates']],
  ['0.3 < rate < 1, rate < 2', ['warning never_decides']],
  ['rate < 1, 2 < rate', ['error unsatisfiable', 'warning oscillates']],
  ['2 < instances < 3', ['error unsatisfiable']],
  ['rat < 1', ['warning unreported_metric', 'warning never_down']],
  ['1 < pending < 5', ['warning unreported_metric']],
  ['1 < queue < 5', ['advice unreported_metric']],
  ['', []],
])('rules = %s', (rules, expected) => {
  expect(told(findings(web(rules))).filter((line) => !/never_decides/.test(line) || rules.includes('rate < 2'))).toEqual(
    expected,
  );
});

test('0 < rate < 1 is told why it never falls, and which band to take instead', () => {
  const text = '[endpoint]\nurl=http://\nloadbalancer=nginx\n\n[scaling]\nmax_instances=5\nrules=active < 50,\n  0 < rate < 1\n';
  expect(findings(text)).toEqual([
    {
      code: 'down_only_in_silence',
      severity: 'warning',
      section: 'scaling',
      key: 'rules',
      line: 8,
      text: 'While there is any traffic the count never falls: it stays at the most that was ever needed until nobody asks at all.',
      suggestion: "try '15 < active < 50'",
    },
  ]);
});

test.each(['0 < rate < 1', 'rate < 7', '0.9 < rate < 1', '0.1 < active', 'response < 300ms', '19 < bytes < 20'])(
  'what is suggested instead of %s has nothing to remark on',
  (rules) => {
    const instead = findings(web(rules)).flatMap(({ suggestion }) => /'(.+)'/.exec(suggestion ?? '')?.[1] ?? []);
    expect(instead.length).toBeGreaterThan(0);
    for (const rule of instead) expect(findings(web(rule))).toEqual([]);
  },
);

test('an endpoint that may have none is told when nothing could start the first', () => {
  const scaling = 'min_instances=0\nmax_instances=10\n';
  expect(told(findings(web('100ms < response < 300ms', scaling)))).toEqual(['warning stuck_at_zero']);
  expect(told(findings(web('1 < rate < 5', scaling)))).toEqual([]);
});

test('with one count only, rules are said to decide nothing', () => {
  expect(told(findings(web('0.3 < rate < 1', 'min_instances=2\nmax_instances=2\n')))).toEqual(['warning never_decides']);
});

test('a load balancer is asked for what it measures only', () => {
  const tcp =
    '[endpoint]\nurl=tcp://5000\nloadbalancer=tcp\n\n[scaling]\nmax_instances=10\nrules=1 < active < 5, response < 1s\n';
  expect(findings(tcp)).toEqual([
    expect.objectContaining({
      code: 'unreported_metric',
      text: 'tcp does not measure response: until a program posts it, the count cannot fall.',
    }),
  ]);
});

test('of a metric that programs post it matters who was asked', () => {
  const asked = (reported: readonly string[]): readonly string[] =>
    told(findings(web('1 < queue < 5'), { reported: new Set(reported), room: null }));
  expect(asked(['queue'])).toEqual([]);
  expect(asked([])).toEqual(['warning unreported_metric']);
});

test.each<[Room | null, readonly string[]]>([
  [null, []],
  [{ instances: 0, hosts: 0 }, []],
  [{ instances: 1, hosts: 2 }, ['error min_above_room']],
  [{ instances: 4, hosts: 2 }, ['warning max_above_room']],
  [{ instances: 10, hosts: 2 }, []],
  [{ instances: 11, hosts: 2 }, ['advice max_below_room']],
])('where the hosts can hold %j', (room, expected) => {
  const text = web('0.3 < rate < 1', 'min_instances=2\nmax_instances=10\n');
  expect(told(findings(text, { reported: null, room: () => room }))).toEqual(expected);
});

test('what cannot be used is one finding, with its place', () => {
  expect(findings('[endpoint]\nport=eighty\n')).toEqual([
    expect.objectContaining({ code: 'config_invalid', severity: 'error', section: 'endpoint', key: 'port', line: 2 }),
  ]);
  expect(findings('[endpoint\n')).toEqual([expect.objectContaining({ code: 'config_syntax', severity: 'error', line: 1 })]);
});

test('what a key is warned of is a finding, too', () => {
  expect(findings('[scaling]\nmax_instanses=3\n')).toEqual([
    expect.objectContaining({
      code: 'config',
      severity: 'warning',
      line: 2,
      text: "unknown key 'max_instanses'; did you mean 'max_instances'?",
    }),
  ]);
});

const EXAMPLES = new URL('../../../configs/examples/', import.meta.url);

test.each(readdirSync(EXAMPLES).filter((file) => file.endsWith('.conf')))(
  'there is nothing to remark on in example %s',
  (file) => {
    const text = readFileSync(new URL(file, EXAMPLES), 'utf8');
    if (!text.includes('[manager]')) expect(findings(text)).toEqual([]);
  },
);
