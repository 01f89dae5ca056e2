import { spawn } from 'node:child_process';
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { describeError, ReactorError } from '@reactor/core';

/** One dnsmasq process: found, started. It is signalled only after /proc has just shown that it is that process. */

const START_LIMIT_MS = 5_000;

export interface Place {
  readonly binary: string;
  readonly pidFile: string;
  /** What our own one is started with, and recognised by; empty for the system's. */
  readonly args: readonly string[];
}

export function findProcess(place: Place): number | null {
  try {
    const pid = Number(readFileSync(place.pidFile, 'latin1').trim());
    return Number.isInteger(pid) && pid > 1 && isOurs(place, pid) ? pid : null;
  } catch {
    return null;
  }
}

function isOurs(place: Place, pid: number): boolean {
  const program = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
  if (program !== realpathSync(place.binary)) return false;
  const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
  return place.args.every((arg) => words.includes(arg));
}

/** Starts it in the background, where it outlives us. Fails with `balancer_unavailable`, in dnsmasq's own words. */
export function startProcess(place: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(place.binary, [...place.args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: START_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let text = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (part: string) => {
      if (text.length < 65_536) text += part;
    });
    const fail = (why: string): void => reject(new ReactorError('balancer_unavailable', `dnsmasq does not start: ${why}`));
    child.once('error', (error) => fail(describeError(error)));
    child.once('exit', (code, signal) => {
      // What it left in the background may hold the pipe open.
      setImmediate(() => child.stderr.destroy());
      if (code === 0) resolve();
      else
        setImmediate(() =>
          fail(
            text
              .trim()
              .replace(/^dnsmasq: /, '')
              .split('\n')[0] || `${signal ?? `exit status ${code}`}`,
          ),
        );
    });
  });
}
