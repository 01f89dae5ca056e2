import type { Clock, LogLevel, Meter } from '@reactor/core';

/**
 * Whether this process can trust its own sense of time. One that stood still (an overloaded machine, a paused virtual one)
 * or whose wall clock jumped may take what is long over for the present, so it neither leads nor commits for a while. Not
 * its purpose: to judge leases; whoever holds one judges its deadline too.
 *
 * 1. A stand-still is noticed by whoever asks first, not only by the timer: after it, answers of the store arrive before
 *    timers run.
 * 2. The hold is measured on the clock that cannot be set.
 */
export interface Tilt {
  /** What happened and how long this process keeps still, in words; null while all is well. Looks at the clocks. */
  problem(): string | null;
  /** Resolves when the signal has aborted. */
  readonly done: Promise<void>;
}

export interface TiltOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: (level: LogLevel, message: string) => void;
  readonly meter: Meter;
  /** It has begun or ended. */
  readonly changed: () => void;
}

const TICK_MS = 500;
/** Four ticks missed; well below what a lease leaves after its renewal, well above a garbage collection. */
const GAP_MS = 2_000;
/** As long as two leases: by then everybody else has acted on what the clock of before meant. */
const JUMP_HOLD_MS = 30_000;
/** A short stand-still costs little: a loaded machine must not lose half a minute for three seconds. */
const LEAST_HOLD_MS = 4_000;

interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

interface Upset {
  readonly what: string;
  readonly holdMs: number;
}

export function startTilt(options: TiltOptions): Tilt {
  const { clock, signal, log, meter, changed } = options;
  const look = (): Moment => ({ wallMs: clock.now(), monotonicMs: clock.monotonic() });
  let last = look();
  let hold: { readonly what: string; readonly untilMs: number } | null = null;

  const begin = (upset: Upset, monotonicMs: number): void => {
    const untilMs = Math.max(hold?.untilMs ?? 0, monotonicMs + upset.holdMs);
    const isNew = hold === null;
    hold = { what: upset.what, untilMs };
    if (!isNew) return;
    meter.add('reactor_tilt_total', {});
    log('warning', `${upset.what}: neither leading nor changing anything for ${seconds(upset.holdMs)}`);
    changed();
  };

  const observe = (): void => {
    const now = look();
    const upset = judge(last, now);
    last = now;
    if (upset !== null) begin(upset, now.monotonicMs);
    else if (hold !== null && now.monotonicMs >= hold.untilMs) {
      hold = null;
      log('info', 'the clocks are steady again: may lead');
      changed();
    }
  };

  const tick = async (): Promise<void> => {
    while (!signal.aborted) {
      observe();
      await clock.sleep(TICK_MS, signal);
    }
  };
  const problem = (): string | null => {
    observe();
    return hold === null
      ? null
      : `${hold.what}; neither leads nor changes anything for ${seconds(hold.untilMs - last.monotonicMs)}`;
  };
  return { problem, done: tick() };
}

/** What is wrong with the time between two looks; null when nothing is. */
function judge(before: Moment, now: Moment): Upset | null {
  const passedMs = now.monotonicMs - before.monotonicMs;
  const jumpMs = now.wallMs - before.wallMs - passedMs;
  if (Math.abs(jumpMs) > GAP_MS) {
    const way = jumpMs > 0 ? 'forward' : 'back';
    return { what: `the clock of this machine jumped ${way} by ${seconds(Math.abs(jumpMs))}`, holdMs: JUMP_HOLD_MS };
  }
  if (passedMs <= GAP_MS) return null;
  const holdMs = Math.min(JUMP_HOLD_MS, Math.max(LEAST_HOLD_MS, 2 * passedMs));
  return { what: `this process stood still for ${seconds(passedMs)}`, holdMs };
}

const seconds = (ms: number): string => `${Math.max(0, ms / 1000).toFixed(1)} s`;
