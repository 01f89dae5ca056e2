import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError, type EpochMark, type MarkKeeper, ReactorError } from '@reactor/core';

/** The newest term of leadership this host has obeyed, in a file of two lines: the mark as JSON, and the SHA-256 of that line. */
export function markFile(path: string): MarkKeeper {
  return { read: () => readMark(path), write: (mark) => writeMark(path, mark) };
}

/** Larger ones are not ours. */
const LIMIT_BYTES = 4_096;

function readMark(path: string): EpochMark | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw unreadable(path, describeError(error), error);
  }
  const [line = '', sum, ...rest] = text.split('\n');
  if (text.length > LIMIT_BYTES || sum !== sha256(line) || rest.join('') !== '') throw unreadable(path, 'its checksum is wrong');
  return JSON.parse(line) as EpochMark;
}

/** Whole or not at all, and lasting: written beside, flushed, renamed, and the rename flushed. */
function writeMark(path: string, { epoch, host }: EpochMark): void {
  const line = JSON.stringify({ epoch, host });
  const aside = `${path}.new`;
  try {
    flushed(aside, 'w', (file) => writeSync(file, `${line}\n${sha256(line)}\n`));
    renameSync(aside, path);
    flushed(dirname(path), 'r', () => undefined);
  } catch (error) {
    throw new ReactorError('mark_unreadable', `${path} cannot be written: ${describeError(error)}`, { cause: error });
  }
}

function flushed(path: string, flags: 'r' | 'w', work: (file: number) => void): void {
  const file = openSync(path, flags, 0o600);
  try {
    work(file);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function unreadable(path: string, why: string, cause?: unknown): ReactorError {
  return new ReactorError(
    'mark_unreadable',
    `${path}, which remembers the newest epoch this host has obeyed, is damaged: ${why}`,
    {
      cause,
    },
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
