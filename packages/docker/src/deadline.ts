import { ReactorError } from '@reactor/core';

/**
 * Runs `work` for at most `ms`. Its signal aborts at the deadline and when `outer` aborts, and the answer does not wait
 * for the work to notice. Fails with `docker_unavailable` at the deadline, with the reason of `outer` when that came first.
 */
export async function withDeadline<T>(
  ms: number,
  doing: string,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer?.throwIfAborted();
  const controller = new AbortController();
  const ended = new Promise<never>((_resolve, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
  });
  const giveUp = () => controller.abort(outer?.reason);
  const timer = setTimeout(() => controller.abort(new DeadlinePassed(ms, doing)), ms);
  outer?.addEventListener('abort', giveUp, { once: true });
  const working = work(controller.signal);
  // Whoever loses the race below must not end the process as an unhandled rejection.
  working.catch(() => undefined);
  ended.catch(() => undefined);
  try {
    return await Promise.race([working, ended]);
  } catch (error) {
    if (controller.signal.reason instanceof DeadlinePassed) {
      throw new ReactorError('docker_unavailable', controller.signal.reason.message, { details: { deadlineMs: ms } });
    }
    if (outer?.aborted) throw outer.reason;
    throw error;
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', giveUp);
  }
}

class DeadlinePassed extends Error {
  constructor(ms: number, doing: string) {
    super(`Docker did not answer ${doing} within ${ms / 1000} s`);
  }
}
