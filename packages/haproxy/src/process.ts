import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, ReactorError } from '@reactor/core';

/**
 * One haproxy master: found, started, signalled. It is signalled only after /proc has just shown that it is that master: a
 * pid file may be stale and its number given to somebody else.
 */
export interface MasterPlace {
  readonly binary: string;
  readonly configFile: string;
  readonly pidFile: string;
  readonly masterSocket: string;
  /** Where it writes one line per request, through a file descriptor that all its workers inherit. */
  readonly accessLog: string;
  readonly errorLog: string;
}

const TEST_LIMIT_MS = 15_000;
const POLL_MS = 5;

/**
 * The running master, or null. Searches when the pid file is lost, or is being written anew; not when it names a dead one,
 * whose workers look like masters until they have noticed.
 */
export function findMaster(place: MasterPlace): number | null {
  const recorded = pidIn(place.pidFile);
  if (recorded !== null) return isMaster(place, recorded) ? recorded : null;
  return processes().find((pid) => isMaster(place, pid)) ?? null;
}

export function signalMaster(place: MasterPlace, pid: number, signal: NodeJS.Signals): boolean {
  return isMaster(place, pid) && process.kill(pid, signal);
}

/** Starts haproxy in the background, where it outlives us. Null while it runs; else, once it has ended, its last words. */
export function startMaster(place: MasterPlace, ended: () => void): { readonly problem: () => string | null } {
  const append = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
  const out = openSync(place.accessLog, append, 0o600);
  const err = openSync(place.errorLog, append, 0o600);
  let problem: string | null = null;
  try {
    const args = ['-W', '-S', `${place.masterSocket},mode,600`, '-f', place.configFile, '-p', place.pidFile];
    const child = spawn(place.binary, args, { detached: true, stdio: ['ignore', out, err] });
    child.on('error', (error) => {
      problem = `cannot run ${place.binary}: ${describeError(error)}`;
    });
    child.on('exit', (code, signal) => {
      problem = complaintIn(tailOf(place.errorLog)) || `haproxy ended with ${signal ?? `status ${code}`}`;
      ended();
    });
    child.unref();
  } finally {
    closeSync(out);
    closeSync(err);
  }
  return { problem: () => problem };
}

/** Runs `haproxy -c`; null when it passes, else its first complaint. */
export function testConfiguration(binary: string, file: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ['-c', '-q', '-f', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: TEST_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let text = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (part: string) => {
      if (text.length < 65_536) text += part;
    });
    child.on('error', (cause) => {
      reject(new ReactorError('balancer_unavailable', `cannot run ${binary}: ${describeError(cause)}`, { cause }));
    });
    child.on('close', (code) => resolve(code === 0 ? null : complaintIn(text) || `haproxy -c ended with status ${code}`));
  });
}

/** Polls until the question has an answer; null after the limit. */
export async function until<T>(limitMs: number, question: () => T | null | Promise<T | null>): Promise<T | null> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = await question();
    if (answer !== null) return answer;
    if (performance.now() >= deadline) return null;
    await delay(POLL_MS);
  }
}

/** Workers have the master's command line, too: the master is the one whose parent is not one of them. */
function isMaster(place: MasterPlace, pid: number): boolean {
  return isOurs(place, pid) && !isOurs(place, parentOf(pid) ?? 0);
}

function isOurs(place: MasterPlace, pid: number): boolean {
  try {
    const program = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
    if (program !== realpathSync(place.binary)) return false;
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes('-W') && words[words.indexOf('-f') + 1] === place.configFile;
  } catch {
    return false;
  }
}

/** haproxy's own words, without date, level and process, for people; never for decisions. */
function complaintIn(text: string): string {
  const lines = text.split('\n').filter((line) => line.includes('[ALERT]'));
  const line = lines[0] ?? text.trim().split('\n')[0] ?? '';
  return line
    .replace(/^\[[A-Z]+\]\s+\(\d+\) : (?:config : )?/, '')
    .replace(/parsing \[[^\]]*:(\d+)\] ?: ?/, '')
    .slice(0, 500);
}

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-4_096);
  } catch {
    return '';
  }
}

function pidIn(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'latin1').trim());
    return Number.isInteger(pid) && pid > 1 ? pid : null;
  } catch {
    return null;
  }
}

function processes(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
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
