import { fstatSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { LogLines } from './log-line.js';

/** One log file, read forward through one handle. */
const CHUNK_BYTES = 256 * 1024;
/** Our longest line, 16 attempts over IPv6, is below 2 kB; more without a line feed is not ours. */
const LINE_LIMIT_BYTES = 8 * 1024;
/** What is compared to notice that a file was truncated and has grown past the position again; lines hold milliseconds. */
const FINGERPRINT_BYTES = 64;
/** One call reads no more, so that the daemon does other things between: about a quarter of a second. */
const CALL_LIMIT_BYTES = 64 * 1024 * 1024;
/** Workers write their buffers every 100 ms, so an older line may stand behind a newer one. */
const DISORDER_MS = 1_000;

const LF = 10;

export type DrainOutcome = 'quiet' | 'grew' | 'truncated';

export class LogFile {
  readonly #handle: FileHandle;
  readonly inode: number;
  /** Everything before it was read; the half line at the end of it is in `#half`. */
  #position = 0;
  #half: Buffer = Buffer.alloc(0);
  #fingerprint: Buffer = Buffer.alloc(0);
  /** In a line that is too long: everything up to the next line feed is dropped. */
  #skipping = false;
  sizeBytes = 0;

  constructor(handle: FileHandle, inode: number) {
    this.#handle = handle;
    this.inode = inode;
  }

  get lagBytes(): number {
    return Math.max(0, this.sizeBytes - this.#position);
  }

  /**
   * Stands at the first whole line of the last `bytes`. Answers since when (milliseconds) all lines are ahead of it: since
   * the file exists when it stands at its start, else since the first line it will read.
   */
  async standBeforeEnd(bytes: number, nowMs: number): Promise<number> {
    const { size, birthtimeMs } = await this.#handle.stat();
    this.sizeBytes = size;
    if (size <= bytes) return birthtimeMs > 0 ? Math.min(birthtimeMs, nowMs) : nowMs;
    const buffer = Buffer.alloc(2 * LINE_LIMIT_BYTES);
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, size - bytes);
    const lf = buffer.subarray(0, bytesRead).indexOf(LF);
    if (lf < 0) {
      this.#position = size;
      this.#skipping = true;
      return nowMs;
    }
    this.#position = size - bytes + lf + 1;
    const first = /^[0-9a-f]{12}\t([0-9]{1,11})\./.exec(buffer.toString('latin1', lf + 1, Math.min(bytesRead, lf + 33)));
    return first === null ? nowMs : Math.min(nowMs, Number(first[1]) * 1000 + DISORDER_MS);
  }

  /** Counts the whole lines that are new. */
  async drain(lines: LogLines, nowMs: number): Promise<DrainOutcome> {
    // Not through the thread pool: asked several times a second, the way there and back costs twenty times the answer.
    this.sizeBytes = fstatSync(this.#handle.fd).size;
    if (this.sizeBytes === this.#position) return 'quiet';
    const nowSecond = Math.floor(nowMs / 1000);
    if (this.sizeBytes > this.#position && (await this.#readOn(lines, nowSecond))) return 'grew';
    this.#restart();
    await this.#readOn(lines, nowSecond);
    return 'truncated';
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /**
   * The file's next chunk is fetched while the lines of the last one are counted. False, and nothing is counted, when the
   * bytes before the position are not those that were read: they are fetched again with the first chunk.
   */
  async #readOn(lines: LogLines, nowSecond: number): Promise<boolean> {
    const limit = this.#position + CALL_LIMIT_BYTES;
    const chunkBytes = Math.min(CHUNK_BYTES, this.lagBytes);
    const newBuffer = (): Buffer => Buffer.allocUnsafe(LINE_LIMIT_BYTES + chunkBytes);
    // What the chunk before left over goes in front of it.
    const fetch = (into: Buffer, known = 0) =>
      this.#handle.read(into, LINE_LIMIT_BYTES - known, known + chunkBytes, this.#position - known);
    let buffer = newBuffer();
    let spare: Buffer | null = null;
    const known = this.#fingerprint.length;
    const first = await fetch(buffer, known);
    let bytesRead = first.bytesRead - known;
    if (bytesRead < 0 || !buffer.subarray(LINE_LIMIT_BYTES - known, LINE_LIMIT_BYTES).equals(this.#fingerprint)) return false;
    while (bytesRead > 0) {
      const full = buffer;
      const end = LINE_LIMIT_BYTES + bytesRead;
      this.#position += bytesRead;
      const more = bytesRead === CHUNK_BYTES && this.#position < limit;
      buffer = more ? (spare ?? newBuffer()) : full;
      spare = full;
      const next = more ? fetch(buffer) : null;
      const start = LINE_LIMIT_BYTES - this.#half.length;
      this.#half.copy(full, start);
      this.#fingerprint = Buffer.from(full.subarray(Math.max(start, end - FINGERPRINT_BYTES), end));
      this.#take(full, start, end, lines, nowSecond);
      if (next === null) return true;
      ({ bytesRead } = await next);
    }
    return true;
  }

  /** Counts the whole lines of `buffer[from, end)` and keeps what is behind them. */
  #take(buffer: Buffer, from: number, end: number, lines: LogLines, nowSecond: number): void {
    let start = from;
    if (this.#skipping) {
      const lf = buffer.indexOf(LF, from);
      if (lf < 0 || lf >= end) {
        this.#half = Buffer.alloc(0);
        return;
      }
      this.#skipping = false;
      start = lf + 1;
    }
    const last = buffer.lastIndexOf(LF, end - 1);
    if (last >= start) {
      lines.scan(buffer, start, last + 1, nowSecond);
      start = last + 1;
    }
    if (end - start > LINE_LIMIT_BYTES) {
      lines.bad++;
      this.#skipping = true;
      start = end;
    }
    this.#half = Buffer.from(buffer.subarray(start, end));
  }

  #restart(): void {
    this.#position = 0;
    this.#half = Buffer.alloc(0);
    this.#fingerprint = Buffer.alloc(0);
    this.#skipping = false;
  }
}
