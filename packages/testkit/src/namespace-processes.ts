import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { run } from './command.js';

/**
 * Starts a program in a network namespace; what it says is appended to the file `output`. Not `ip netns exec`, which
 * mounts /sys anew and so hides the cgroups from dockerd. In a session of its own: no signal meant for the test reaches it.
 */
export function startInside(
  namespace: string,
  file: string,
  words: readonly string[],
  output: string,
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const sink = openSync(output, 'a');
  const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, file, ...words], {
    stdio: ['ignore', sink, sink],
    detached: true,
    env: { ...process.env, ...environment },
  });
  closeSync(sink);
  return child;
}

export const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** Signals those of the processes that still are there. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended by itself meanwhile.
    }
  }
}

/** The processes of a namespace and all below them: containers have namespaces of their own, but their shims do not. Zombies have ended. */
export async function processesOf(namespace: string): Promise<readonly number[]> {
  const roots = (await run('ip', ['netns', 'pids', namespace])).split('\n').filter(Boolean).map(Number);
  const found = new Set(roots);
  const table = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => ({ pid: Number(entry), ...statusOf(entry) }));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of table) if (found.has(parent)) found.add(pid);
  }
  const zombies = new Set(table.filter(({ zombie }) => zombie).map(({ pid }) => pid));
  return [...found].filter((pid) => !zombies.has(pid));
}

function statusOf(pid: string): { readonly parent: number; readonly zombie: boolean } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return { parent: Number(fields[1]), zombie: fields[0] === 'Z' };
  } catch {
    return { parent: 0, zombie: true };
  }
}
