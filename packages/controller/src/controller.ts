import {
  type Clock,
  createDiary,
  describeError,
  LOGS,
  type LogLevel,
  type Loop,
  type Meter,
  type Plan,
  type PlanInput,
  ReactorError,
  type StateStore,
  startLoop,
} from '@reactor/core';
import { createAlarms } from './alarms.js';
import { createCandidate } from './leadership.js';
import { createMuster } from './muster.js';
import { createRound } from './round.js';
import { startTilt } from './tilt.js';
import { startWebhooks } from './webhooks.js';

/**
 * The controller of one daemon: every daemon is a candidate, one leads. It observes, plans and commits, every `intervalMs`
 * and at once when the state changes; it never touches Docker or a load balancer.
 */
export interface ControllerOptions {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly host: string;
  readonly intervalMs: number | (() => number);
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
  readonly resolve: PlanInput['resolve'];
  readonly random: () => number;
  readonly newId: () => string;
  /** Whom to tell of what happens; nobody, without. */
  readonly notify?: { readonly urls: readonly string[]; readonly secret: string } | null;
  /** Told of every plan that was made while leading. */
  readonly planned?: (made: Plan) => void;
}

export interface Controller {
  /** Shortens the wait for the next round. */
  wake(): void;
  /** What keeps it from leading or from acting, for /readyz; empty when nothing does. */
  problems(): readonly string[];
  /** Ends the loop and gives the leadership back, so that another daemon need not wait for the lease. */
  stop(): Promise<void>;
}

/** Changes come in bursts (a host reports, a balancer follows); one round answers them together. */
const MIN_GAP_MS = 25;

export function startController(options: ControllerOptions): Controller {
  const { store, clock, log, meter } = options;
  const stopping = new AbortController();
  const tilt = startTilt({ clock, signal: stopping.signal, log, meter, changed: () => loop.wake() });
  const candidate = createCandidate({ ...options, steady: () => tilt.problem() === null });
  const alarms = createAlarms(options);
  const diary = createDiary(store, clock, log);
  const tellOwn = (event: string, message: string): void => diary.tell(LOGS.manager(options.host), 'info', event, message);
  const muster = createMuster(tellOwn);
  const { notify = null } = options;
  const round = createRound({ ...options, alarms, diary, muster, notifies: notify !== null });
  let leading = false;
  const webhooks = notify === null ? null : startWebhooks({ ...options, ...notify, leads: () => leading });
  let lastFailure = '';

  const turn = async (): Promise<void> => {
    const startedMs = clock.now();
    const leadership = await candidate.lead();
    if ((leadership !== null) !== leading) {
      leading = leadership !== null;
      const text = leading ? `leading, epoch ${leadership?.epoch}` : 'no longer leading';
      log('info', text);
      tellOwn(leading ? 'LEADING' : 'LEADING_ENDED', text);
    }
    meter.set('reactor_leader', {}, leading ? 1 : 0);
    // What another leader sees is its own to tell.
    if (leadership === null) {
      alarms.forget();
      muster.forget();
    }
    const result = leadership === null ? 'standby' : await round(leadership);
    if (result === 'outranked') {
      await candidate.abandon();
      loop.wake();
    }
    meter.add('reactor_rounds_total', { result });
    meter.observe('reactor_round_seconds', {}, (clock.now() - startedMs) / 1000);
    if (lastFailure !== '') log('info', 'rounds succeed again');
    lastFailure = '';
  };

  // One line when it starts to fail and one for every new reason, not one per round.
  const failed = (error: unknown): void => {
    meter.add('reactor_rounds_total', { result: 'failed' });
    if (error instanceof ReactorError && error.code === 'state_unavailable')
      meter.add('reactor_state_errors_total', { code: error.code });
    const reason = describeError(error);
    if (reason !== lastFailure) log('error', `round failed, nothing was changed: ${reason}`);
    lastFailure = reason;
  };

  const loop: Loop = startLoop({
    clock,
    signal: stopping.signal,
    intervalMs: options.intervalMs,
    minGapMs: MIN_GAP_MS,
    round: turn,
    failed,
  });
  const watching = watch(store, clock, stopping.signal, loop.wake);

  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.all([loop.done, watching, tilt.done, webhooks?.stop()]);
    await candidate.resign().catch(failed);
    await diary.written();
  };
  const problems = (): readonly string[] =>
    [tilt.problem(), candidate.problem(), ...alarms.open()].filter((problem) => problem !== null);
  return { wake: loop.wake, problems, stop };
}

const WATCH_RETRY_MS = 1_000;

/** What changes without anything to decide. */
const QUIET = /^(histories|notices)\//;

/** Wakes the loop whenever anything else changes. Losing an event costs at most one interval. */
async function watch(store: StateStore, clock: Clock, signal: AbortSignal, wake: () => void): Promise<void> {
  while (!signal.aborted) {
    try {
      const { revision } = await store.read('controller/');
      for await (const event of store.watch('', revision, signal)) {
        if (event.kind === 'resync' || event.changes.some((change) => !QUIET.test(change.key))) wake();
      }
    } catch {
      // The loop's own reads say what is wrong; here it is enough to try again.
      await clock.sleep(WATCH_RETRY_MS, signal);
    }
  }
}
