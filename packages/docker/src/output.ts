/**
 * What a container wrote. Docker sends frames: a byte that tells the stream, three of nothing, the length as 32 bits, big
 * end first, then one entry of the log with its time before it. An entry is a line, or a piece of a line that is too long
 * for its buffer of 16 KiB.
 */
import type { OutputLine, OutputRange } from '@reactor/core';
import { ReactorError } from '@reactor/core';
import type { Connection } from './connection.js';
import { refusal } from './failure.js';
import type { Limits } from './limits.js';
import { MAX_LINE_BYTES, MAX_OUTPUT_LINE_BYTES } from './limits.js';

export async function* readOutput(
  connection: Connection,
  limits: Limits,
  containerId: string,
  range: OutputRange,
  signal: AbortSignal,
): AsyncGenerator<OutputLine, void, void> {
  const query = {
    stdout: 1,
    stderr: 1,
    timestamps: 1,
    tail: range.tail,
    ...(range.follow ? { follow: 1 } : {}),
    ...(range.sinceMs === null ? {} : { since: (range.sinceMs / 1000).toFixed(3) }),
  };
  try {
    const path = `/containers/${containerId}/logs`;
    const opened = await connection.open({ method: 'GET', path, query, deadlineMs: limits.readMs, signal });
    if (!('json' in opened)) yield* outputLines(opened);
    else if (opened.status !== 404) throw refusal(opened, `read the output of container ${containerId.slice(0, 12)}`);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ReactorError) throw error;
    throw new ReactorError('docker_unavailable', `the output of container ${containerId.slice(0, 12)} broke off`, {
      cause: error,
    });
  }
}

const STREAMS = ['stdout', 'stdout', 'stderr'] as const;
const HEAD_BYTES = 8;

interface Pending {
  readonly atMs: number;
  readonly pieces: readonly Buffer[];
  readonly bytes: number;
}

/** The lines of a stream of frames; pieces of a long line are put together up to MAX_OUTPUT_LINE_BYTES. */
export async function* outputLines(stream: AsyncIterable<Buffer>): AsyncGenerator<OutputLine, void, void> {
  const pending = new Map<OutputLine['stream'], Pending>();
  const lineOf = (name: OutputLine['stream'], { atMs, pieces }: Pending): OutputLine => ({
    atMs,
    stream: name,
    text: Buffer.concat(pieces)
      .toString('utf8')
      .replace(/\r?\n$/, ''),
  });
  for await (const { name, payload } of frames(stream)) {
    const space = payload.indexOf(0x20);
    const before = pending.get(name);
    const piece = payload.subarray(space + 1);
    const line: Pending = {
      atMs: before?.atMs ?? timeOf(payload.toString('latin1', 0, Math.max(0, space))),
      pieces: [...(before?.pieces ?? []), piece],
      bytes: (before?.bytes ?? 0) + piece.length,
    };
    if (piece.at(-1) === 0x0a || line.bytes >= MAX_OUTPUT_LINE_BYTES) {
      pending.delete(name);
      yield lineOf(name, line);
    } else pending.set(name, line);
  }
  // A program that ended in the middle of a line.
  for (const [name, line] of pending) yield lineOf(name, line);
}

/** Docker always writes one; a time that cannot be read must not cost the line. */
function timeOf(stamp: string): number {
  const atMs = Date.parse(stamp);
  return Number.isNaN(atMs) ? 0 : atMs;
}

async function* frames(
  stream: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly name: OutputLine['stream']; readonly payload: Buffer }, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEAD_BYTES) {
      const name = STREAMS[rest[0] ?? 0];
      const length = rest.readUInt32BE(4);
      if (name === undefined || length > MAX_LINE_BYTES) throw new Error('the output does not come in frames');
      if (rest.length < HEAD_BYTES + length) break;
      yield { name, payload: rest.subarray(HEAD_BYTES, HEAD_BYTES + length) };
      rest = rest.subarray(HEAD_BYTES + length);
    }
  }
}
