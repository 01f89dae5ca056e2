import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError, type EpochMark, type MarkKeeper, type PortKeeper, ReactorError } from '@reactor/core';

/** What a host remembers, in files of two lines: the value as JSON, and the SHA-256 of that line. */

const EPOCH = 'the newest epoch this host has obeyed';
const PORTS = 'the port this host hands out next';

/** The newest term of leadership this host has obeyed. */
export function markFile(path: string): MarkKeeper {
  return {
    read() {
      const text = readText(path, EPOCH);
      if (text === null) return null;
      const line = wholeLine(text);
      if (line === null) throw unreadable(path, EPOCH, 'its checksum is wrong');
      return JSON.parse(line) as EpochMark;
    },
    write: ({ epoch, host }) => writeLine(path, JSON.stringify({ epoch, host })),
  };
}

/** The port this host hands out next. A damaged file is as none: it costs the certainty that no freed port comes again soon, no more. */
export function portFile(path: string): PortKeeper {
  return {
    read() {
      const line = wholeLine(readText(path, PORTS) ?? '');
      return line === null ? null : (JSON.parse(line) as { readonly next: number }).next;
    },
    write: (next) => writeLine(path, JSON.stringify({ next })),
  };
}

/** Larger ones are not ours. */
const LIMIT_BYTES = 4_096;

function readText(path: string, what: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw unreadable(path, what, describeError(error), error);
  }
}

/** Null when it is damaged. */
function wholeLine(text: string): string | null {
  const [line = '', sum, ...rest] = text.split('\n');
  return text.length > LIMIT_BYTES || sum !== sha256(line) || rest.join('') !== '' ? null : line;
}

/** Whole or not at all, and lasting: written beside, flushed, renamed, and the rename flushed. */
function writeLine(path: string, line: string): void {
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

function unreadable(path: string, what: string, why: string, cause?: unknown): ReactorError {
  return new ReactorError('mark_unreadable', `${path}, which remembers ${what}, is damaged: ${why}`, { cause });
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
