import type { LiveEndpointRow, LiveEvent, LiveMetrics } from '@reactor/client';
import {
  advance,
  EMPTY_BOARD,
  endpointsOf,
  joined,
  logOf,
  marksOf,
  RATES_MAX,
  withPastRates,
  withPoint,
  withRates,
} from '../src/board.js';

const event = (change: Partial<LiveEvent>): LiveEvent => ({ name: null, whole: false, rows: {}, gone: [], ...change });
const row = (name: string, rate: number | null = 1) => ({ name, rate }) as LiveEndpointRow;

const pointAt = (atMs: number): LiveMetrics => ({ atMs, values: {}, ready: 1, target: 1, shadowTarget: null });

test('a whole board replaces all rows, a change only those it names', () => {
  const first = advance(
    EMPTY_BOARD,
    event({ whole: true, rows: { cluster: {}, 'endpoint/b': row('b'), 'endpoint/a': row('a') } }),
  );
  expect(endpointsOf(first).map(({ name }) => name)).toEqual(['a', 'b']);
  const second = advance(first, event({ rows: { 'endpoint/b': row('b', 2) }, gone: ['endpoint/a'] }));
  expect(endpointsOf(second)).toEqual([row('b', 2)]);
  expect(second.has('cluster')).toBe(true);
  expect([...advance(second, event({ whole: true })).keys()]).toEqual([]);
  expect(endpointsOf(first)).toHaveLength(2);
});

test('each moment is a point once, and only an hour of them is kept', () => {
  const at = pointAt;
  let points = withPoint([], at(1_000));
  expect(withPoint(points, at(1_000))).toBe(points);
  expect(withPoint(points, at(500))).toBe(points);
  expect(withPoint(points, null)).toBe(points);
  for (let second = 2; second <= 4_000; second++) points = withPoint(points, at(second * 1_000));
  expect([points.length, points[0]?.atMs, points.at(-1)?.atMs]).toEqual([3_600, 401_000, 4_000_000]);
});

test('rates are kept for as long as a sparkline is, and those of an endpoint that is gone are not', () => {
  let rates = withRates(new Map(), [row('a', 1), row('b', null)]);
  expect([rates.get('a'), rates.get('b')]).toEqual([[1], [0]]);
  for (let second = 0; second < 2 * RATES_MAX; second++) rates = withRates(rates, [row('a', second)]);
  expect([rates.get('a')?.length, rates.get('a')?.at(-1), rates.has('b')]).toEqual([RATES_MAX, 2 * RATES_MAX - 1, false]);
});

test('what was recorded comes before what was heard, and no moment twice', () => {
  const times = (past: readonly number[], heard: readonly number[]): readonly number[] =>
    joined(past.map(pointAt), heard.map(pointAt)).map(({ atMs }) => atMs);
  expect(times([1, 2, 3], [])).toEqual([1, 2, 3]);
  expect(times([1, 2, 3, 4], [3, 4, 5])).toEqual([1, 2, 3, 4, 5]);
  expect(withPastRates(new Map([['a', [3]]]), 'a', [1, 2]).get('a')).toEqual([1, 2, 3]);
  expect(withPastRates(new Map(), 'b', Array(2 * RATES_MAX).fill(1)).get('b')).toHaveLength(RATES_MAX);
});

test('the log is newest first, also past nine lines, and what it tells of instances is marked', () => {
  const line = (seq: number, what: string) => ({ seq, atMs: seq, level: 'info', event: what, message: `m${seq}` }) as const;
  const lines = [line(9, 'LAUNCH_INSTANCE'), line(10, 'SCALE_UPDATE'), line(11, 'DECOMMISSION_INSTANCE')];
  const board = advance(EMPTY_BOARD, event({ rows: Object.fromEntries(lines.map((each) => [`log/${each.seq}`, each])) }));
  expect(logOf(board).map(({ seq }) => seq)).toEqual([11, 10, 9]);
  expect(marksOf(logOf(board))).toEqual([
    { atMs: 11, kind: 'drain', text: 'm11' },
    { atMs: 9, kind: 'start', text: 'm9' },
  ]);
});
