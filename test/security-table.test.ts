/** The table of attacks (test/security.md) compared with the tests it names: every attack once at least, every test there. */
import { has, textOf } from './source-tree.js';

const range = (letter: string, first: number, last: number): readonly string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => `${letter}${first + index}`);

const WANTED = [...range('S', 1, 42), ...range('B', 72, 90), 'B100', ...range('H', 1, 13)];

const rows = [...textOf('test/security.md').matchAll(/^\| ([SBH]\d+) *\| (.*?) *\| (\S+) *\| (.*?) *\|$/gm)].map(
  ([, id = '', attack = '', file = '', by = '']) => ({ id, attack, file, by }),
);

test('names every attack', () => {
  expect(WANTED.filter((id) => !rows.some((row) => row.id === id))).toEqual([]);
  expect(rows.filter(({ id }) => !WANTED.includes(id))).toEqual([]);
});

test('is read whole: no line of it is in another form', () => {
  const lines = textOf('test/security.md')
    .split('\n')
    .filter((line) => /^\| *[SBH]\d/.test(line));
  expect(rows).toHaveLength(lines.length);
});

test.each(rows.filter(({ file }) => file !== '-'))('$id, $attack: $file tries it', ({ file, by }) => {
  expect([file, has(file)]).toEqual([file, true]);
  // Titles of tests are written with either kind of quotes; an apostrophe in one may be escaped.
  const titles = textOf(file)
    .split('\n')
    .filter((line) => /['"`]/.test(line))
    .join('\n')
    .replaceAll("\\'", "'");
  expect([file, by, titles.includes(by)]).toEqual([file, by, true]);
});

test('what is not tried says why', () => {
  for (const { id, by } of rows.filter(({ file }) => file === '-')) expect([id, by.length > 20]).toEqual([id, true]);
});
