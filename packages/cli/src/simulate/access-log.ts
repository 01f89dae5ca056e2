import { binOf, type LoggedSecond, ReactorError } from '@reactor/core';
import { fileLines } from './file-lines.js';

/**
 * An access log as requests per second: nginx's combined format, which tells of requests, bytes and errors, or the log that
 * Reactor has its own nginx write, which also has the times of backends.
 */
export interface AccessLog {
  /** Ascending. */
  readonly seconds: readonly LoggedSecond[];
  /** Metrics it tells of. */
  readonly tells: ReadonlySet<string>;
  readonly requests: number;
  readonly lines: number;
  readonly badLines: number;
  /** Null when all could be read. */
  readonly firstBadLine: number | null;
}

/** A day of requests in each second is 86,400; eight days are what the daemon's own history holds at most. */
const SECONDS_LIMIT = 8 * 86_400;
const SHAPE = "nginx's combined format, or the log of Reactor's own nginx";
const COMBINED_TELLS = ['rate', 'bytes', 'errors'];
const OWN_TELLS = [...COMBINED_TELLS, 'response', 'active', 'p50', 'p90', 'p95', 'p99'];

interface Request {
  readonly second: number;
  readonly bytes: number;
  readonly error: boolean;
  /** Of the backend; null when none was reached, or the format does not tell. */
  readonly tookS: number | null;
}

/** `site`: the first field of Reactor's own lines, where the log has several sites; null takes the only one. */
export async function readAccessLog(path: string, site: string | null): Promise<AccessLog> {
  const seconds = new Map<number, Second>();
  const date = openDates();
  let [lines, badLines, requests, passedOver] = [0, 0, 0, 0];
  let firstBadLine: number | null = null;
  let own = false;
  let only = site;
  for await (const piece of fileLines(path)) {
    for (const line of piece) {
      lines += 1;
      const token = OWN.exec(line)?.[1] ?? null;
      only ??= token;
      if (token !== null && token !== only) {
        if (site === null)
          throw new ReactorError(
            'request_invalid',
            `${path}: line ${lines} is of another site than those before (${token}, ${only}); say which with --site`,
          );
        passedOver += 1;
        continue;
      }
      const request = token === null ? combined(line, date) : ownLine(line);
      if (request === null) {
        badLines += 1;
        firstBadLine ??= lines;
        continue;
      }
      own ||= token !== null;
      requests += 1;
      count(seconds, request, path);
    }
  }
  if (requests === 0) throw new ReactorError('request_invalid', nothingRead(path, { lines, passedOver, site }));
  const sorted = [...seconds.values()].sort((a, b) => a.second - b.second);
  const tells = new Set(own ? OWN_TELLS : COMBINED_TELLS);
  return { seconds: sorted.map(loggedSecond), tells, requests, lines, badLines, firstBadLine };
}

function nothingRead(
  path: string,
  seen: { readonly lines: number; readonly passedOver: number; readonly site: string | null },
): string {
  if (seen.lines === 0) return `${path}: the file is empty; expected lines in ${SHAPE}`;
  if (seen.passedOver > 0) return `${path}: none of its ${seen.lines} lines is of site ${seen.site}`;
  return `${path}: line 1 and all others cannot be read; expected ${SHAPE}`;
}

// ---------------------------------------------------------------------------------------------------------------- lines

const OWN = /^([0-9a-f]{12})\t/;
const OWN_FIELDS = 8;

/** token, msec, status, bytes, addresses, statuses, connect times, response times; the last attempt is the answer. */
function ownLine(line: string): Request | null {
  const fields = line.split('\t');
  const [, msec, , bytes, , statuses, connects, times] = fields;
  if (fields.length !== OWN_FIELDS || msec === undefined || bytes === undefined) return null;
  const second = Math.floor(Number(msec));
  if (!(second > 0) || !/^\d+$/.test(bytes)) return null;
  const [status, connect, took] = [lastOf(statuses), lastOf(connects), lastOf(times)];
  const reached = connect !== '-' && took !== '-';
  const tookS = reached ? Number(took) : null;
  if (tookS !== null && !(tookS >= 0)) return null;
  return { second, bytes: Number(bytes), error: reached && Number(status) >= 500, tookS };
}

const lastOf = (list = '-'): string => list.split(/, | : /).at(-1) ?? '-';

/** `address - user [21/Nov/2026:12:00:00 +0000] "request" status bytes "referrer" "agent"`; a quote in the request is escaped. */
function combined(line: string, date: (text: string) => number | null): Request | null {
  const open = line.indexOf(' [');
  const close = open + 2 + DATE_LENGTH;
  if (open < 0 || line.slice(close, close + 3) !== '] "') return null;
  const second = date(line.slice(open + 2, close));
  const end = line.indexOf('" ', close + 3);
  const [, status, bytes] = /^(\d{3}) (\d+|-)(?: |$)/.exec(end < 0 ? '' : line.slice(end + 2, end + 40)) ?? [];
  if (second === null || status === undefined) return null;
  return { second, bytes: bytes === '-' ? 0 : Number(bytes), error: Number(status) >= 500, tookS: null };
}

const DATE_LENGTH = '21/Nov/2026:12:00:00 +0000'.length;
const DATE = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{2})(\d{2})$/;

/** Unix seconds of a date; lines of one second come together, so the last one is remembered. */
function openDates(): (text: string) => number | null {
  let known: { readonly text: string; readonly second: number | null } = { text: '', second: null };
  return (text) => {
    if (text !== known.text) {
      const [, day, month, year, time, hours, minutes] = DATE.exec(text) ?? [];
      const ms = day === undefined ? Number.NaN : Date.parse(`${day} ${month} ${year} ${time} GMT${hours}${minutes}`);
      known = { text, second: Number.isNaN(ms) ? null : ms / 1000 };
    }
    return known.second;
  };
}

// -------------------------------------------------------------------------------------------------------------- seconds

/** Added up in place. */
interface Second {
  readonly second: number;
  requests: number;
  bytes: number;
  timed: number;
  seconds: number;
  errors: number;
  readonly times: Map<number, number>;
}

function count(seconds: Map<number, Second>, { second, bytes, error, tookS }: Request, path: string): void {
  let sum = seconds.get(second);
  if (sum === undefined) {
    if (seconds.size === SECONDS_LIMIT) throw new ReactorError('too_large', `${path}: more than eight days; cut it`);
    sum = { second, requests: 0, bytes: 0, timed: 0, seconds: 0, errors: 0, times: new Map() };
    seconds.set(second, sum);
  }
  sum.requests += 1;
  sum.bytes += bytes;
  if (error) sum.errors += 1;
  if (tookS === null) return;
  sum.timed += 1;
  sum.seconds += tookS;
  const bin = binOf(tookS);
  sum.times.set(bin, (sum.times.get(bin) ?? 0) + 1);
}

const loggedSecond = ({ times, ...sums }: Second): LoggedSecond => ({
  ...sums,
  times: [...times].sort(([a], [b]) => a - b).flat(),
});
