// A bounded load: so many requests per second, each on a connection of its own, so that a reload that closes an idle
// keep-alive connection under a client (which any browser retries) is not mistaken for a lost request.
import { get } from 'node:http';

/** More than a minute of full load: whoever forgets to stop it, it stops by itself. */
const MOST_REQUESTS = 10_000;
const TIMEOUT_MS = 10_000;

export function startLoad(address, perSecond) {
  const instances = new Map();
  const failures = [];
  let sent = 0;
  let failed = 0;
  let paused = false;

  const fail = (reason) => {
    failed += 1;
    if (failures.length < 10) failures.push(reason);
  };
  const send = () => {
    sent += 1;
    const request = get(address, { agent: false, headers: { connection: 'close' }, timeout: TIMEOUT_MS }, (response) => {
      const who = response.headers['x-instance'];
      if (response.statusCode !== 200) fail(`status ${response.statusCode}`);
      else if (!instances.has(who)) instances.set(who, Date.now());
      response.on('error', (error) => fail(error.message));
      response.resume();
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    request.on('error', (error) => fail(error.message));
  };
  const timer = setInterval(() => {
    if (!paused && sent < MOST_REQUESTS) send();
  }, 1000 / perSecond);

  return {
    pause: () => {
      paused = true;
    },
    resume: () => {
      paused = false;
    },
    stop: () => clearInterval(timer),
    /** How many different instances have answered. */
    answered: () => instances.size,
    /** When the second one answered first. */
    newcomerMs: () => [...instances.values()].sort((a, b) => a - b)[1],
    totals: () => ({ sent, failed, failures }),
  };
}
