import { spawn } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, ReactorError } from '@reactor/core';
import {
  childrenOf,
  isMasterTitle,
  isServing,
  orphansHolding,
  processes,
  programOf,
  servingWorkers,
  titleOf,
} from './workers.js';

/**
 * One nginx master: found, started, told to reload. A process is signalled only after /proc has just shown that it is
 * that master: a pid file may be stale and its number given to somebody else.
 */
export interface MasterPlace {
  readonly binary: string;
  readonly pidFile: string;
  /** Arguments that name our configuration; also what our master's title must show. Empty for the system's nginx. */
  readonly args: readonly string[];
  /** Workers whose master died are recognised by a file they hold below here. */
  readonly logDirectory: string;
}

/** A reload takes about 100 ms; nginx itself gives up on a taken port after 2.5 s. */
const ACKNOWLEDGE_LIMIT_MS = 5_000;
const POLL_MS = 5;
const START_LIMIT_MS = 5_000;
/** Testing 1,000 sites takes a tenth of a second; a stuck resolver or disk must not hold us for ever. */
const TEST_LIMIT_MS = 15_000;
/** Its last words are in the pipe when a command ends; this only bounds the wait for a pipe that is never closed. */
const PIPE_LIMIT_MS = 500;

/** The running master, or null. Falls back to searching when our own pid file is lost. */
export function findMaster(place: MasterPlace): number | null {
  const recorded = pidIn(place.pidFile);
  if (recorded !== null && isMaster(place, recorded)) return recorded;
  if (place.args.length === 0) return null;
  return processes().find((pid) => isMaster(place, pid)) ?? null;
}

/** Whether that process is the master of this place: the program, the title, and our arguments in it. */
export function isMaster(place: MasterPlace, pid: number): boolean {
  const title = titleOf(pid);
  if (!isMasterTitle(title) || programOf(pid) !== programAt(place.binary)) return false;
  return place.args.length === 0 || title!.endsWith(` ${place.args.join(' ')}`);
}

/** Sends a signal if the process is still that master; false when it is not. */
export function signalMaster(place: MasterPlace, pid: number, signal: NodeJS.Signals): boolean {
  return isMaster(place, pid) && process.kill(pid, signal);
}

/** Starts nginx in the background, where it outlives us, and returns its pid. Fails with `balancer_unavailable`. */
export async function startMaster(place: MasterPlace): Promise<number> {
  await dismissOrphans(place);
  const { code, text } = await run(place.binary, place.args);
  if (code !== 0) {
    throw new ReactorError('balancer_unavailable', `nginx does not start: ${firstLine(text) || `exit status ${code}`}`);
  }
  const master = await until(START_LIMIT_MS, () => {
    const pid = findMaster(place);
    return pid !== null && servingWorkers(pid).length > 0 ? pid : null;
  });
  if (master === null) {
    throw new ReactorError('balancer_unavailable', `nginx was started but is not running after ${START_LIMIT_MS / 1000} s`);
  }
  return master;
}

/**
 * Reloads, and returns how long it took until every worker of before was gone or shutting down and a new one served,
 * milliseconds; null when that did not happen in time. No worker of before takes a request after that.
 *
 * nginx lets the workers of before take requests for 100 ms more, in case the new ones were slow to start, and as they wait
 * at the front of the queue they get nearly all of them. We see the new ones serve, so we dismiss the others at once, with the
 * signal nginx itself is about to send; connections that nobody has accepted yet stay in the sockets all of them share.
 */
export async function reloadMaster(place: MasterPlace, master: number): Promise<number | null> {
  const startedAt = performance.now();
  const before = servingWorkers(master);
  if (!signalMaster(place, master, 'SIGHUP')) return null;
  let dismissed = false;
  const done = await until(ACKNOWLEDGE_LIMIT_MS, () => {
    const successors = childrenOf(master).filter((pid) => !before.includes(pid) && isServing(pid)).length;
    if (!before.some(isServing)) return successors > 0 ? true : null;
    if (!dismissed && successors >= before.length) {
      dismissed = true;
      for (const pid of before) if (isServing(pid)) process.kill(pid, 'SIGQUIT');
    }
    return null;
  });
  return done === null ? null : performance.now() - startedAt;
}

/** Runs `nginx -t`; null when it passes, else its first complaint. */
export async function testConfiguration(binary: string, args: readonly string[]): Promise<string | null> {
  const { code, text } = await run(binary, ['-t', '-q', ...args]);
  return code === 0 ? null : firstLine(text) || `nginx -t ended with status ${code}`;
}

async function dismissOrphans(place: MasterPlace): Promise<void> {
  const program = programAt(place.binary);
  const orphans = program === null ? [] : orphansHolding(program, place.logDirectory).filter(isServing);
  for (const pid of orphans) process.kill(pid, 'SIGQUIT');
  await until(START_LIMIT_MS, () => (orphans.some(isServing) ? null : true));
}

/** The file behind the name; null when there is none. */
function programAt(binary: string): string | null {
  try {
    return realpathSync(binary);
  } catch {
    return null;
  }
}

interface Run {
  readonly code: number;
  readonly text: string;
}

/** Resolves when the command has ended and all it said was read; what it leaves in the background may keep the pipe open. */
function run(binary: string, args: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, [...args], {
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
    const finish = (code: number | null) => {
      child.stderr.destroy();
      resolve({ code: code ?? 1, text });
    };
    child.on('close', finish);
    child.on('exit', (code) => setTimeout(() => finish(code), PIPE_LIMIT_MS).unref());
  });
}

/** nginx's own words, without date and process, for people; never for decisions. The complaint stands above "test failed". */
function firstLine(text: string): string {
  const line = text.split('\n').find((candidate) => /\[(emerg|alert|crit|error)\]/.test(candidate)) ?? text.split('\n')[0]!;
  return line.replace(/^.*?\[(?:emerg|alert|crit|error)\] (?:\d+#\d+: )?/, '').slice(0, 500);
}

function pidIn(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'latin1').trim());
    return Number.isInteger(pid) && pid > 1 ? pid : null;
  } catch {
    return null;
  }
}

/** Polls until the question has an answer; null after the limit. */
export async function until<T>(limitMs: number, question: () => T | null): Promise<T | null> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = question();
    if (answer !== null) return answer;
    if (performance.now() >= deadline) return null;
    await delay(POLL_MS);
  }
}
