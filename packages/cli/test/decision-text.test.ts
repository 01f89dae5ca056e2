import { type DecisionInput, decide, NO_HISTORY, parseRules, type Step } from '@reactor/core';
import { decisionText } from '../src/output/decision-text.js';
import { clockTime } from '../src/output/log-line.js';
import { metricValue } from '../src/output/metric-value.js';

const AT = new Date(2026, 10, 21, 3, 2, 7, 250).getTime();
const SOURCES = { reported: 1, expected: 1 };
const SILENT = { metrics: {}, requests: 0, partial: false };

function input(rules: string, change: Partial<DecisionInput> = {}): DecisionInput {
  const parsed = parseRules(rules);
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return {
    endpoint: 'pyex',
    atMs: AT,
    epoch: 7,
    state: 'RUNNING',
    scaling: { minInstances: 1, maxInstances: 5, rules: parsed.value, rampLimit: 5, windowMs: 10_000, scaleDownDelayMs: 30_000 },
    instances: 1,
    stable: { metrics: { rate: { kind: 'total', value: 33.01, ageMs: 400, sources: SOURCES } }, requests: 330, partial: false },
    burst: SILENT,
    history: NO_HISTORY,
    ...change,
  };
}

const explained = (given: DecisionInput, steps: readonly Step[] = []): readonly string[] =>
  decisionText({ atMs: AT, record: decide(given).record, steps }, AT + 2_300);

describe('a decision in words and numbers', () => {
  test('shows what the candidate in shadow_rules would do, and nothing without one', () => {
    const { record } = decide(input('0 < rate < 1'));
    const shadow = { rules: ['rate < 20', 'errors < 5%'], instances: 2, target: 3, sentence: '3 instances wanted (2 now).' };
    const lines = decisionText({ atMs: AT, record, steps: [], shadow }, AT);
    const at = lines.indexOf('Shadow');
    expect(lines.slice(at, at + 3)).toEqual([
      'Shadow',
      '  shadow: 3 (rules rate < 20, errors < 5%)',
      '  3 instances wanted (2 now).',
    ]);
    expect(explained(input('0 < rate < 1'))).not.toContain('Shadow');
  });

  test('reads from the sentence down to the steps', () => {
    const given = input('0 < rate < 1');
    const steps: readonly Step[] = [
      { kind: 'start', instance: 'i2', host: 'vm1', replaces: null, why: '5 instances are wanted' },
      { kind: 'wait', instance: null, on: 'a host with room' },
    ];
    const { sentence, reasons } = decide(given).record;
    expect(explained(given, steps)).toEqual([
      `pyex: ${sentence}`,
      `Decided 2.3s ago (${clockTime(AT)}) by leader epoch 7; pyex is RUNNING.`,
      '',
      'Measured',
      '  METRIC  VALUE           WINDOW    AGE   SOURCES',
      '  rate    33.01/s in all  last 10s  0.4s  1 of 1',
      '',
      'Rules',
      '  RULE             VALUE    EACH NOW  AGE   SOURCES  ALLOWS',
      '  1. 0 < rate < 1  33.01/s  33.01/s   0.4s  1 of 1   34 or more',
      '',
      'Limits',
      '  LIMIT                 BEFORE      AFTER',
      '  rules                 any         34 or more',
      '  min 1, max 5          34 or more  5',
      '  picked at 1           5           5',
      '  scale-down delay 30s  5           5',
      '  at most 5 a round     5           5',
      '  missing data          5           5',
      '',
      'Why not',
      '  more: max_instances is 5',
      "  fewer: '0 < rate < 1' needs at least 34 at 33.0/s in all",
      '',
      'It would be',
      '  4 if rate fell below 4/s per instance (4/s in all) for 30 s',
      '',
      'Because',
      ...reasons.map((reason) => `  ${reason}`),
      '',
      'Steps',
      '  start  i2  on vm1  5 instances are wanted',
      '  wait   -   -       for a host with room',
    ]);
  });

  test('says what is missing instead of showing it as zero', () => {
    const text = explained(input('0 < rate < 1, p95 < 300ms', { instances: 3 }));
    expect(text.find((line) => /^ {2}p95 /.test(line))).toMatch(/no data/);
    expect(text.find((line) => line.includes('2. p95 < 300ms'))).toMatch(/no data( +-){3} +skipped$/);
  });

  test('shows the burst window when it decided', () => {
    const rate = { kind: 'total' as const, value: 50, ageMs: 0, sources: SOURCES };
    const quiet = { metrics: { rate: { ...rate, value: 1.5 } }, requests: 15, partial: false };
    const text = explained(input('rate < 20', { stable: quiet, burst: { metrics: { rate }, requests: 100, partial: false } }));
    expect(text.filter((line) => line.includes('last 2s') || line.includes('(burst)') || line.includes('  burst ')).length).toBe(
      3,
    );
  });

  test('says of a paused endpoint that its state decided', () => {
    const text = explained(input('0 < rate < 1', { state: 'PAUSED', instances: 2 }));
    expect(text.find((line) => line.startsWith('  PAUSED'))).toBe('  PAUSED        5           2');
    expect(text.some((line) => line.includes('scale-down delay'))).toBe(false);
  });

  test('cannot be made to send commands to the terminal', () => {
    const step: Step = { kind: 'wait', instance: null, on: '\u001b[2Ja\nb' };
    expect(explained(input('0 < rate < 1'), [step]).join('\n')).toContain('for \\x1b[2Ja\\nb');
  });
});

test('values carry the unit of their metric', () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ['rate', 33.0123, '33.01/s'],
    ['bytes', 1_234_567, '1.235 MB/s'],
    ['bytes', 12, '12 B/s'],
    ['errors', 0.0512, '5.12 %'],
    ['p95', 0.2501, '250.1 ms'],
    ['response', 1.5, '1.5 s'],
    ['active', 12345, '12345'],
    ['queue_depth', 0.5, '0.5'],
  ];
  for (const [metric, value, text] of cases) expect(metricValue(metric, value)).toBe(text);
});

test('a held count shows the hold among the limits, and none of those it set aside', () => {
  const lines = explained(input('0 < rate < 1', { hold: { count: 9, untilMs: null }, instances: 1 }));
  const limits = lines.slice(lines.indexOf('Limits') + 1, lines.indexOf('Why not') - 1);
  expect(limits).toEqual([
    '  LIMIT                 BEFORE      AFTER',
    '  rules                 any         34 or more',
    '  min 1, max 5          34 or more  5',
    '  held by the operator  5           5',
    '  at most 5 a round     5           5',
  ]);
  expect(lines).toContain('  held at 9 by the operator until it is handed back; max_instances caps it at 5');
});

describe('what the hosts answered', () => {
  const verdicts = (host: string | null, more: Readonly<Record<string, number>> = {}) => {
    const record = decide(input('0 < rate < 1')).record;
    const hosts = [
      { host: 'vm1', verdict: 'refused' as const, filter: 'health' as const, reason: 'draining' },
      ...(host === null ? [] : [{ host, verdict: 'chosen' as const, filter: null, reason: 'spread: 1.0 % used' }]),
    ];
    const placement = { atMs: AT - 60_000, host, reason: host === null ? 'vm1: draining' : 'spread: 1.0 % used', hosts, more };
    const lines = decisionText({ atMs: AT, record, steps: [], placement }, AT);
    return lines.slice(lines.indexOf('Placement'));
  };

  test('to the newest start stands at the end, with its age', () => {
    expect(verdicts('vm2')).toEqual([
      'Placement',
      '  started 1m ago on vm2: spread: 1.0 % used',
      '  HOST  VERDICT  FILTER  WHY',
      '  vm1   refused  health  draining',
      '  vm2   chosen   -       spread: 1.0 % used',
    ]);
  });

  test('to one that none took says so, and counts hosts that are not told one by one', () => {
    expect(verdicts(null, { fits: 1, capacity: 80 })).toEqual([
      'Placement',
      '  first refused 1m ago: no host takes it',
      '  HOST  VERDICT  FILTER  WHY',
      '  vm1   refused  health  draining',
      '  and 81 more hosts: 80 refused by capacity, 1 fit',
    ]);
  });
});
