import { decodeChanges, decodeEntries } from '../src/redis-answers.js';

/** What Redis may hold that nobody of us wrote. */

test.each([
  ['{"a":1', 'what is not JSON'],
  ['', 'what is not JSON'],
  [`"${'x'.repeat(50 * 1024 * 1024)}"`, '52428802 characters, more than 1048576 bytes'],
])('a value that is no record comes as a text that says so, beside all others', (text, said) => {
  const entries = decodeEntries(['web', '7 {"b":2}', 'torn', `8 ${text}`], '', null);
  expect(entries.get('web')).toEqual({ value: { b: 2 }, revision: 7 });
  expect(entries.get('torn')).toEqual({ value: said, revision: 8 });
});

test('of changes the same; one without a value is a deletion', () => {
  expect(decodeChanges('7 web {"b":2}\n8 torn {"a":\n9 gone ')).toEqual([
    { key: 'web', value: { b: 2 }, revision: 7 },
    { key: 'torn', value: 'what is not JSON', revision: 8 },
    { key: 'gone', value: null, revision: 9 },
  ]);
});

test('a value without a revision is at none that a commit could expect', () => {
  expect(decodeEntries(['torn', 'nonsense'], '', null).get('torn')).toEqual({ value: 'what is not JSON', revision: 0 });
});
