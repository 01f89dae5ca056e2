import fc from 'fast-check';
import { binOf, binValue, MAX_BIN, mergeBins, quantile, type SketchBins } from '../src/index.js';

const sketchOf = (times: readonly number[]): SketchBins => mergeBins(times.map((time) => [binOf(time), 1]));
const seconds = fc.double({ min: 1e-6, max: 10_000, noNaN: true });

describe('bins', () => {
  test('stand for their times within 1 %', () => {
    fc.assert(
      fc.property(seconds, (time) => {
        expect(Math.abs(binValue(binOf(time)) - time)).toBeLessThanOrEqual(time * 0.01);
      }),
      { numRuns: 2000 },
    );
  });

  test('zero has its own, and what is out of range goes to the ends', () => {
    expect([0, -1, Number.NaN].map(binOf)).toEqual([0, 0, 0]);
    expect(binValue(0)).toBe(0);
    expect(binOf(1e-9)).toBe(1);
    expect([10_000, 1e9, Number.POSITIVE_INFINITY].map(binOf)).toEqual([MAX_BIN, MAX_BIN, MAX_BIN]);
  });

  test('of whole milliseconds are those of their neighbours', () => {
    for (let ms = 1; ms < 4000; ms++) {
      const bin = binOf(ms / 1000);
      expect([binOf(ms / 1000 - 1e-9), binOf(ms / 1000 + 1e-9)]).toContain(bin);
    }
  });

  test('grow with the time', () => {
    fc.assert(fc.property(seconds, seconds, (a, b) => a > b || binOf(a) <= binOf(b)));
  });
});

describe('sketches', () => {
  test('merge as if one had seen everything, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.array(seconds)), (hosts) => {
        const sketches = hosts.map(sketchOf);
        const whole = sketchOf(hosts.flat());
        expect(mergeBins(sketches)).toEqual(whole);
        expect(mergeBins(sketches.toReversed())).toEqual(whole);
      }),
    );
  });

  test('quantiles are within 1 % of the time of that rank', () => {
    fc.assert(
      fc.property(fc.array(seconds, { minLength: 1 }), fc.double({ min: 0, max: 1, noNaN: true }), (times, q) => {
        const exact = times.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * times.length)) - 1]!;
        expect(Math.abs(quantile(sketchOf(times), q)! - exact)).toBeLessThanOrEqual(exact * 0.01);
      }),
    );
  });

  test('without times there is no quantile', () => {
    expect(quantile([], 0.5)).toBeNull();
    expect(mergeBins([])).toEqual([]);
  });

  test('pairs that are no bin are left out', () => {
    expect(mergeBins([[-1, 5, 2.5, 1, 3, 2, MAX_BIN + 1, 9, 4, -2, 5, Number.NaN, 6]])).toEqual([3, 2]);
  });
});
