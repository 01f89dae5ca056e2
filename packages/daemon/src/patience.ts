import { type Clock, describeError, ReactorError } from '@reactor/core';
import type { Daemon, Log } from './daemon.js';

/**
 * Starts the daemon, however long a shared cluster state cannot be reached: after a power cut its server may come up later
 * than this host, and an init script starts a daemon only once.
 */
export interface PatienceOptions {
  readonly start: () => Promise<Daemon>;
  /** Only a state on another server comes back by itself; what is wrong with this host's own needs its operator. */
  readonly sharedState: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const FIRST_WAIT_MS = 250;
/** Each try costs a starting Redis a connection; waiting longer would add to every outage. */
const LONGEST_WAIT_MS = 2_000;

/** Null when the signal aborted first. One line when it has to wait, one for every new reason, one when it need not any more. */
export async function startPatiently(options: PatienceOptions): Promise<Daemon | null> {
  const { clock, log, signal } = options;
  let lastReason = '';
  for (let waitMs = FIRST_WAIT_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    try {
      const daemon = await options.start();
      if (lastReason !== '') log('info', 'the cluster state can be reached');
      return daemon;
    } catch (error) {
      const passing = options.sharedState && error instanceof ReactorError && error.code === 'state_unavailable';
      if (!passing) throw error;
      const reason = describeError(error);
      if (reason !== lastReason) log('error', `cannot start yet, trying again until it works: ${reason}`);
      lastReason = reason;
    }
    await clock.sleep(waitMs, signal);
  }
  return null;
}
