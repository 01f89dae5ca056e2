import { type Recording, readRecording } from '@reactor/core';
import { get, pathOf } from './call.js';
import { exchange, type Target } from './exchange.js';
import type { HistoryAnswer } from './wire.js';

/** What the asked daemon's host has recorded of an endpoint. */
export interface HistoryCalls {
  history(name: string, range: HistoryRange & { readonly points?: number }): Promise<HistoryAnswer>;
  /** In full, oldest first; a piece at a time, for a week is long. What is of a form that this version does not know is left out. */
  recording(name: string, range: HistoryRange): AsyncIterable<Recording>;
}

export interface HistoryRange {
  readonly sinceMs: number;
  readonly untilMs: number;
}

const PIECE_MS = 6 * 3_600_000;

export function historyCalls(target: Target): HistoryCalls {
  return {
    history: (name, { sinceMs, untilMs, points }) => {
      const asked = `since=${Math.floor(sinceMs)}&until=${Math.ceil(untilMs)}${points === undefined ? '' : `&points=${points}`}`;
      return get(target, pathOf(name, `history?${asked}`));
    },
    recording: (name, range) => recordingsOf(target, name, range),
  };
}

async function* recordingsOf(target: Target, name: string, { sinceMs, untilMs }: HistoryRange): AsyncGenerator<Recording> {
  let newestMs = Number.NEGATIVE_INFINITY;
  for (let fromMs = Math.floor(sinceMs); fromMs < untilMs; fromMs += PIECE_MS) {
    const toMs = Math.min(Math.ceil(untilMs), fromMs + PIECE_MS);
    const path = pathOf(name, `recording?since=${fromMs}&until=${toMs}`);
    const { text } = await exchange(target, { method: 'GET', path, accept: 'application/x-ndjson' });
    for (const line of text.split('\n')) {
      const recording = line === '' ? null : readRecording(line);
      const endMs = recording?.rounds.at(-1)?.atMs ?? newestMs;
      // A block that reaches over two pieces is in both.
      if (recording === null || endMs <= newestMs) continue;
      newestMs = endMs;
      yield recording;
    }
  }
}
