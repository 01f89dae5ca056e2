import fc from 'fast-check';
import { PairTable } from '../src/pair-table.js';

test('a pair table answers as a map does, whatever was set and kept', () => {
  const small = fc.integer({ min: -3, max: 3 });
  const number = fc.oneof(small, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number, fc.nat(9))), fc.nat(9), (entries, limit) => {
      const table = new PairTable<number>();
      const map = new Map<string, number>();
      for (const [first, second, value] of entries) {
        table.set(first, second, value);
        map.set(`${first},${second}`, value);
      }
      table.keep((value) => value <= limit);
      for (const [first, second] of entries) {
        const expected = map.get(`${first},${second}`)!;
        expect(table.get(first, second)).toBe(expected <= limit ? expected : undefined);
      }
      expect(table.all()).toHaveLength([...map.values()].filter((value) => value <= limit).length);
    }),
  );
});
