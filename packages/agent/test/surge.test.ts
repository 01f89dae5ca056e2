import type { TrafficReport } from '@reactor/core';
import { createSurgeDetector } from '../src/surge.js';

/** Requests that finished in each of the last seconds, newest last. */
function reportOf(atSecond: number, requests: readonly number[]): TrafficReport {
  const buckets = requests.map((count, index) => ({
    second: atSecond - requests.length + 1 + index,
    requests: count,
    bytes: 0,
    timed: count,
    seconds: 0,
    errors: 0,
  }));
  const endpoints = { web: { buckets, times: [], active: 0, backends: {} } };
  return { atMs: atSecond * 1000 + 900, completeSinceMs: 0, endpoints, badLines: 0, lagBytes: 0 };
}

test('a jump is told once, not as long as the load lasts', () => {
  const surge = createSurgeDetector();
  expect(surge.jumped(reportOf(100, [10, 10]))).toBe(true);
  expect(surge.jumped(reportOf(101, [10, 10, 10]))).toBe(false);
  expect(surge.jumped(reportOf(102, [10, 10, 100]))).toBe(true);
  expect(surge.jumped(reportOf(103, [10, 100, 100]))).toBe(true);
  expect(surge.jumped(reportOf(104, [100, 100, 100]))).toBe(false);
});

test('a handful of requests is no jump', () => {
  expect(createSurgeDetector().jumped(reportOf(100, [4, 5]))).toBe(false);
});

test('after a lull the same load is a jump again', () => {
  const surge = createSurgeDetector();
  surge.jumped(reportOf(100, [50, 50]));
  expect(surge.jumped(reportOf(110, [0, 0]))).toBe(false);
  expect(surge.jumped(reportOf(120, [50, 50]))).toBe(true);
});
