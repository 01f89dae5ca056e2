import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { hasCode } from '@reactor/core';

/**
 * The file that haproxy's workers append one line per request to. It is read to its end every time, and emptied in place
 * when it is large: the workers append, so they go on at its new beginning. Read synchronously, for what comes between the
 * last byte read and the emptying would be lost.
 */
export interface LogLine {
  readonly backend: string;
  readonly server: string;
  readonly status: number;
  readonly bytes: number;
  /** Until the answer was complete; below 0 when none began. */
  readonly upstreamMs: number;
  /** haproxy's own letter for who ended it: `S` or `s` is the server. */
  readonly endedBy: string;
  readonly endedIn: string;
}

const CHUNK_BYTES = 256 * 1024;
const LIMIT_BYTES = 64 * 2 ** 20;
/** As haproxy writes it: backend, server, status, bytes, time to the answer, time of it, how it ended, tries. */
const LINE = /^(r[0-9a-f]{12})\t([^\t]+)\t(\d{3}|-|-1)\t(\d+)\t(-?\d+)\t(-?\d+)\t(.)(.)\S*\t\+?\d+$/;

export class AccessLog {
  readonly #path: string;
  readonly #limitBytes: number;
  #position: number | null = null;
  #rest = '';

  constructor(path: string, limitBytes = LIMIT_BYTES) {
    this.#path = path;
    this.#limitBytes = limitBytes;
  }

  /** Every line since the last call; the first call only finds the end. */
  read(each: (line: LogLine) => void): void {
    let file: number;
    try {
      file = openSync(this.#path, constants.O_RDWR);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) {
        this.#position = 0;
        return;
      }
      throw error;
    }
    try {
      this.#readFrom(file, each);
    } finally {
      closeSync(file);
    }
  }

  #readFrom(file: number, each: (line: LogLine) => void): void {
    const { size } = fstatSync(file);
    // Shorter than it was: somebody else has emptied it.
    const from = this.#position === null ? size : Math.min(this.#position, size);
    this.#position = from;
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const bytes = readSync(file, buffer, 0, buffer.length, this.#position);
      if (bytes === 0) break;
      this.#position += bytes;
      this.#take(buffer.toString('latin1', 0, bytes), each);
    }
    if (this.#position < this.#limitBytes) return;
    ftruncateSync(file, 0);
    this.#position = 0;
  }

  #take(text: string, each: (line: LogLine) => void): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!.slice(-4_096);
    for (const text of lines) {
      const line = parseLine(text);
      if (line !== null) each(line);
    }
  }
}

/** Null for what is not ours: haproxy also says there that a server is up. */
export function parseLine(text: string): LogLine | null {
  const match = LINE.exec(text);
  if (match === null) return null;
  const [, backend, server, status, bytes, first, rest, endedBy, endedIn] = match;
  const upstreamMs = Number(first) < 0 ? -1 : Number(first) + Math.max(0, Number(rest));
  const code = status!.startsWith('-') ? 0 : Number(status);
  return {
    backend: backend!,
    server: server!,
    status: code,
    bytes: Number(bytes),
    upstreamMs,
    endedBy: endedBy!,
    endedIn: endedIn!,
  };
}
