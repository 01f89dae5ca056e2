import type {
  LiveCluster,
  LiveDecision,
  LiveEndpointRow,
  LiveEvent,
  LiveHostRow,
  LiveInstance,
  LiveLogEntry,
  LiveMetrics,
  LiveStatus,
} from '@reactor/client';

/** The rows that the server told last, and what is kept of them over time. Pure. */

export type Board = ReadonlyMap<string, unknown>;

export const EMPTY_BOARD: Board = new Map();

export function advance(board: Board, event: LiveEvent): Board {
  const next = new Map(event.whole ? [] : board);
  for (const key of event.gone) next.delete(key);
  for (const [key, row] of Object.entries(event.rows)) next.set(key, row);
  return next;
}

/** The rows of one kind, in the order of their names. */
function rowsOf<T>(board: Board, kind: string): readonly T[] {
  const found = [...board].filter(([key]) => key.startsWith(`${kind}/`));
  return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row as T);
}

export const clusterOf = (board: Board): LiveCluster | null => (board.get('cluster') as LiveCluster | undefined) ?? null;
export const endpointsOf = (board: Board): readonly LiveEndpointRow[] => rowsOf(board, 'endpoint');
export const hostsOf = (board: Board): readonly LiveHostRow[] => rowsOf(board, 'host');
export const statusOf = (board: Board): LiveStatus | null => (board.get('status') as LiveStatus | undefined) ?? null;
export const metricsOf = (board: Board): LiveMetrics | null => (board.get('metrics') as LiveMetrics | undefined) ?? null;
export const decisionOf = (board: Board): LiveDecision | null => (board.get('decision') as LiveDecision | undefined) ?? null;
export const instancesOf = (board: Board): readonly LiveInstance[] => rowsOf(board, 'instance');
/** Newest first. */
export const logOf = (board: Board): readonly LiveLogEntry[] =>
  [...rowsOf<LiveLogEntry>(board, 'log')].sort((a, b) => b.seq - a.seq);

// ------------------------------------------------------------------------------------------------------------- over time

/** An hour at a point a second. */
const POINTS_MAX = 3_600;

/** Each moment once, in order: after a reconnection the server may tell one again. */
export function withPoint(points: readonly LiveMetrics[], point: LiveMetrics | null): readonly LiveMetrics[] {
  if (point === null || point.atMs <= (points.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY)) return points;
  return [...points, point].slice(-POINTS_MAX);
}

/** What was recorded before the page was opened, and what it has heard since. */
export function joined(past: readonly LiveMetrics[], heard: readonly LiveMetrics[]): readonly LiveMetrics[] {
  const since = heard[0]?.atMs ?? Number.POSITIVE_INFINITY;
  return [...past.filter(({ atMs }) => atMs < since), ...heard];
}

/** As many as a sparkline has room for, one a second. */
export const RATES_MAX = 90;

export function withRates(
  known: ReadonlyMap<string, readonly number[]>,
  endpoints: readonly LiveEndpointRow[],
): ReadonlyMap<string, readonly number[]> {
  return new Map(endpoints.map(({ name, rate }) => [name, [...(known.get(name) ?? []), rate ?? 0].slice(-RATES_MAX)] as const));
}

/** Those of before, in front of those that were heard. */
export function withPastRates(
  known: ReadonlyMap<string, readonly number[]>,
  name: string,
  past: readonly number[],
): ReadonlyMap<string, readonly number[]> {
  return new Map([...known, [name, [...past, ...(known.get(name) ?? [])].slice(-RATES_MAX)]]);
}

/** What is drawn on the time axis beside the lines. */
export interface Mark {
  readonly atMs: number;
  readonly kind: 'drain' | 'recommission' | 'start' | 'failure';
  readonly text: string;
}

const MARKS: Readonly<Record<string, Mark['kind']>> = {
  DECOMMISSION_INSTANCE: 'drain',
  RECOMMISSION_INSTANCE: 'recommission',
  LAUNCH_INSTANCE: 'start',
  ERROR_INSTANCE: 'failure',
};

export function marksOf(log: readonly LiveLogEntry[]): readonly Mark[] {
  return log.flatMap(({ atMs, event, message }) => {
    const kind = MARKS[event];
    return kind === undefined ? [] : [{ atMs, kind, text: message }];
  });
}
