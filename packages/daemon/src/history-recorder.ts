import {
  type DecisionRecord,
  type DecisionReport,
  historyAfter,
  type RecordedRound,
  type Recording,
  recordedRound,
  repeats,
  type TargetHistory,
} from '@reactor/core';
import type { HistoryFiles } from './history-files.js';

/**
 * Turns decisions into recordings. The host that leads is told of every round it made; the others look at what is published
 * now and then, so the history outlives the host that led, though in less detail.
 */
export interface HistoryRecorder {
  /** Decisions in any order and as often as they come: older and equal ones are passed over. */
  observe(reports: readonly DecisionReport[]): void;
  /** What is not on disk yet. */
  pending(endpoint: string): Recording | null;
  /** Writes what has waited long enough, or all. */
  flush(all?: boolean): void;
}

/** A minute of one round a second: smaller blocks cost space, larger ones are more to lose. */
const BLOCK_ROUNDS = 60;
/** What is quiet makes a block of a few rounds. */
const BLOCK_MS = 600_000;
/** Each takes a millisecond. */
const CLOSINGS_AT_ONCE = 25;
/** What was published by a former leader is at most a minute old; what is older than this was told by another clock. */
const CLOCK_SET_MS = 120_000;
/** Something is recorded so often even if nothing changes, so that silence means that nobody looked. */
const HEARTBEAT_MS = 60_000;

interface Open {
  readonly scaling: DecisionRecord['scaling'];
  readonly history: TargetHistory;
  readonly rounds: RecordedRound[];
  /** What the next round has to remember, if it follows from these. */
  next: TargetHistory;
}

export function createHistoryRecorder(files: Pick<HistoryFiles, 'append'>, now: () => number): HistoryRecorder {
  const open = new Map<string, Open>();
  const newest = new Map<string, RecordedRound>();

  let closings = 0;

  const close = (endpoint: string): void => {
    const { scaling, history, rounds } = open.get(endpoint)!;
    open.delete(endpoint);
    closings += 1;
    files.append({ endpoint, scaling, history, thinned: false, rounds });
  };
  /** A thousand endpoints that are full at once are written one after the other; meanwhile their blocks grow. */
  const isDue = ({ rounds }: Open): boolean =>
    rounds.length >= 2 * BLOCK_ROUNDS || (rounds.length >= BLOCK_ROUNDS && closings < CLOSINGS_AT_ONCE);
  const add = (report: DecisionReport): void => {
    const { record } = report;
    const { endpoint, scaling } = record;
    const round = recordedRound(report);
    const last = newest.get(endpoint);
    // Seen already; but a clock that was set back goes on from there.
    if (last !== undefined && round.atMs <= last.atMs && last.atMs - round.atMs < CLOCK_SET_MS) return;
    const since = last === undefined ? Number.POSITIVE_INFINITY : round.atMs - last.atMs;
    if (last !== undefined && since > 0 && since < HEARTBEAT_MS && open.has(endpoint) && repeats(last, round)) return;
    const known = open.get(endpoint);
    const follows = known !== undefined && since > 0 && same(known.next, record.inputs.history) && same(known.scaling, scaling);
    if (known !== undefined && (!follows || isDue(known))) close(endpoint);
    newest.set(endpoint, round);
    const block = open.get(endpoint) ?? { scaling, history: record.inputs.history, rounds: [], next: record.inputs.history };
    block.rounds.push(round);
    block.next = historyAfter(record);
    open.set(endpoint, block);
  };

  return {
    observe: (reports) => {
      closings = 0;
      for (const report of reports) add(report);
    },
    pending: (endpoint) => {
      const block = open.get(endpoint);
      if (block === undefined) return null;
      const { scaling, history, rounds } = block;
      return { endpoint, scaling, history, thinned: false, rounds: [...rounds] };
    },
    flush: (all = false) => {
      const atMs = now();
      closings = 0;
      for (const [endpoint, { rounds }] of [...open]) {
        const waited = atMs - (rounds[0]?.atMs ?? atMs) >= BLOCK_MS && closings < CLOSINGS_AT_ONCE;
        if (all || waited) close(endpoint);
      }
      for (const [endpoint, { atMs: lastMs }] of newest)
        if (!open.has(endpoint) && atMs - lastMs >= BLOCK_MS) newest.delete(endpoint);
    },
  };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
