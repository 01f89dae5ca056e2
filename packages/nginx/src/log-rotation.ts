import { rename, stat } from 'node:fs/promises';
import { hasCode } from '@reactor/core';
import type { LogReader } from './log-reader.js';
import { findMaster, type MasterPlace, signalMaster } from './process.js';

/**
 * Keeps nginx's logs from filling the disk: a log above the limit is renamed and nginx told to reopen it. The reader reads
 * the renamed access log to its end and deletes it; of the error log one former file is kept. A deleted log, which would
 * grow invisibly, is reopened too. So the logs take at most about twice the limit each, while we run.
 */
export interface RotationOptions {
  readonly place: MasterPlace;
  readonly reader: LogReader;
  readonly limitBytes: number;
  /** Null: somebody else looks after the error log. */
  readonly errorLog: string | null;
}

export async function rotateLogs({ place, reader, limitBytes, errorLog }: RotationOptions): Promise<void> {
  const master = findMaster(place);
  // Without a master nobody would reopen what we rename.
  if (master === null) return;
  let moved = reader.missing;
  if (reader.sizeBytes > limitBytes && !reader.missing) moved = (await reader.moveAside()) || moved;
  if (errorLog !== null && (await sizeOf(errorLog)) > limitBytes) {
    await rename(errorLog, `${errorLog}.old`);
    moved = true;
  }
  if (moved) signalMaster(place, master, 'SIGUSR1');
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
}
