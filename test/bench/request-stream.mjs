import { get } from 'node:http';

/**
 * Requests at a steady pace that can be changed, each on a connection of its own, and when each container (X-Instance) answered
 * first. Open loop: a slow answer does not hold up the next request.
 */

const TICK_MS = 2;
const TIMEOUT_MS = 10_000;
const MOST_OPEN = 2_000;

export function startStream(url, perSecond) {
  /** Container to milliseconds since the epoch. */
  const firstAnswers = new Map();
  const waiting = [];
  let pace = { perSecond, sinceMs: performance.now(), sent: 0 };
  let open = 0;
  let failed = 0;

  const arrived = (instance) => {
    if (instance === undefined || firstAnswers.has(instance)) return;
    firstAnswers.set(instance, Date.now());
    for (const wait of waiting.splice(0)) wait();
  };
  const send = () => {
    open += 1;
    const asked = get(url, { agent: false, timeout: TIMEOUT_MS }, (response) => {
      if (response.statusCode === 200) arrived(response.headers['x-instance']);
      else failed += 1;
      response.once('error', () => {});
      response.resume();
    });
    asked.once('timeout', () => asked.destroy(new Error('timeout')));
    asked.once('error', () => {
      failed += 1;
    });
    asked.once('close', () => {
      open -= 1;
    });
  };
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - pace.sinceMs) / 1000) * pace.perSecond);
    for (; pace.sent < due; pace.sent++) if (open < MOST_OPEN) send();
  }, TICK_MS);

  return {
    /** From now on. */
    setPace(next) {
      pace = { perSecond: next, sinceMs: performance.now(), sent: 0 };
    },
    /** Containers that have answered so far. */
    seen: () => new Set(firstAnswers.keys()),
    /** When the `count`th container that is not in `known` answered first. */
    async newcomer(known, count, limitMs) {
      const endMs = performance.now() + limitMs;
      for (;;) {
        const times = [...firstAnswers].filter(([instance]) => !known.has(instance)).map(([, atMs]) => atMs);
        if (times.length >= count) return times[count - 1];
        const leftMs = endMs - performance.now();
        if (leftMs <= 0) throw new Error(`${times.length} of ${count} new instances answered within ${limitMs / 1000} s`);
        await new Promise((resolve) => {
          const late = setTimeout(resolve, leftMs);
          waiting.push(() => {
            clearTimeout(late);
            resolve();
          });
        });
      }
    },
    failed: () => failed,
    stop: () => clearInterval(timer),
  };
}
