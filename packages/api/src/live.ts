import {
  endpointCalled,
  LOGS,
  type LogEntry,
  postedReports,
  ReactorError,
  type StateStore,
  TOPICS,
  trafficOfHosts,
} from '@reactor/core';
import type { Reading } from './last-view.js';
import { endpointRows, type LiveFacts, overviewRows, type Rows, troubleRow } from './live-views.js';
import { pause } from './pause.js';

/**
 * What open pages see, as server-sent events. A board is a set of rows, one of the cluster and one per endpoint that somebody
 * looks at. However many follow, a board is made once for all of them, at most twice a second: whoever comes first looks for
 * all. A follower that has seen the board before this one is sent the rows that differ, everybody else the whole, so that
 * nothing is kept per follower, and one that reads slowly only skips boards.
 */
export interface Live {
  /** The cluster's board, and that of an endpoint, until the signal aborts, the key changes or its time is up. */
  follow(endpoint: string | null, signal: AbortSignal): AsyncIterable<string>;
}

export interface LiveOptions {
  /** A view of the state for one look, which may be an old one. */
  readonly reading: () => Reading;
  readonly now: () => number;
  readonly version: string;
  readonly host: string;
  readonly health: () => { readonly problems: readonly string[] };
  /** A place among the bounded number of followers; null when all are taken. */
  readonly place: () => (() => void) | null;
}

/** A person sees half a second as at once. Paced by a clock that nobody sets, as all times here but those that are shown. */
const LOOK_MS = 500;
/** So often a follower hears something, so that it notices when it hears nothing. */
const BEAT_MS = 5_000;
/** Then the follower comes back by itself, and shows its key or its login again. */
const FOLLOW_LIMIT_MS = 600_000;
/** How soon a browser that lost its stream asks again, and one for which there was no place. */
const RETRY_MS = 1_000;
const CROWDED_RETRY_MS = 10_000;
/** Newest lines of the log on an endpoint's board. */
const LOG_LINES = 200;

interface Board {
  /** `overview`, or `endpoint`. */
  readonly event: string;
  readonly endpoint: string | null;
  followers: number;
  /** 0 before the first look. */
  version: number;
  rows: Rows;
  /** From the version before. */
  patch: string;
  /** Made when somebody needs it. */
  whole: string | null;
  log: readonly LogEntry[];
}

export function createLive(options: LiveOptions): Live {
  const boards = new Map<string | null, Board>();
  let lookedMs = Number.NEGATIVE_INFINITY;
  let lock: string | null = null;
  let looking: Promise<void> | null = null;

  const lookAround = async (): Promise<void> => {
    const { context, staleSinceMs } = options.reading();
    try {
      const { cluster, settings } = await context.moment();
      const published = await context.store.latest(TOPICS.traffic);
      const decisions = await context.store.latest(TOPICS.decisions);
      lock = settings.settings.auth?.hash ?? null;
      const { version, host, health } = options;
      const facts: LiveFacts = {
        ...{ cluster, decisions, version, host, problems: health().problems },
        traffic: trafficOfHosts(published),
        posted: postedReports(published),
        nowMs: options.now(),
        staleSinceMs: staleSinceMs(),
      };
      for (const board of boards.values()) {
        if (board.endpoint === null) advance(board, overviewRows(facts));
        else {
          const stored = endpointCalled(cluster, board.endpoint)?.value.name;
          board.log = stored === undefined ? [] : await newestLines(context.store, stored, board.log);
          advance(board, endpointRows(board.endpoint, facts, board.log));
        }
      }
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      // Without any view there is only this to tell.
      for (const board of boards.values()) if (board.endpoint === null) advance(board, troubleRow(board.rows, error));
    }
    lookedMs = performance.now();
  };
  const look = (): Promise<void> => {
    looking ??= lookAround().finally(() => {
      looking = null;
    });
    return looking;
  };

  const join = (endpoint: string | null): Board => {
    const fresh: Board = {
      ...{ event: endpoint === null ? 'overview' : 'endpoint', endpoint, followers: 0, version: 0 },
      ...{ rows: new Map(), patch: '', whole: null, log: [] },
    };
    const board = boards.get(endpoint) ?? fresh;
    boards.set(endpoint, board);
    board.followers++;
    return board;
  };
  const leave = (board: Board): void => {
    board.followers--;
    if (board.followers === 0) boards.delete(board.endpoint);
  };

  return {
    async *follow(endpoint, signal) {
      const release = options.place();
      const mine = [join(null), ...(endpoint === null ? [] : [join(endpoint)])].map((board) => ({ board, seen: 0 }));
      const endMs = performance.now() + FOLLOW_LIMIT_MS;
      let saidMs = performance.now();
      try {
        yield `retry: ${release === null ? CROWDED_RETRY_MS : RETRY_MS}\n\n`;
        if (mine.some(({ board }) => board.version === 0)) await look();
        const key = lock;
        while (!signal.aborted && lock === key) {
          const news = mine.map(({ board, seen }) => newsOf(board, seen)).join('');
          for (const each of mine) each.seen = each.board.version;
          if (news !== '' || performance.now() - saidMs >= BEAT_MS) {
            yield news === '' ? 'event: beat\ndata:\n\n' : news;
            saidMs = performance.now();
          }
          if (release === null || performance.now() >= endMs) return;
          await pause(LOOK_MS, signal);
          // Somebody else may have looked meanwhile.
          if (performance.now() - lookedMs >= LOOK_MS / 2 || mine.some(({ board }) => board.version === 0)) await look();
        }
      } finally {
        for (const { board } of mine) leave(board);
        release?.();
      }
    },
  };
}

function advance(board: Board, rows: Rows): void {
  const changed = [...rows].filter(([key, text]) => board.rows.get(key) !== text);
  const gone = [...board.rows.keys()].filter((key) => !rows.has(key));
  if (board.version > 0 && changed.length === 0 && gone.length === 0) return;
  board.rows = rows;
  board.version++;
  board.patch = eventOf(board, false, changed, gone);
  board.whole = null;
}

function newsOf(board: Board, seen: number): string {
  if (seen === board.version) return '';
  if (seen > 0 && seen === board.version - 1) return board.patch;
  board.whole ??= eventOf(board, true, [...board.rows], []);
  return board.whole;
}

/** JSON has no line breaks of its own, so each event is one line of data. */
function eventOf(board: Board, whole: boolean, rows: readonly (readonly [string, string])[], gone: readonly string[]): string {
  const texts = rows.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',');
  const data = `{"name":${JSON.stringify(board.endpoint)},"whole":${whole},"rows":{${texts}},"gone":${JSON.stringify(gone)}}`;
  return `event: ${board.event}\ndata: ${data}\n\n`;
}

/** While the state is away the lines known so far stay. */
async function newestLines(store: StateStore, endpoint: string, known: readonly LogEntry[]): Promise<readonly LogEntry[]> {
  try {
    const fresh = await store.tail(LOGS.endpoint(endpoint), known.at(-1)?.seq ?? 0, LOG_LINES);
    return fresh.length === 0 ? known : [...known, ...fresh].slice(-LOG_LINES);
  } catch (error) {
    if (error instanceof ReactorError) return known;
    throw error;
  }
}
