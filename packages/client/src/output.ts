import { exchange, type Target } from './exchange.js';
import { followRows, readRow } from './follow.js';
import type { OutputRange, OutputRow } from './wire.js';

/** What an endpoint's containers wrote, on every host: once, or as it comes until the signal aborts. */
export async function* readOutput(target: Target, path: string, range: OutputRange): AsyncGenerator<OutputRow, void, void> {
  const first = (['tail', 'since'] as const).flatMap((name) => (range[name] === undefined ? [] : [`${name}=${range[name]}`]));
  if (range.follow === true) {
    yield* followed(target, path, first, range.signal);
    return;
  }
  const asked = `${path}${first.length === 0 ? '' : `?${first.join('&')}`}`;
  const { text } = await exchange(target, { method: 'GET', path: asked, accept: 'application/x-ndjson' });
  for (const line of text.split('\n')) if (line !== '') yield readRow(line, isRow, target);
}

/**
 * Rows of several hosts come nearly in order: clocks differ a little. So coming back begins a while before the newest row,
 * and what an instance had already said is passed over.
 */
const OVERLAP_S = 5;

async function* followed(
  target: Target,
  path: string,
  first: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<OutputRow, void, void> {
  const seen = new Map<string, number>();
  let newest = 0;
  let until = new Map<string, number>();
  const query = (last: OutputRow | null): readonly string[] => {
    until = new Map(seen);
    return last === null ? first : [`since=${Math.max(0, newest - OVERLAP_S).toFixed(3)}`, `tail=${EVERYTHING}`];
  };
  for await (const row of followRows(target, { path, query, isRow }, signal)) {
    const [seconds, instance, stream] = row;
    if (stream !== 'note') {
      if (seconds <= (until.get(instance) ?? 0)) continue;
      newest = Math.max(newest, seconds);
      seen.set(instance, Math.max(seen.get(instance) ?? 0, seconds));
    }
    yield row;
  }
}

/** The most that may be asked for. */
const EVERYTHING = 10_000;

const isRow = (row: unknown): row is OutputRow =>
  Array.isArray(row) && typeof row[0] === 'number' && row.length === 5 && row.slice(1).every((part) => typeof part === 'string');
