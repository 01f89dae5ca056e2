/**
 * Remembers whether the engine answers, so that a hung one costs its callers nothing: after five failures in a row calls
 * are refused at once for a while, then one call is let through to see.
 */

/** Fewer would open on a single slow moment, as calls come in bunches; more would let a hung engine hold a minute's work. */
export const FAILURES_TO_OPEN = 5;

export type Admission = 'closed' | 'probe' | 'refused';

export class Breaker {
  #failures = 0;
  #openUntilMs: number | null = null;
  #probing = false;
  #reason = '';

  constructor(
    private readonly openMs: number,
    private readonly nowMs: () => number,
    private readonly changed: (open: boolean, reason: string) => void,
  ) {}

  /** Why calls are refused; of the last failure. */
  get reason(): string {
    return this.#reason;
  }

  admit(): Admission {
    if (this.#openUntilMs === null) return 'closed';
    if (this.#probing || this.nowMs() < this.#openUntilMs) return 'refused';
    this.#probing = true;
    return 'probe';
  }

  succeeded(): void {
    const wasOpen = this.#openUntilMs !== null;
    this.#failures = 0;
    this.#probing = false;
    this.#openUntilMs = null;
    if (wasOpen) this.changed(false, this.#reason);
  }

  failed(admission: Admission, reason: string): void {
    this.#reason = reason;
    this.#failures += 1;
    if (admission === 'probe') {
      this.#probing = false;
      this.#openUntilMs = this.nowMs() + this.openMs;
    } else if (this.#openUntilMs === null && this.#failures >= FAILURES_TO_OPEN) {
      this.#openUntilMs = this.nowMs() + this.openMs;
      this.changed(true, reason);
    }
  }

  /** The caller gave up: nothing was learned, the next call may try. */
  abandoned(admission: Admission): void {
    if (admission === 'probe') this.#probing = false;
  }
}
