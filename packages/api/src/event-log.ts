import { LOGS, type LogEntry, type LogLevel, ReactorError, type StateStore } from '@reactor/core';
import type { ApiContext } from './context.js';
import { lines, list, TEXT } from './json-schema.js';
import { liveEndpoint, managerName } from './names.js';
import { printable, quoted } from './offending-value.js';
import { pause } from './pause.js';
import { readFlag, readJson, readNumber } from './request-form.js';
import { ENDPOINT_OF_PATH, json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** Logs of endpoints and managers: read, followed and written to. A row is `[seconds, severity, message, seq, event]`. */

type Row = readonly [seconds: number, severity: string, message: string, seq: number, event: string];

/** More than any store keeps of a log, so that a follower is handed everything there is. */
const EVERYTHING = 10_000;
const DEFAULT_ROWS = 1_000;
/** Half a second is what a person waits for a line without noticing; each follower costs the store two reads a second. */
const FOLLOW_POLL_MS = 500;
/** Keeps proxies from closing a silent stream and lets both sides notice a dead one. */
const HEARTBEAT_MS = 15_000;
/** Then the follower comes back by itself; so a changed key locks out whoever was following, within ten minutes. */
const FOLLOW_LIMIT_MS = 600_000;
const POST_LIMIT = 2_000;
/** The end of the year 5138, in seconds. */
const LATEST_SINCE = 99_999_999_999;

const LOG = [list(shape('LogRow')), lines(shape('LogRow'))];

export const LOG_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/log', readEndpointLog, {
    summary: 'What happened to it',
    gives: LOG,
    query: ['since', 'after', 'limit', 'follow'],
    keeper: ENDPOINT_OF_PATH,
  }),
  route(['POST', 'PUT'], '/endpoints/:endpoint/log', postToLog, {
    summary: 'Write a line into its log',
    takes: TEXT,
    query: ['level'],
    keeper: ENDPOINT_OF_PATH,
  }),
  route('GET', '/managers/log/:manager', readManagerLog, {
    summary: 'What happened to a manager',
    gives: LOG,
    query: ['since', 'after', 'limit', 'follow'],
  }),
];

async function readEndpointLog(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name } = await liveEndpoint(request, context);
  return readLog(LOGS.endpoint(name), request, context);
}

async function readManagerLog(request: RouteRequest, context: ApiContext): Promise<Reply> {
  return readLog(LOGS.manager(managerName(request)), request, context);
}

async function readLog(log: string, { query, signal }: RouteRequest, context: ApiContext): Promise<Reply> {
  const since = readNumber(query, 'since', { limit: LATEST_SINCE, fraction: true });
  const after = readNumber(query, 'after', { limit: Number.MAX_SAFE_INTEGER, fraction: false }) ?? 0;
  const limit = readNumber(query, 'limit', { limit: DEFAULT_ROWS, fraction: false }) ?? DEFAULT_ROWS;
  const follow = readFlag(query, 'follow');
  const start = follow ? await resumable(context.store, log, after) : after;
  const entries = await context.store.tail(log, start, EVERYTHING);
  const asked = entries.filter((entry) => since === null || entry.atMs / 1000 > since);
  const shown = limit === 0 ? [] : asked.slice(-limit);
  if (!follow) return json(shown.map(rowOf));
  // From the entries read, not from those shown: what is appended meanwhile must come next.
  const position = entries.at(-1)?.seq ?? start;
  return { kind: 'lines', lines: followed({ context, log, signal, first: gapBefore(shown, start, query), position }) };
}

/** A follower that knows more than the log holds followed a log that is no more: it starts over. */
async function resumable(store: StateStore, log: string, after: number): Promise<number> {
  if (after === 0) return 0;
  const [newest] = await store.tail(log, 0, 1);
  return after > (newest?.seq ?? 0) ? 0 : after;
}

/** Rows to begin with; when the log has already dropped some that the follower has not seen, it is told so. */
function gapBefore(entries: readonly LogEntry[], after: number, query: ReadonlyMap<string, string>): readonly Row[] {
  const rows = entries.map(rowOf);
  const first = entries[0];
  if (first === undefined || after === 0 || query.has('limit') || query.has('since') || first.seq === after + 1) return rows;
  return [gapRow(first, after), ...rows];
}

function gapRow(next: LogEntry, after: number): Row {
  const message = `${next.seq - after - 1} older entries are no longer kept`;
  return [next.atMs / 1000, 'WARNING', message, next.seq - 1, 'LOG_GAP'];
}

interface Followed {
  readonly context: ApiContext;
  readonly log: string;
  readonly signal: AbortSignal;
  readonly first: readonly Row[];
  readonly position: number;
}

/** Lines until the client leaves, the server closes or the time is up. The reader's pace sets ours, so nothing piles up. */
async function* followed({ context, log, signal, first, position }: Followed): AsyncGenerator<string, void, void> {
  const release = context.follow();
  const endMs = context.now() + FOLLOW_LIMIT_MS;
  let after = position;
  let saidMs = context.now();
  try {
    // At least a blank line at once: it carries the headers, so the follower knows that the connection stands.
    yield first.length === 0 ? '\n' : first.map(lineOf).join('');
    // Without a place among the followers the stream ends here; the client comes back and so asks now and then.
    while (release !== null && !signal.aborted && context.now() < endMs) {
      await pause(FOLLOW_POLL_MS, signal);
      if (signal.aborted) return;
      const entries = await entriesAfter(context.store, log, after);
      const [next] = entries;
      if (next !== undefined) {
        yield (next.seq > after + 1 ? lineOf(gapRow(next, after)) : '') + entries.map((entry) => lineOf(rowOf(entry))).join('');
        after = entries.at(-1)?.seq ?? after;
        saidMs = context.now();
      } else if (context.now() - saidMs >= HEARTBEAT_MS) {
        yield '\n';
        saidMs = context.now();
      }
    }
  } finally {
    release?.();
  }
}

/** An outage of the store only delays what is new: nothing is lost by asking again. */
async function entriesAfter(store: StateStore, log: string, after: number): Promise<readonly LogEntry[]> {
  try {
    return await store.tail(log, after, EVERYTHING);
  } catch (error) {
    if (error instanceof ReactorError && error.retryable) return [];
    throw error;
  }
}

function rowOf(entry: LogEntry): Row {
  return [entry.atMs / 1000, entry.level.toUpperCase(), entry.message, entry.seq, entry.event];
}

const lineOf = (row: Row): string => `${JSON.stringify(row)}\n`;

// ------------------------------------------------------------------------------------------------------------ user events

/** As words, and as the numbers of 2013. */
const LEVELS: ReadonlyMap<string, LogLevel> = new Map([
  ['info', 'info'],
  ['warning', 'warning'],
  ['error', 'error'],
  ['0', 'info'],
  ['1', 'warning'],
  ['2', 'error'],
]);

async function postToLog(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const given = request.query.get('level') ?? 'info';
  const level = LEVELS.get(given.toLowerCase());
  if (level === undefined)
    throw new ReactorError('request_invalid', `level: expected info, warning or error, got ${quoted(given)}`);
  const text = readJson(request.body);
  if (typeof text !== 'string' || text.trim() === '')
    throw new ReactorError('request_invalid', 'expected a JSON string with the text');
  // Measured as it will be stored: escapes make it longer.
  const message = printable(text.trim());
  if (message.length > POST_LIMIT) throw new ReactorError('too_large', `the text is longer than ${POST_LIMIT} characters`);
  const { name } = await liveEndpoint(request, context);
  await context.store.append(LOGS.endpoint(name), [{ atMs: context.now(), level, event: 'USER_EVENT', message }]);
  return json({});
}
