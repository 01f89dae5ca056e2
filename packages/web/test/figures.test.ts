import { bytes, clockTime, duration, moment, rate, span } from '../src/figures.js';

test.each([
  [null, '–'],
  [0, '0 /s'],
  [0.25, '0.25 /s'],
  [33.04, '33.0 /s'],
  [412, '412 /s'],
  [12_300, '12.3 k/s'],
])('%p requests per second read %s', (value, words) => expect(rate(value)).toBe(words));

test.each([
  [-5, '0 s'],
  [59_400, '59 s'],
  [60_000, '1 min'],
  [7_199_000, '1 h'],
  [172_799_000, '47 h'],
  [200_000_000, '2 d'],
])('%p ms last %s', (ms, words) => expect(span(ms)).toBe(words));

test.each([
  [0, '0 B'],
  [1_536, '1.5 KiB'],
  [25_769_803_776, '24.0 GiB'],
  [2 ** 50, '1024 TiB'],
])('%p bytes read %s', (value, words) => expect(bytes(value)).toBe(words));

test.each([
  ['30m', 1_800_000],
  ['1h30m', 5_400_000],
  [' 45 s ', 45_000],
  ['2 h', 7_200_000],
  ['0m', null],
  ['', null],
  ['30', null],
  ['soon', null],
  ['-5m', null],
])('%j is %p ms', (text, ms) => expect(duration(text)).toBe(ms));

test('a moment of another day says which', () => {
  const now = new Date(2026, 10, 21, 14, 5, 9).getTime();
  expect(clockTime(now)).toBe('14:05:09');
  expect([moment(now - 60_000, now), moment(now - 86_400_000, now)]).toEqual(['14:04:09', '2026-11-20 14:05:09']);
});
