import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { formatRule, MAX_RULES, metricKind, nearMetric, parseRule, parseRules, type Rule } from '../src/index.js';

const grammar = JSON.parse(readFileSync(new URL('./vectors/rule-grammar.json', import.meta.url), 'utf8')) as {
  readonly accepted: readonly string[];
  readonly refused: readonly string[];
};

function rulesOf(text: string): readonly Rule[] {
  const rules = parseRules(text);
  if (!rules.ok) throw new Error(rules.fault.message);
  return rules.value;
}

function ruleOf(text: string): Rule {
  return rulesOf(text)[0]!;
}

/** `column: message` of the refusal. */
function refusal(result: ReturnType<typeof parseRule> | ReturnType<typeof parseRules>): string {
  return result.ok ? 'accepted' : `${result.fault.column}: ${result.fault.message}`;
}

describe('the grammar', () => {
  test.each(grammar.accepted)('accepts %j', (text) => {
    expect(refusal(parseRule(text))).toBe('accepted');
  });

  test.each(grammar.refused)('refuses %j with a column inside or just after it and one line of words', (text) => {
    const result = parseRule(text);
    if (result.ok) throw new Error('accepted');
    expect(result.fault.column).toBeGreaterThanOrEqual(1);
    expect(result.fault.column).toBeLessThanOrEqual(text.length + 1);
    expect(result.fault.message).toMatch(/^[^\n]{10,}$/);
  });

  test('a rule keeps the text as written, trimmed, next to its meaning', () => {
    expect(ruleOf('  1.5<=  load<2.5 ')).toEqual({
      text: '1.5<=  load<2.5',
      metric: 'load',
      lower: { value: 1.5, op: '<=' },
      upper: { value: 2.5, op: '<' },
    });
  });

  test.each([
    ['300ms', 0.3],
    ['0.1ms', 0.0001],
    ['3s', 3],
    ['2m', 120],
    ['5%', 0.05],
    ['29%', 0.29],
    ['2k', 2000],
    ['2kB', 2000],
    ['1.5M', 1_500_000],
    ['2MB', 2_000_000],
    ['1G', 1e9],
    ['0.5GB', 5e8],
    ['007', 7],
  ])('the number %s is exactly %d', (text, value) => {
    expect(ruleOf(`x < ${text}`).upper?.value).toBe(value);
  });

  test('metrics are case-sensitive and unknown ones are averages', () => {
    expect(['rate', 'p95', 'instances', 'Rate', 'queue', '__proto__', 'constructor'].map(metricKind)).toEqual([
      'total',
      'average',
      'direct',
      'average',
      'average',
      'average',
      'average',
    ]);
  });
});

describe('what a mistake is told', () => {
  test.each([
    ['rate > 1', "6: use 'lower < metric < upper'; write '1 < rate'"],
    ['3 >= rate > 1', "3: use 'lower < metric < upper'; write '1 < rate <= 3'"],
    ['0 < rate <', "11: expected a number after '<', found the end of the rule"],
    ['< rate < 1', "1: expected a number or a metric before '<'"],
    ['1 < rate < 0', '12: lower bound 1 is not below upper bound 0'],
    ['1 < rate < 1', '12: lower bound 1 is not below upper bound 1'],
    ['0 <= rate <= 0', "14: an upper bound must be above 0, found '0'"],
    ['instances < 0', "13: an upper bound must be above 0, found '0'"],
    ['-1 < rate', "1: a number has no sign, found '-'; expected digits, such as 1 or 0.5"],
    ['a < rate < b', "5: expected a number after '<', found 'rate'"],
    ['rate', "5: no bound; expected for example 'rate < 10' or '0 < rate < 10'"],
    ['0 < rate < 1 < 2', "14: unexpected '<' after the upper bound; a rule ends there and rules are separated by commas"],
    ['rate==1', "5: expected < or <=, found '='; write '<='"],
    ['rate =< 1', "6: expected < or <=, found '='; write '<='"],
    ['rate ≤ 1', "6: expected < or <=, found '≤'; write '<='"],
    ['rate < = 1', "6: '<' and '=' are apart; write '<='"],
    ['rate < 3 ms', "10: no space between a number and its unit; write '3ms'"],
    ['rate < 3mb', "9: unknown unit 'mb'; did you mean 'MB'?"],
    ['rate\u00a0< 1', '5: unexpected character U+00A0; use plain spaces'],
  ])('%s', (text, told) => {
    expect(refusal(parseRule(text))).toBe(told);
  });

  test('equal bounds are fine when both include the one value left', () => {
    expect(refusal(parseRule('3 <= instances <= 3'))).toBe('accepted');
  });

  test('an over-long rule is refused before anything of it is read', () => {
    expect(refusal(parseRule(' '.repeat(4000)))).toBe('1: rule longer than 256 characters');
    expect(refusal(parseRule(`rate < ${'9'.repeat(65_536)}`))).toBe('1: rule longer than 256 characters');
    expect(refusal(parseRules(`rate < 1,${' '.repeat(300)}`))).toBe('10: rule longer than 256 characters');
  });

  test('any text is answered, not thrown at', () => {
    const pieces = fc.constantFrom('<', '<=', ' ', 'rate', '1', '.', '5', 'ms', '%', ',', '-', '=', '\u00a0', 'é', '🙂', '\n');
    const text = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 12 }).map((list) => list.join('')),
    );
    fc.assert(
      fc.property(text, (value) => {
        const result = parseRules(value);
        if (!result.ok) expect(result.fault.column).toBeLessThanOrEqual(value.length + 1);
      }),
    );
  });
});

describe('a list of rules', () => {
  test('blank text is no rules', () => {
    expect(rulesOf('')).toEqual([]);
    expect(rulesOf(' \n ')).toEqual([]);
  });

  test('keeps its order and may be spread over lines', () => {
    expect(rulesOf('2 <= instances,\n 10 <= active <= 30').map((rule) => rule.text)).toEqual([
      '2 <= instances',
      '10 <= active <= 30',
    ]);
  });

  test('an empty item is a fault that says which', () => {
    expect(refusal(parseRules('a<1,,b<2'))).toContain('5: rule 2 is empty');
    expect(refusal(parseRules('a<1,'))).toContain('5: rule 2 is empty');
    expect(refusal(parseRules(',a<1'))).toContain('1: rule 1 is empty');
  });

  test('columns count within the whole list', () => {
    expect(refusal(parseRules('a<1, b>2'))).toBe("7: use 'lower < metric < upper'; write '2 < b'");
  });

  test('is bounded', () => {
    expect(refusal(parseRules(Array(MAX_RULES).fill('a<1').join(',')))).toBe('accepted');
    expect(
      refusal(
        parseRules(
          Array(MAX_RULES + 1)
            .fill('a<1')
            .join(','),
        ),
      ),
    ).toContain('more than 64 rules');
  });
});

describe('formatting', () => {
  test.each([
    ['0<rate<1', '0 < rate < 1'],
    ['p95<=300ms', 'p95 <= 0.3'],
    ['x < 0.000000001', 'x < 0.000000001'],
    [`x < ${'1'.padEnd(24, '0')}`, `x < ${'1'.padEnd(24, '0')}`],
  ])('%s is %s', (text, formatted) => {
    expect(formatRule(ruleOf(text))).toBe(formatted);
  });

  test('parses back to the same bounds', () => {
    const value = fc.double({ min: 1e-30, max: 1e30, noNaN: true });
    fc.assert(
      fc.property(value, fc.constantFrom('<' as const, '<=' as const), (bound, op) => {
        const rule: Rule = { text: '', metric: 'rate', lower: { value: 0, op }, upper: { value: bound, op } };
        expect(ruleOf(formatRule(rule))).toMatchObject({ metric: 'rate', lower: rule.lower, upper: rule.upper });
      }),
    );
  });
});

test('a name one slip from a built-in metric is known as such, any other may be a custom one', () => {
  const names = ['rat', 'Rate', 'repsonse', 'queue', 'rate'];
  expect(names.map(nearMetric)).toEqual(['rate', 'rate', 'response', null, null]);
});
