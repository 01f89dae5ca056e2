import {
  type Clock,
  type DecisionReport,
  describeError,
  type Plan,
  type RecordedBlock,
  type StateStore,
  startLoop,
  TOPICS,
} from '@reactor/core';
import { type HistoryOptions, openHistoryFiles } from './history-files.js';
import { createHistoryRecorder } from './history-recorder.js';

/** The metric history that this host keeps, whoever leads. */
export interface History {
  /** To be told of every round that this host makes. */
  planned(made: Plan): void;
  /** What is recorded of an endpoint in [sinceMs, untilMs], oldest first. */
  blocks(endpoint: string, sinceMs: number, untilMs: number): Generator<RecordedBlock, void, void>;
  close(): Promise<void>;
}

/** Where another host leads, what it publishes is looked at so often. */
const FOLLOW_MS = 10_000;

export function startHistory(options: HistoryOptions & { readonly store: StateStore; readonly clock: Clock }): History {
  const { store, clock, log } = options;
  const files = openHistoryFiles(options);
  const recorder = createHistoryRecorder(files, options.now);
  const stopping = new AbortController();
  let plannedMs = Number.NEGATIVE_INFINITY;
  const observe = (reports: readonly DecisionReport[]): void => {
    if (options.limitBytes > 0) recorder.observe(reports);
  };

  const loop = startLoop({
    clock,
    signal: stopping.signal,
    intervalMs: FOLLOW_MS,
    minGapMs: 0,
    round: async () => {
      if (options.now() - plannedMs >= FOLLOW_MS) {
        const published = [...(await store.latest(TOPICS.decisions)).values()] as unknown as readonly DecisionReport[];
        observe(published);
      }
      recorder.flush();
      await files.tidy();
    },
    // The controller's own rounds say that the state is away.
    failed: (error) => log('info', `history: nothing to record: ${describeError(error)}`),
  });

  return {
    planned: (made) => {
      plannedMs = options.now();
      observe(made.endpoints.map(({ report }) => report));
    },
    *blocks(endpoint, sinceMs, untilMs) {
      yield* files.read(endpoint, sinceMs, untilMs);
      const pending = recorder.pending(endpoint);
      if (pending === null) return;
      const [firstMs, lastMs] = [pending.rounds[0]?.atMs ?? 0, pending.rounds.at(-1)?.atMs ?? 0];
      if (lastMs >= sinceMs && firstMs <= untilMs) yield { firstMs, lastMs, read: () => pending };
    },
    close: async () => {
      stopping.abort();
      await loop.done;
      recorder.flush(true);
    },
  };
}
