import { getEventListeners } from 'node:events';
import { startLoop } from '../src/loop.js';

/** A clock whose sleeps end with their signal alone. */
const stillClock = {
  now: () => 0,
  monotonic: () => 0,
  sleep: (_ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal?.aborted) return resolve();
      signal?.addEventListener('abort', () => resolve(), { once: true });
    }),
};

test('a loop that rests costs the signal it shares with others one listener, and ends with it', async () => {
  const stop = new AbortController();
  let rounds = 0;
  const round = async (): Promise<void> => {
    rounds += 1;
  };
  const failed = (error: unknown): never => {
    throw error;
  };
  const loop = startLoop({ clock: stillClock, signal: stop.signal, intervalMs: 1_000, minGapMs: 10, round, failed });
  await new Promise((resolve) => setImmediate(resolve));
  expect(rounds).toBe(1);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
  stop.abort();
  await loop.done;
  expect(rounds).toBe(1);
});
