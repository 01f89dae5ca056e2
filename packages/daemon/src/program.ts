import { accessSync, constants } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { ReactorError } from '@reactor/core';

/** Where Debian keeps servers; not on the PATH of every account. */
const SYSTEM_PATH = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The absolute path of a program named in the configuration. */
export function findProgram(name: string, path: string = process.env['PATH'] ?? ''): string {
  const candidates = isAbsolute(name)
    ? [name]
    : [...path.split(':').filter(Boolean), ...SYSTEM_PATH].map((dir) => join(dir, name));
  const found = candidates.find(isExecutable);
  if (found) return found;
  throw new ReactorError(
    'config_invalid',
    `loadbalancer:nginx.binary: no program '${name}' on this machine; install nginx or name its path`,
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
