import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { hasCode } from '@reactor/core';

/**
 * What /proc says about nginx's processes. Read synchronously: /proc never waits for a disk, and one look costs about
 * 10 us, less than handing it to a thread.
 */
const MASTER_TITLE = 'nginx: master process';
const WORKER_TITLE = 'nginx: worker process';
/** nginx appends this to a worker's title before it closes its listening sockets. */
const LEAVING = 'is shutting down';

/** Title or command line, arguments separated by spaces; null when there is no such process (or only its zombie). */
export function titleOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replace(/\0/g, ' ').trim();
    return text === '' ? null : text;
  } catch {
    return null;
  }
}

/** The program file a process runs, also when a package upgrade has replaced it meanwhile; null when it cannot be told. */
export function programOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
  } catch {
    return null;
  }
}

export const isMasterTitle = (title: string | null): boolean => title?.startsWith(MASTER_TITLE) ?? false;

/** A worker that accepts new requests. */
export function isServing(pid: number): boolean {
  const title = titleOf(pid);
  return (title?.startsWith(WORKER_TITLE) ?? false) && !title!.includes(LEAVING);
}

export function isWorker(pid: number): boolean {
  return titleOf(pid)?.startsWith(WORKER_TITLE) ?? false;
}

/** Children of a process. */
export function childrenOf(parent: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    // Kernels built without CONFIG_PROC_CHILDREN.
    return processes().filter((pid) => parentOf(pid) === parent);
  }
}

export function servingWorkers(master: number): readonly number[] {
  return childrenOf(master).filter(isServing);
}

/** Every process id. */
export function processes(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

/** Whether a process has a file open, by inode; null when we may not look. */
export function holdsFile(pid: number, inode: number): boolean | null {
  const folder = `/proc/${pid}/fd`;
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    return hasCode(error, 'EACCES') ? null : false;
  }
  return names.some((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('/') && statSync(`${folder}/${name}`).ino === inode;
    } catch {
      return false;
    }
  });
}

/** Workers whose master is gone: they still hold the listening sockets, so a new master cannot start beside them. */
export function orphansHolding(program: string, logDirectory: string): readonly number[] {
  return processes().filter((pid) => {
    if (!isWorker(pid) || programOf(pid) !== program) return false;
    const parent = parentOf(pid);
    return parent !== null && !isMasterTitle(titleOf(parent)) && opensBelow(pid, `${logDirectory}/`);
  });
}

function opensBelow(pid: number, prefix: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((name) => {
      try {
        return readlinkSync(`${folder}/${name}`).startsWith(prefix);
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in brackets and may hold anything; the parent is the second field behind it.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}
