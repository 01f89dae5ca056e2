import { closeSync, openSync, readSync } from 'node:fs';
import { describeError, ReactorError } from '@reactor/core';

/** Null when there is no such file; fails when it cannot be read, is longer than `sizeMax` bytes, or not UTF-8. */
export function readFile(path: string, sizeMax: number): string | null {
  let bytes: Buffer;
  try {
    bytes = readAtMost(path, sizeMax + 1);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    throw fileError(path, cause, 'read');
  }
  if (bytes.length > sizeMax) throw new ReactorError('config_too_large', `'${path}' is longer than ${sizeMax} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ReactorError('config_syntax', `'${path}' is not UTF-8 text`, { cause });
  }
}

export function fileError(path: string, cause: unknown, done: 'read' | 'written'): ReactorError {
  const code = codeOf(cause);
  if (code === 'ENOENT') return new ReactorError('not_found', `no file '${path}'`, { cause });
  const why = code === 'EACCES' ? 'permission denied' : code === 'EISDIR' ? 'it is a directory' : describeError(cause);
  return new ReactorError('config_invalid', `'${path}' cannot be ${done}: ${why}`, { cause });
}

/** By its form: an error of the file system is made in another realm when a test runs this. */
const codeOf = (cause: unknown): unknown => (typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : null);

/** Not by the size that the file system tells, which of a pipe or a device is 0. */
function readAtMost(path: string, size: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(size);
    let filled = 0;
    for (let read = -1; read !== 0 && filled < size; filled += read)
      read = readSync(descriptor, buffer, filled, size - filled, null);
    return buffer.subarray(0, filled);
  } finally {
    closeSync(descriptor);
  }
}
