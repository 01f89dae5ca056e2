/**
 * A map from two 32-bit integers to something. A `Map` would need one number of 48 bits, which is a heap object per look-up:
 * with millions of log lines per second the collector then takes most of the time.
 */
export class PairTable<T> {
  private firsts = new Int32Array(8);
  private seconds = new Int32Array(8);
  private values: (T | undefined)[] = Array<T | undefined>(8).fill(undefined);
  private count = 0;

  get(first: number, second: number): T | undefined {
    const mask = this.firsts.length - 1;
    for (let slot = place(first, second) & mask; ; slot = (slot + 1) & mask) {
      const value = this.values[slot];
      if (value === undefined || (this.firsts[slot] === (first | 0) && this.seconds[slot] === (second | 0))) return value;
    }
  }

  set(first: number, second: number, value: T): void {
    // At most half full, so that a chain is short and always ends.
    if (this.count * 2 >= this.firsts.length) this.rebuild(this.firsts.length * 2, () => true);
    const mask = this.firsts.length - 1;
    let slot = place(first, second) & mask;
    while (this.values[slot] !== undefined && !(this.firsts[slot] === (first | 0) && this.seconds[slot] === (second | 0))) {
      slot = (slot + 1) & mask;
    }
    if (this.values[slot] === undefined) this.count += 1;
    this.firsts[slot] = first;
    this.seconds[slot] = second;
    this.values[slot] = value;
  }

  /** Leaves only what is to be kept. */
  keep(wanted: (value: T) => boolean): void {
    this.rebuild(this.firsts.length, wanted);
  }

  all(): readonly T[] {
    return this.values.filter((value) => value !== undefined);
  }

  private rebuild(size: number, wanted: (value: T) => boolean): void {
    const { firsts, seconds, values } = this;
    this.firsts = new Int32Array(size);
    this.seconds = new Int32Array(size);
    this.values = Array<T | undefined>(size).fill(undefined);
    this.count = 0;
    values.forEach((value, slot) => {
      if (value !== undefined && wanted(value)) this.set(firsts[slot]!, seconds[slot]!, value);
    });
  }
}

/** Multipliers of Fibonacci hashing; the high bits are mixed down, because the table's mask takes the low ones. */
function place(first: number, second: number): number {
  const mixed = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
