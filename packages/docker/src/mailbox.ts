/** As many ids wait at most; beyond, looking at all is cheaper anyway. */
export const MAX_WAITING = 256;

/**
 * A set of ids between one writer and one reader, so that a slow reader finds each id once however often it was put.
 * Null stands for every id: while it waits, no other does.
 */
export function createMailbox() {
  const waiting = new Set<string | null>();
  let closed = false;
  let wake: () => void = () => undefined;
  return {
    put(id: string | null): void {
      if (id === null || waiting.size >= MAX_WAITING) {
        waiting.clear();
        waiting.add(null);
      } else if (!waiting.has(null)) {
        waiting.add(id);
      }
      wake();
    },
    close(): void {
      closed = true;
      wake();
    },
    async *take(): AsyncGenerator<string | null> {
      while (!closed) {
        for (const id of waiting) {
          waiting.delete(id);
          yield id;
          if (closed) return;
        }
        if (waiting.size === 0 && !closed) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
