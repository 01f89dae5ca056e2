/**
 * Values of several writers as one sequence. A writer waits until its value is taken, so that at most one of each writer
 * is ever held, however fast they are.
 */
export interface Funnel<T> {
  put(value: T): Promise<void>;
  /** The next value; null when none came within `ms` or the signal aborted. */
  take(ms: number, signal: AbortSignal): Promise<T | null>;
}

export function createFunnel<T>(): Funnel<T> {
  const waiting: { readonly value: T; readonly taken: () => void }[] = [];
  let wake: () => void = () => undefined;
  return {
    put: (value) =>
      new Promise((taken) => {
        waiting.push({ value, taken });
        wake();
      }),
    async take(ms, signal) {
      if (waiting.length === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const end = (): void => {
            clearTimeout(timer);
            signal.removeEventListener('abort', end);
            resolve();
          };
          const timer = setTimeout(end, ms);
          signal.addEventListener('abort', end, { once: true });
          wake = end;
        });
      }
      const next = waiting.shift();
      next?.taken();
      return next?.value ?? null;
    },
  };
}
