import { ReactorError, type RecordedBlock, writeRecording } from '@reactor/core';
import type { ApiContext } from './context.js';
import { historyPoints } from './history-points.js';
import { lines } from './json-schema.js';
import { liveEndpoint } from './names.js';
import { readNumber } from './request-form.js';
import { ENDPOINT_OF_PATH, json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/**
 * What this daemon's host has recorded of an endpoint, times in Unix milliseconds: `history` as points to draw, `recording`
 * in full, a line of JSON per block, to decide it again.
 */
export const HISTORY_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/history', showHistory, {
    summary: 'What was measured and decided, as points to draw',
    gives: shape('History'),
    query: ['since', 'until', 'points'],
    keeper: ENDPOINT_OF_PATH,
  }),
  route('GET', '/endpoints/:endpoint/recording', showRecording, {
    summary: 'The same in full, to decide it again',
    gives: lines(shape('Recording')),
    query: ['since', 'until'],
    keeper: ENDPOINT_OF_PATH,
  }),
];

const DEFAULT_MS = 3_600_000;
const DEFAULT_POINTS = 300;
const POINTS_LIMIT = 5_000;

async function showHistory(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name } = await liveEndpoint(request, context);
  const range = rangeOf(request, context);
  const points = readNumber(request.query, 'points', { limit: POINTS_LIMIT, fraction: false }) ?? DEFAULT_POINTS;
  return json(await historyPoints(blocksOf(name, range, context), { ...range, points: Math.max(1, points) }));
}

async function showRecording(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name } = await liveEndpoint(request, context);
  return { kind: 'lines', lines: blockLines(blocksOf(name, rangeOf(request, context), context)) };
}

interface Range {
  readonly sinceMs: number;
  readonly untilMs: number;
}

function rangeOf({ query }: RouteRequest, { now }: ApiContext): Range {
  const untilMs = readNumber(query, 'until', { limit: Number.MAX_SAFE_INTEGER, fraction: false }) ?? now();
  const since = readNumber(query, 'since', { limit: Number.MAX_SAFE_INTEGER, fraction: false });
  const sinceMs = since ?? Math.max(0, untilMs - DEFAULT_MS);
  if (sinceMs < untilMs) return { sinceMs, untilMs };
  throw new ReactorError('request_invalid', `since: expected a moment before until (${untilMs}), got ${sinceMs}`);
}

/** Nothing where none is kept. */
const blocksOf = (name: string, { sinceMs, untilMs }: Range, { history }: ApiContext): Iterable<RecordedBlock> =>
  history?.blocks(name, sinceMs, untilMs) ?? [];

async function* blockLines(blocks: Iterable<RecordedBlock>): AsyncGenerator<string, void, void> {
  for (const block of blocks) {
    const recording = block.read();
    if (recording !== null) yield `${writeRecording(recording)}\n`;
  }
}
