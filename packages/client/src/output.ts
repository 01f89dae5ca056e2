import { exchange, type Target } from './exchange.js';
import { followRows, readRow } from './follow.js';
import type { OutputRange, OutputRow } from './wire.js';

/** What an endpoint's containers on the daemon's host wrote: once, or as it comes until the signal aborts. */
export async function* readOutput(target: Target, path: string, range: OutputRange): AsyncGenerator<OutputRow, void, void> {
  const first = (['tail', 'since'] as const).flatMap((name) => (range[name] === undefined ? [] : [`${name}=${range[name]}`]));
  if (range.follow === true) {
    // The daemon's times are whole milliseconds, so what is newer than the last row begins with the next one.
    const query = (last: OutputRow | null): readonly string[] =>
      last === null ? first : [`since=${(last[0] + 0.001).toFixed(3)}`, `tail=${EVERYTHING}`];
    yield* followRows(target, { path, query, isRow }, range.signal);
    return;
  }
  const asked = `${path}${first.length === 0 ? '' : `?${first.join('&')}`}`;
  const { text } = await exchange(target, { method: 'GET', path: asked, accept: 'application/x-ndjson' });
  for (const line of text.split('\n')) if (line !== '') yield readRow(line, isRow, target);
}

/** The most that may be asked for. */
const EVERYTHING = 10_000;

const isRow = (row: unknown): row is OutputRow =>
  Array.isArray(row) && typeof row[0] === 'number' && row.slice(1, 4).every((part) => typeof part === 'string');
