import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, hasCode, ReactorError } from '@reactor/core';

const LOCK = 'lock';
/** Each attempt either takes the lock, finds its holder alive or removes one stale lock; two racing starts need at most three. */
const ATTEMPTS = 5;

/**
 * Keeps a second process off a directory. The lock is a file with the holder's process id and start time: a lock left behind
 * by `kill -9` names a process that is gone, or another one that got its id, and is taken over. Holders are recognised
 * within one process namespace: two containers must not share the directory.
 *
 * @returns gives the lock back.
 */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, LOCK);
  const own = `${process.pid} ${startOf(process.pid) ?? 'unknown'}\n`;
  const aside = join(directory, `${LOCK}.${process.pid}`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (take(path, aside, own)) return () => release(path, own);
      clearStale(path, aside, directory);
    }
  } catch (error) {
    if (error instanceof ReactorError) throw error;
    throw new ReactorError(
      'state_unavailable',
      `cannot lock the state directory ${directory}: ${describeError(error)}; it must exist or be creatable, and be writable`,
      { cause: error },
    );
  }
  throw new ReactorError(
    'state_unavailable',
    `cannot lock the state directory ${directory}: others keep taking it at the same time`,
  );
}

/** A link appears with its content or not at all, so no reader ever sees half a lock. */
function take(path: string, aside: string, own: string): boolean {
  writeFileSync(aside, own, { mode: 0o600 });
  try {
    linkSync(aside, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function clearStale(path: string, aside: string, directory: string): void {
  const holder = readIfThere(path);
  if (holder === null) return;
  const pid = Number(holder.split(' ')[0]);
  if (isAlive(holder)) {
    throw new ReactorError(
      'state_unavailable',
      `the state directory ${directory} is in use by process ${pid}; one directory serves one daemon`,
      { details: { pid } },
    );
  }
  // Renamed before it is removed: between the look and now another start may have taken the stale lock's place.
  try {
    renameSync(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if (readIfThere(aside) !== holder) linkSync(aside, path);
  rmSync(aside, { force: true });
}

function isAlive(holder: string): boolean {
  const [pid, start] = holder.trim().split(' ');
  if (pid === undefined || !/^\d+$/.test(pid) || Number(pid) === 0) return false;
  const found = startOf(Number(pid));
  return found === undefined ? false : found === 'unknown' || start === 'unknown' || found === start;
}

/** When the process started, in ticks since boot; undefined when there is none, `unknown` where the system does not tell. */
function startOf(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    try {
      process.kill(pid, 0);
      return 'unknown';
    } catch (error) {
      return hasCode(error, 'EPERM') ? 'unknown' : undefined;
    }
  }
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything, even parentheses and spaces; the fields after it count from the last one.
  const [state, ...fields] = stat === null ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === undefined || state === 'Z' ? undefined : fields[18];
}

function release(path: string, own: string): void {
  if (readIfThere(path) === own) rmSync(path, { force: true });
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return null;
    throw error;
  }
}
