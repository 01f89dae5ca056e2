import { setTimeout as delay } from 'node:timers/promises';
import { ReactorError, type StateStore } from '@reactor/core';

/** Writes one key after the other, and remembers which of them were acknowledged and settled, and the longest time without one. */
export function startWriter(store: StateStore) {
  const settled: string[] = [];
  let isStopping = false;
  let gapMs = 0;
  const writing = (async () => {
    let lastMs = performance.now();
    for (let n = 0; !isStopping; n += 1) {
      try {
        const result = await store.commit({ expect: [], write: [{ key: `k${n}`, value: n }] });
        if (result.kind === 'committed') {
          gapMs = Math.max(gapMs, performance.now() - lastMs);
          lastMs = performance.now();
          if (await store.settled(500)) settled.push(`k${n}`);
        }
      } catch (error) {
        if (!(error instanceof ReactorError)) throw error;
        await delay(20);
      }
      await delay(5);
    }
  })();
  return {
    settled,
    stop: async () => {
      isStopping = true;
      await writing;
      return gapMs;
    },
  };
}
