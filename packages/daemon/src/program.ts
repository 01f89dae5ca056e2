import { accessSync, constants } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { ReactorError } from '@reactor/core';

/** Where Debian keeps servers; not on the PATH of every account. */
const SYSTEM_PATH = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The absolute path of a program named in the configuration; `key` is where. */
export function findProgram(key: string, name: string, path: string = process.env['PATH'] ?? ''): string {
  const found = lookForProgram(name, path);
  if (found !== null) return found;
  throw new ReactorError('config_invalid', `${key}: no program '${name}' on this machine; install it or name its path`);
}

/** Null when it is not installed. */
export function lookForProgram(name: string, path: string = process.env['PATH'] ?? ''): string | null {
  const candidates = isAbsolute(name)
    ? [name]
    : [...path.split(':').filter(Boolean), ...SYSTEM_PATH].map((dir) => join(dir, name));
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
