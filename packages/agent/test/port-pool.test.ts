import { ReactorError } from '@reactor/core';
import { createPortPool } from '../src/port-pool.js';

/** Which ports a host hands out, over restarts of its daemon. */

const RANGE = { first: 20_000, last: 20_255 };
const SIZE = 256;

let kept: number | null;
let writes: number;
let isBroken: boolean;
const disk = {
  read: () => {
    if (isBroken) throw new ReactorError('mark_unreadable', 'the disk does not answer');
    return kept;
  },
  write: (port: number) => {
    if (isBroken) throw new ReactorError('mark_unreadable', 'the disk does not answer');
    kept = port;
    writes += 1;
  },
};

beforeEach(() => {
  kept = null;
  writes = 0;
  isBroken = false;
});

test('every port of the range comes once before the first comes again, from wherever it begins', () => {
  const pool = createPortPool(RANGE, 0.5, disk);
  const taken = Array.from({ length: SIZE }, () => pool.take(new Set()));
  expect(taken[0]).toBe(20_128);
  expect(new Set(taken).size).toBe(SIZE);
  expect(pool.take(new Set())).toBe(20_128);
  expect(writes).toBeLessThanOrEqual(SIZE / 4 + 1);
});

test('a restarted daemon, wherever chance would have it begin, goes on behind what was handed out', () => {
  const taken: (number | null)[] = [];
  for (let restart = 0; restart < 10; restart += 1) {
    const pool = createPortPool(RANGE, Math.abs(Math.sin(restart)), disk);
    for (let start = 0; start < 20; start += 1) taken.push(pool.take(new Set()));
  }
  expect(new Set(taken).size).toBe(200);
});

test('ports in use are passed over, and none is left when all are', () => {
  const inUse = new Set(Array.from({ length: SIZE }, (_, index) => RANGE.first + index));
  inUse.delete(20_007);
  expect(createPortPool(RANGE, 0.5, disk).take(inUse)).toBe(20_007);
  inUse.add(20_007);
  expect(createPortPool(RANGE, 0.5, disk).take(inUse)).toBeNull();
});

test('what cannot be remembered is not handed out, and nothing is lost by it', () => {
  isBroken = true;
  const pool = createPortPool(RANGE, 0, disk);
  expect(() => pool.take(new Set())).toThrow(expect.objectContaining({ code: 'mark_unreadable' }));
  isBroken = false;
  expect(pool.take(new Set())).toBe(20_000);
});

test('a place that another range had is none of this one', () => {
  kept = 31_000;
  expect(createPortPool(RANGE, 0.25, disk).take(new Set())).toBe(20_064);
});
