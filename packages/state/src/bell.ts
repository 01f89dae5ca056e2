/** Wakes whoever waits for a change. `rings` closes the gap between looking and waiting: a ring in between is not lost. */
export class Bell {
  rings = 0;
  readonly #waiting = new Set<() => void>();

  ring(): void {
    this.rings += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the first ring after the count `seen`, when the signal aborts, or after `atMostMs`. */
  wait(seen: number, signal: AbortSignal, atMostMs?: number): Promise<void> {
    if (this.rings !== seen || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = atMostMs === undefined ? undefined : setTimeout(wake, atMostMs);
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}

/** The result, or null as soon as the signal aborts; what the promise still becomes is dropped. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const abort = () => resolve(null);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
