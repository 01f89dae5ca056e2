import { setImmediate as breath } from 'node:timers/promises';
import { metricKind, type RecordedBlock, type RecordedRound, type Recording, ruleOf } from '@reactor/core';

/** A recording as points to draw: one in every step, the newest of what is known of it. */

export interface HistoryPoint {
  /** Where its step begins. */
  readonly atMs: number;
  readonly state: RecordedRound['state'];
  /** Loads of each instance, as rules compare them; null where a rule asked for what nobody reported. */
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly instances: number;
  readonly ready: number;
  readonly target: number;
  readonly shadowTarget: number | null;
}

/** A round holds until the next one is recorded; after so long without one, nobody looked. */
const HOLDS_MS = 120_000;
const STEP_MIN_MS = 1_000;
/** Blocks read before others get their turn. */
const BLOCKS_AT_ONCE = 20;

export async function historyPoints(
  blocks: Iterable<RecordedBlock>,
  { sinceMs, untilMs, points }: { readonly sinceMs: number; readonly untilMs: number; readonly points: number },
): Promise<{ readonly stepMs: number; readonly points: readonly HistoryPoint[] }> {
  const stepMs = Math.max(STEP_MIN_MS, Math.ceil((untilMs - sinceMs) / points));
  const newest = new Map<number, { readonly round: RecordedRound; readonly recording: Recording }>();
  let read = 0;
  for (const block of blocks) {
    const recording = block.read();
    for (const round of recording?.rounds ?? []) {
      if (round.atMs <= untilMs)
        newest.set(Math.max(-1, Math.floor((round.atMs - sinceMs) / stepMs)), { round, recording: recording! });
    }
    read += 1;
    if (read % BLOCKS_AT_ONCE === 0) await breath();
  }
  const shown: HistoryPoint[] = [];
  let last = newest.get(-1);
  for (let step = 0; sinceMs + step * stepMs < untilMs; step += 1) {
    last = newest.get(step) ?? last;
    const atMs = sinceMs + step * stepMs;
    if (last !== undefined && atMs - last.round.atMs < HOLDS_MS) shown.push(pointOf(atMs, last.round, last.recording));
  }
  return { stepMs, points: shown };
}

function pointOf(atMs: number, round: RecordedRound, { scaling }: Recording): HistoryPoint {
  const { state, instances, ready, target, shadow, metrics } = round;
  const asked = scaling.rules.map((text) => ruleOf(text).metric).filter((name) => metricKind(name) !== 'direct');
  const names = [...new Set([...Object.keys(metrics), ...asked])].sort();
  const value = (name: string): number | null => {
    const measured = Object.hasOwn(metrics, name) ? metrics[name]! : null;
    return measured !== null && metricKind(name) === 'total' ? measured / Math.max(1, instances) : measured;
  };
  return {
    ...{ atMs, state, instances, ready, target, shadowTarget: shadow },
    metrics: Object.fromEntries(names.map((name) => [name, value(name)])),
  };
}
