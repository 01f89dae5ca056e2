/** Lets at most `limit` through at a time, in the order of asking. */
export interface Turnstile {
  /** Resolves when it is the caller's turn, with what the caller must call once it is through. */
  enter(): Promise<() => void>;
}

export function createTurnstile(limit: number): Turnstile {
  const waiting: (() => void)[] = [];
  let inside = 0;
  const leave = (): void => {
    inside -= 1;
    waiting.shift()?.();
  };
  return {
    async enter() {
      if (inside >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
      inside += 1;
      let left = false;
      return () => {
        if (left) return;
        left = true;
        leave();
      };
    },
  };
}
