import { ReactorError } from '@reactor/core';
import { answeredError, connectionError, open, readAll, type Target } from './exchange.js';
import type { LogRange, LogRow } from './wire.js';

/**
 * Follows a log and comes back after every break. Rows are numbered, so coming back means asking for those after the
 * last one seen: none is lost, none comes twice, and a line cut in the middle is simply sent again.
 */

/** The server sends a blank line every 15 s; three missing ones mean the connection is dead. */
const SILENCE_LIMIT_MS = 45_000;
const FIRST_PAUSE_MS = 250;
/** A daemon restarts in a second or two; asking more rarely than this would be noticed by the one who watches. */
const LONGEST_PAUSE_MS = 5_000;
/** A row is a line of at most a few kB; more without an end of line is not a log of Reactor. */
const LINE_LIMIT = 262_144;

export interface FollowOptions extends LogRange {
  readonly signal?: AbortSignal;
}

/** The log of `path` as it grows. */
export function followLog(target: Target, path: string, options: FollowOptions): AsyncGenerator<LogRow, void, void> {
  const query = (last: LogRow | null): readonly string[] => (last === null ? rangeParameters(options) : [`after=${last[3]}`]);
  return followRows(target, { path, query, isRow: isLogRow }, options.signal);
}

export interface Followed<Row> {
  readonly path: string;
  /** What to ask for, `name=value` each, after the last row that was seen. */
  readonly query: (last: Row | null) => readonly string[];
  readonly isRow: (value: unknown) => value is Row;
}

/** Ends when the signal aborts. Throws when the first connection fails, and later only for what cannot pass by itself. */
export async function* followRows<Row>(
  target: Target,
  { path, query, isRow }: Followed<Row>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Row, void, void> {
  let last: Row | null = null;
  let met = false;
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal?.aborted) {
    try {
      for await (const row of connection(target, `${path}?${['follow=1', ...query(last)].join('&')}`, isRow, signal)) {
        met = true;
        pauseMs = FIRST_PAUSE_MS;
        if (row === 'open') continue;
        last = row;
        yield row;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!met || !(error instanceof ReactorError) || !error.retryable) throw error;
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** A range as query parameters, `name=value` each. */
export function rangeParameters(range: LogRange | undefined): readonly string[] {
  return (['since', 'after', 'limit'] as const)
    .filter((name) => range?.[name] !== undefined)
    .map((name) => `${name}=${range?.[name]}`);
}

/** One connection: `open` once it stands, then its rows, until the server ends it. */
async function* connection<Row>(
  target: Target,
  path: string,
  isRow: Followed<Row>['isRow'],
  signal: AbortSignal | undefined,
): AsyncGenerator<Row | 'open', void, void> {
  const { response, sent } = await open(target, { method: 'GET', path, accept: 'application/x-ndjson' }, signal);
  const status = response.statusCode ?? 0;
  if (status !== 200) throw answeredError(target, status, await readAll(response, target));
  sent.setTimeout(SILENCE_LIMIT_MS);
  yield 'open';
  let rest = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_LIMIT) throw new ReactorError('request_invalid', `${target.api} sends no log of Reactor`);
      for (const line of lines) if (line !== '') yield readRow(line, isRow, target);
    }
  } catch (error) {
    throw connectionError(target, error);
  } finally {
    response.destroy();
  }
}

export function readRow<Row>(line: string, isRow: Followed<Row>['isRow'], target: Target): Row {
  const row = parsedLine(line);
  if (isRow(row)) return row;
  throw new ReactorError('request_invalid', `${target.api} sends no log of Reactor`);
}

const isLogRow = (row: unknown): row is LogRow => Array.isArray(row) && typeof row[0] === 'number' && typeof row[3] === 'number';

function parsedLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}
