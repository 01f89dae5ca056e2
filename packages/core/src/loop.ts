import type { Clock } from './clock.js';

/**
 * A level-triggered loop: the round always looks at the whole world, a wake-up only shortens the wait. Rounds never
 * overlap; any number of wake-ups during one lead to exactly one more.
 */
export interface Loop {
  wake(): void;
  /** Resolves when the signal has aborted and the last round has ended. */
  readonly done: Promise<void>;
}

export interface LoopOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Asked before every wait, so that it can change. */
  readonly intervalMs: number | (() => number);
  /** Wake-ups closer together than this share one round, so that a burst of changes is answered once. */
  readonly minGapMs: number;
  readonly round: () => Promise<void>;
  /** A round that throws is told here and the loop goes on. */
  readonly failed: (error: unknown) => void;
}

export function startLoop(options: LoopOptions): Loop {
  const { clock, signal, round, failed } = options;
  let woken = false;
  let nudge = new AbortController();
  // What this loop waits on listens here, so that the signal many loops share has one listener of each.
  const ended = new AbortController();

  const wake = (): void => {
    woken = true;
    nudge.abort();
  };

  const rest = async (): Promise<void> => {
    await clock.sleep(options.minGapMs, ended.signal);
    if (woken || signal.aborted) return;
    nudge = new AbortController();
    // Set before sleeping and checked after: a wake-up between the two lines above must not be lost.
    const { intervalMs } = options;
    const restMs = (typeof intervalMs === 'number' ? intervalMs : intervalMs()) - options.minGapMs;
    if (!woken && !signal.aborted) await clock.sleep(restMs, nudge.signal);
  };
  // Not AbortSignal.any: on Node 20 every combined signal stays referenced by the long-lived one.
  const end = (): void => {
    ended.abort();
    wake();
  };
  signal.addEventListener('abort', end, { once: true });

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      woken = false;
      try {
        await round();
      } catch (error) {
        failed(error);
      }
      await rest();
    }
  };

  return { wake, done: run() };
}
