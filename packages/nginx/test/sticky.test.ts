import { keysByPosition, stickyWeights } from '../src/sticky.js';
import { backendAt } from './services.js';

const weighing = (...weights: number[]) => stickyWeights(weights.map((weight, i) => backendAt(i + 1, `b${i}`, weight)));

test('weights become the smallest whole numbers, and coarse ones where those are many', () => {
  expect(weighing(90, 10)).toEqual([9, 1]);
  expect(weighing(5)).toEqual([1]);
  const coarse = weighing(65_535, 1, 65_534);
  expect(coarse.reduce((a, b) => a + b)).toBeLessThan(2_100);
  expect(coarse[1]).toBe(1);
});

test.each([1, 2, 7, 100, 1_000])('each of %d servers has a key of its own, the same at every call', (count) => {
  const weights = Array<number>(count).fill(1);
  const keys = keysByPosition(weights);
  expect(keys.filter((key) => key === null)).toEqual([]);
  expect(new Set(keys).size).toBe(count);
  expect(keysByPosition(weights)).toEqual(keys);
});
