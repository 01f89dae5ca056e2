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
/** Something is recorded so often even if nothing changes, so that silence means that nobody looked. */
export const HEARTBEAT_MS = 60_000;

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

  const close = (endpoint: string): void => {
    const { scaling, history, rounds } = open.get(endpoint)!;
    open.delete(endpoint);
    files.append({ endpoint, scaling, history, thinned: false, rounds });
  };
  const add = (report: DecisionReport): void => {
    const { record } = report;
    const { endpoint, scaling } = record;
    const round = recordedRound(report);
    const last = newest.get(endpoint);
    if (last !== undefined && round.atMs <= last.atMs) return;
    if (last !== undefined && round.atMs - last.atMs < HEARTBEAT_MS && open.has(endpoint) && repeats(last, round)) return;
    const known = open.get(endpoint);
    const follows = known !== undefined && same(known.next, record.inputs.history) && same(known.scaling, scaling);
    if (known !== undefined && (!follows || known.rounds.length >= BLOCK_ROUNDS)) close(endpoint);
    newest.set(endpoint, round);
    const block = open.get(endpoint) ?? { scaling, history: record.inputs.history, rounds: [], next: record.inputs.history };
    block.rounds.push(round);
    block.next = historyAfter(record);
    open.set(endpoint, block);
  };

  return {
    observe: (reports) => {
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
      for (const [endpoint, { rounds }] of [...open]) {
        if (all || rounds.length >= BLOCK_ROUNDS || atMs - (rounds[0]?.atMs ?? atMs) >= BLOCK_MS) close(endpoint);
      }
      for (const [endpoint, { atMs: lastMs }] of newest)
        if (!open.has(endpoint) && atMs - lastMs >= BLOCK_MS) newest.delete(endpoint);
    },
  };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
