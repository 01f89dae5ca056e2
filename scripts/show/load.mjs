// A bounded load: so many requests per second, each on a connection of its own, so that a reload that closes an idle
// keep-alive connection under a client (which any browser retries) is not mistaken for a lost request.
import { get } from 'node:http';

/** More than minutes of full load: whoever forgets to stop it, it stops by itself. */
const MOST_REQUESTS = 20_000;
const MOST_PER_SECOND = 1_000;
/** Longer ago than this no request is made up for. */
const LATEST_MS = 500;
const TIMEOUT_MS = 10_000;

/** @param pooledMs for how long the load balancer keeps a connection without a request: one may lead to what has just died */
export function startLoad(address, perSecond, pooledMs = 0) {
  const instances = new Map();
  const failures = [];
  const chapters = [{ name: 'load', sent: 0, failed: 0, lost: 0 }];
  const recent = [];
  let sent = 0;
  let failed = 0;
  let paused = false;
  /** What is sent until then, and a little later, may be on its way to something that is dead. */
  let deathMs = Number.NEGATIVE_INFINITY;

  const send = () => {
    const chapter = chapters.at(-1);
    const sentMs = performance.now();
    let done = false;
    const fail = (reason) => {
      if (done) return;
      done = true;
      const lost = sentMs <= deathMs + pooledMs;
      chapter.failed += 1;
      chapter.lost += lost ? 1 : 0;
      failed += 1;
      if (!lost && failures.length < 10) failures.push(`${chapter.name}: ${reason}`);
    };
    chapter.sent += 1;
    sent += 1;
    recent.push(sentMs);
    if (recent.length > MOST_PER_SECOND) recent.shift();
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
  let dueMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    // What a machine that was busy elsewhere missed is made up for, but no storm follows a pause.
    dueMs = paused ? nowMs : Math.max(dueMs, nowMs - LATEST_MS);
    for (; dueMs < nowMs && sent < MOST_REQUESTS; dueMs += 1000 / perSecond) send();
  }, 1000 / perSecond);

  return {
    pause: () => {
      paused = true;
    },
    resume: () => {
      paused = false;
    },
    stop: () => clearInterval(timer),
    /** From now on requests are counted under this name. */
    chapter: (name) => chapters.push({ name, sent: 0, failed: 0, lost: 0 }),
    /** Something dies now: what is under way to it, or is sent over a connection still open to it, is lost with it. */
    death: () => {
      deathMs = performance.now();
    },
    /** Per chapter `{ name, sent, failed, lost }`; those lost with something that died are among the failed. */
    chapters: () => chapters.filter((each) => each.sent > 0),
    /** Requests sent in the last second. */
    perSecondNow: () => recent.filter((ms) => ms > performance.now() - 1000).length,
    /** How many different instances have answered. */
    answered: () => instances.size,
    /** When the second one answered first. */
    newcomerMs: () => [...instances.values()].sort((a, b) => a - b)[1],
    totals: () => ({ sent, failed, failures }),
  };
}
