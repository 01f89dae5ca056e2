import type { Clock, HealthCheckConfig } from '@reactor/core';
import { type Probe, probe, type Target } from './probe.js';

/**
 * The health of one running container. It begins unready; the first passed check makes it ready. From then on a check
 * fails only when `FALL` tries in a row fail, and `errorMarks` failed checks in a row make it unhealthy; any passed check
 * makes it ready again. What this host's load balancer could not reach counts as a failed check, too.
 */
export interface Health {
  readonly ready: boolean;
  readonly wasReady: boolean;
  readonly readyAtMs: number | null;
  /** Failed checks in a row. */
  readonly marks: number;
  /** Did not become ready within its start timeout, or failed `errorMarks` checks. */
  readonly failed: boolean;
  readonly error: string | null;
}

export const UNREADY: Health = { ready: false, wasReady: false, readyAtMs: null, marks: 0, failed: false, error: null };

export interface HealthWatch {
  readonly check: HealthCheckConfig;
  /** Null when nothing is published: then running is all that can be known, and counts as ready. */
  readonly target: Target | null;
  readonly startTimeoutMs: number;
  readonly errorMarks: number;
  /** What was known of this very container before; `UNREADY` for a new one. */
  readonly initial: Health;
  /** Default: over the network. */
  readonly probe?: Probe | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly changed: (health: Health) => void;
}

export interface HealthWatching {
  /** One more failed check, which somebody else made. */
  fail(problem: string): void;
  readonly ended: Promise<void>;
}

/** A service that boots in 30 ms should not wait 250 for its next check; one that boots in a minute should not be hammered. */
const FIRST_RETRY_MS = 4;
const LONGEST_RETRY_MS = 250;
const RETRY_GROWTH = 1.4;
/** One lost packet or one garbage collection is no failure: three tries in a row are. */
const FALL = 3;
const FALL_GAP_MS = 200;

/** Runs until the signal aborts; tells every change of the health. */
export function watchHealth(watch: HealthWatch): HealthWatching {
  let health = watch.initial;
  const tell = (next: Health): void => {
    health = next;
    if (!watch.signal.aborted) watch.changed(next);
  };
  const ready = (): Health => ({ ...UNREADY, ready: true, wasReady: true, readyAtMs: health.readyAtMs ?? watch.clock.now() });
  const fail = (problem: string): void => {
    const marks = health.marks + 1;
    const failed = marks >= watch.errorMarks;
    tell({ ...health, marks, failed, ready: health.ready && !failed, error: problem });
  };

  const follow = async (): Promise<void> => {
    if (watch.target === null) return tell(ready());
    if (!health.wasReady)
      await untilReady(watch, watch.target, (next) => tell(next === null ? ready() : { ...health, failed: true, error: next }));
    while (!watch.signal.aborted) {
      await watch.clock.sleep(watch.check.intervalMs, watch.signal);
      if (watch.signal.aborted) return;
      const problem = await check(watch, watch.target);
      if (problem !== null) fail(problem);
      else if (!health.ready || health.marks > 0) tell(ready());
    }
  };
  return {
    // Before it was ready nobody was sent there, and its own checks are the ones that count.
    fail: (problem) => {
      if (health.wasReady) fail(problem);
    },
    ended: follow(),
  };
}

/** Tells null once the target answers; tells the problem once if that takes longer than the start timeout, and goes on trying. */
async function untilReady(watch: HealthWatch, target: Target, tell: (problem: string | null) => void): Promise<void> {
  const startedMs = watch.clock.monotonic();
  let overdue = false;
  for (let gapMs = FIRST_RETRY_MS; !watch.signal.aborted; gapMs = Math.min(gapMs * RETRY_GROWTH, LONGEST_RETRY_MS)) {
    const problem = await (watch.probe ?? probe)(target, watch.check.path, watch.check.timeoutMs);
    if (problem === null) return tell(null);
    if (!overdue && watch.clock.monotonic() - startedMs >= watch.startTimeoutMs) {
      overdue = true;
      tell(`not ready within ${watch.startTimeoutMs / 1000} s: ${problem}`);
    }
    await watch.clock.sleep(gapMs, watch.signal);
  }
}

/** One check: null when any of `FALL` tries in a row passes; otherwise, in plain words, why the last one failed. */
export async function check(
  watch: Pick<HealthWatch, 'check' | 'clock' | 'probe' | 'signal'>,
  target: Target,
): Promise<string | null> {
  let problem: string | null = null;
  for (let attempt = 1; attempt <= FALL && !watch.signal.aborted; attempt += 1) {
    problem = await (watch.probe ?? probe)(target, watch.check.path, watch.check.timeoutMs);
    if (problem === null) return null;
    if (attempt < FALL) await watch.clock.sleep(FALL_GAP_MS, watch.signal);
  }
  return problem;
}
