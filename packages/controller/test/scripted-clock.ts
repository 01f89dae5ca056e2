/** A clock the test moves. Sleeping is not part of these tests but for loops, which go on when the test says `tick`. */
export function scriptedClock() {
  let nowMs = 1_700_000_000_000;
  let bootMs = 5_000;
  let waiting: (() => void)[] = [];
  return {
    now: () => nowMs,
    monotonic: () => bootMs,
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        if (signal?.aborted) return resolve();
        const end = (): void => {
          signal?.removeEventListener('abort', end);
          resolve();
        };
        waiting.push(end);
        signal?.addEventListener('abort', end);
      }),
    pass: (ms: number): void => {
      nowMs += ms;
      bootMs += ms;
    },
    /** Somebody sets the wall clock. */
    jump: (ms: number): void => {
      nowMs += ms;
    },
    /** Ends every sleep. */
    tick: async (): Promise<void> => {
      const due = waiting;
      waiting = [];
      for (const wake of due) wake();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

export type ScriptedClock = ReturnType<typeof scriptedClock>;
