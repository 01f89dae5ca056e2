import { sinceTime } from '../src/since-time.js';
import { UsageError } from '../src/usage-error.js';

const NOW_MS = Date.parse('2026-11-21T12:00:00Z');

test.each([
  ['10m', NOW_MS / 1000 - 600],
  ['1h30m', NOW_MS / 1000 - 5_400],
  ['1.5h', NOW_MS / 1000 - 5_400],
  ['250ms', NOW_MS / 1000 - 0.25],
  ['1d', NOW_MS / 1000 - 86_400],
  ['1700000000', 1_700_000_000],
  ['1.5', 1.5],
  ['2026-11-21T12:00:00Z', NOW_MS / 1000],
  ['2026-11-21T14:00:00.250+02:00', NOW_MS / 1000 + 0.25],
  ['2026-11-21', new Date(2026, 10, 21).getTime() / 1000],
  ['2026-11-21T12:30', new Date(2026, 10, 21, 12, 30).getTime() / 1000],
  ['9999999999h', 0],
])('%s is a moment', (text, seconds) => {
  expect(sinceTime(text, NOW_MS)).toBeCloseTo(seconds, 3);
});

test.each(['', 'yesterday', '-5m', '10 m', '1e3', '2026-13-01', '2026-11-21T25:00:00Z', '10m!', '1h 30m', '1.2.3s'])(
  '%j is none',
  (text) => {
    expect(() => sinceTime(text, NOW_MS)).toThrow(UsageError);
  },
);
