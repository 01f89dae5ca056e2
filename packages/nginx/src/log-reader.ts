import { constants, statSync } from 'node:fs';
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { hasCode } from '@reactor/core';
import { LogFile } from './log-file.js';
import type { LogLines } from './log-line.js';

/**
 * Follows the access log, whoever rotates it. No line is lost or counted twice, because
 *
 * 1. an inode is read to its end through one open handle, from a position only this class moves;
 * 2. a file that was renamed or deleted is read on, beside its successor, until nginx no longer has it open;
 * 3. a file that shrank, or whose bytes before the position are not the ones read, was truncated and is read from its start.
 *
 * The order of files does not matter: lines are counted in the second they name.
 */
export interface LogReaderOptions {
  readonly path: string;
  readonly lines: LogLines;
  /** Whether some nginx process has the file open; null when that cannot be told. */
  readonly isOpenInNginx: (inode: number) => boolean | null;
}

/** At open so much of the log is read again, so that windows are complete at once: 80,000 requests, 20 ms. */
const TAIL_BYTES = 8 * 1024 * 1024;
/** A rotated file is given up after so long without growth when /proc does not tell who has it open. */
const QUIET_LIMIT_MS = 30_000;
/** Rotations faster than we can finish files; beyond this the oldest is dropped, and said to be. */
const FINISHING_LIMIT = 8;

interface Finishing {
  readonly file: LogFile;
  /** Ours to delete at its end. */
  readonly path: string | null;
  quietSinceMs: number;
}

export class LogReader {
  readonly #options: LogReaderOptions;
  #current: LogFile | null = null;
  #finishing: Finishing[] = [];
  #reading: Promise<void> | null = null;
  completeSinceMs = 0;
  /** The path has no file; nginx writes to a deleted one. */
  missing = false;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  /** Stands at most `TAIL_BYTES` before the end. Nothing is counted yet. */
  async open(nowMs: number): Promise<void> {
    this.completeSinceMs = nowMs;
    const current = await openFile(this.#options.path);
    const rotated = await openFile(this.rotatedPath);
    const currentBytes = current === null ? 0 : (await current.stat()).size;
    if (current !== null) {
      this.#current = new LogFile(current, await inodeOf(current));
      this.completeSinceMs = await this.#current.standBeforeEnd(TAIL_BYTES, nowMs);
    }
    if (rotated === null) return;
    const file = new LogFile(rotated, await inodeOf(rotated));
    const sinceMs = await file.standBeforeEnd(Math.max(0, TAIL_BYTES - currentBytes), nowMs);
    if (currentBytes < TAIL_BYTES) this.completeSinceMs = Math.min(this.completeSinceMs, sinceMs);
    this.#finishing.push({ file, path: this.rotatedPath, quietSinceMs: nowMs });
  }

  /** Counts everything up to the log's end, or as much as one call may take (`lagBytes` says what is left). */
  read(nowMs: number): Promise<void> {
    this.#reading ??= this.#read(nowMs).finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  get lagBytes(): number {
    return [this.#current, ...this.#finishing.map(({ file }) => file)].reduce((sum, file) => sum + (file?.lagBytes ?? 0), 0);
  }

  get sizeBytes(): number {
    return this.#current?.sizeBytes ?? 0;
  }

  get rotatedPath(): string {
    return `${this.#options.path}.old`;
  }

  /** Moves the log aside; nginx must then be told to reopen it. False while the one before is not finished. */
  async moveAside(): Promise<boolean> {
    if (this.#finishing.some(({ path }) => path !== null)) return false;
    await rename(this.#options.path, this.rotatedPath);
    return true;
  }

  async close(): Promise<void> {
    await this.#reading?.catch(() => {});
    for (const { file } of this.#finishing) await file.close();
    await this.#current?.close();
    this.#finishing = [];
    this.#current = null;
  }

  async #read(nowMs: number): Promise<void> {
    await this.#follow(nowMs);
    for (const finishing of [...this.#finishing]) await this.#finish(finishing, nowMs);
    if (this.#current !== null && (await this.#current.drain(this.#options.lines, nowMs)) === 'truncated') this.#lost(nowMs);
  }

  /**
   * Lines written since the last reading may be lost. What was read stays counted, in whole seconds: from the moment itself
   * on, a rate would be the requests of a whole second over a part of it.
   */
  #lost(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000) * 1_000;
    this.completeSinceMs = Math.max(this.completeSinceMs, second - 1_000);
  }

  /** Notices that the path names another file. */
  async #follow(nowMs: number): Promise<void> {
    const found = statSync(this.#options.path, { throwIfNoEntry: false });
    this.missing = found === undefined;
    if (found === undefined || found.ino === this.#current?.inode) return;
    const handle = await openFile(this.#options.path);
    if (handle === null) return;
    if (this.#current !== null) {
      const mine = await stat(this.rotatedPath).then(
        ({ ino }) => ino === this.#current?.inode,
        () => false,
      );
      this.#finishing.push({ file: this.#current, path: mine ? this.rotatedPath : null, quietSinceMs: nowMs });
    }
    this.#current = new LogFile(handle, await inodeOf(handle));
    if (this.#finishing.length > FINISHING_LIMIT) {
      await this.#finishing.shift()!.file.close();
      this.completeSinceMs = nowMs;
    }
  }

  async #finish(finishing: Finishing, nowMs: number): Promise<void> {
    const { file, path } = finishing;
    // Asked before reading: once nobody has it open, what is read next is all there will ever be.
    const held = this.#options.isOpenInNginx(file.inode);
    const outcome = await file.drain(this.#options.lines, nowMs);
    if (outcome === 'truncated') this.#lost(nowMs);
    if (outcome !== 'quiet') finishing.quietSinceMs = nowMs;
    const over = held === null ? nowMs - finishing.quietSinceMs >= QUIET_LIMIT_MS : !held;
    if (!over || file.lagBytes > 0) return;
    this.#finishing = this.#finishing.filter((other) => other !== finishing);
    await file.close();
    if (
      path !== null &&
      (await stat(path).then(
        ({ ino }) => ino === file.inode,
        () => false,
      ))
    )
      await unlink(path);
  }
}

async function openFile(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

const inodeOf = async (handle: FileHandle) => (await handle.stat()).ino;
