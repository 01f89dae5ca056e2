import type { Finding } from '@reactor/core';
import { Refusal } from '../src/exchange.js';
import { findingOf, findingWords } from '../src/finding.js';

const finding = (change: Partial<Finding>): Finding => ({
  ...{ code: 'config', severity: 'warning', section: null, key: null, line: null, text: 'Never falls.', suggestion: null },
  ...change,
});

test.each([
  [finding({}), 'Never falls.'],
  [finding({ section: 'scaling', key: 'rules' }), '[scaling] rules: Never falls.'],
  [
    finding({ section: 'scaling', key: 'rules', line: 3, suggestion: "try '1 < rate'" }),
    "line 3: [scaling] rules: Never falls. (try '1 < rate')",
  ],
  [finding({ section: 'scaling', key: 'rules', line: 3, text: 'scaling.rules (line 3): no' }), 'scaling.rules (line 3): no'],
])('%j is told once: %s', (given, words) => expect(findingWords(given)).toBe(words));

test('a refusal is a finding at the key it names', () => {
  const refusal = new Refusal(422, 'config_invalid', 'too many', { section: 'scaling', key: 'max_instances', line: 2 });
  expect(findingOf(refusal)).toEqual(
    finding({ code: 'config_invalid', severity: 'error', section: 'scaling', key: 'max_instances', text: 'too many' }),
  );
  expect(findingOf(new Refusal(400, 'config_syntax', 'no', { line: 1 }))).toMatchObject({ section: null, key: null });
});
