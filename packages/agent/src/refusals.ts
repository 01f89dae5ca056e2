import { REFUSALS_PER_MARK } from '@reactor/core';

/** Connect errors in a row that a load balancer has with an instance, as failed checks: so many of them are one. */
export class RefusalRow {
  #counted: number | null = null;

  /** Whether `refused` in a row by now make one more failed check. */
  failsWith(refused: number): boolean {
    // Those of before the first look were a former daemon's to count.
    this.#counted ??= refused;
    // An answer has begun the row anew.
    if (refused < this.#counted) this.#counted = 0;
    if (refused - this.#counted < REFUSALS_PER_MARK) return false;
    this.#counted = refused;
    return true;
  }
}
