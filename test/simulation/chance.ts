/** Chance from a seed: the same seed, asked in the same order, answers the same. */
export interface Chance {
  /** In [0, 1). */
  next(): number;
  happens(probability: number): boolean;
  /** A whole number from `from` to `to`, both included. */
  whole(from: number, to: number): number;
  pick<T>(list: readonly T[]): T;
  /** A waiting time whose mean is `meanMs`, at least 1: how far apart independent events lie. */
  wait(meanMs: number): number;
  /** An independent stream, so that drawing more from one shifts nothing in another. */
  fork(): Chance;
}

/** Mulberry32, public domain, by Tommy Ettinger: 32 bits of state are plenty for a few hundred thousand draws. */
export function createChance(seed: number): Chance {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const whole = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    happens: (probability) => next() < probability,
    whole,
    pick: (list) => list[whole(0, list.length - 1)]!,
    wait: (meanMs) => Math.max(1, Math.round(-Math.log(1 - next()) * meanMs)),
    fork: () => createChance(whole(1, 2_000_000_000)),
  };
}
