import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ReactorError } from '@reactor/core';
import { placesIn } from './home.js';

/** The proxy's process: found, started so that it outlives us, and told to go. Recognised by its title, never by a number alone. */

const START_LIMIT_MS = 10_000;
const POLL_MS = 10;
/** It writes a line when it starts badly or ends badly. */
const LOG_LIMIT_BYTES = 2 ** 20;

/** Beside the daemon where both are bundled; the compiled file of this package otherwise. */
export function proxyProgram(): string {
  const bundled = fileURLToPath(new URL('./reactor-tcp.mjs', import.meta.url));
  return existsSync(bundled) ? bundled : fileURLToPath(new URL('../dist/main.js', import.meta.url));
}

/** The process of this directory that has not been told to go: the one that has written its number; null when there is none. */
export function findProxy(directory: string): number | null {
  try {
    const pid = Number(readFileSync(placesIn(directory).pid, 'latin1'));
    return isProxy(pid, directory) ? pid : null;
  } catch {
    return null;
  }
}

/** Starts it and returns its process id once it answers. Fails with `balancer_unavailable`. */
export async function startProxy(program: string, directory: string): Promise<number> {
  const places = placesIn(directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (existsSync(places.log) && statSync(places.log).size > LOG_LIMIT_BYTES) truncateSync(places.log);
  const log = openSync(places.log, 'a', 0o640);
  // One in whose place somebody removed the socket would keep the ports to itself.
  for (const pid of proxiesOf(directory)) process.kill(pid, 'SIGQUIT');
  const child = spawn(process.execPath, [program, directory], { detached: true, stdio: ['ignore', log, log], cwd: '/' });
  closeSync(log);
  let ended: string | null = null;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = `it ended with ${signal ?? `status ${code}`}; see ${places.log}`;
  });
  child.unref();
  const deadline = performance.now() + START_LIMIT_MS;
  // Its number is written last.
  while (findProxy(directory) !== child.pid) {
    if (ended !== null) throw new ReactorError('balancer_unavailable', `the tcp proxy does not start: ${ended}`);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new ReactorError('balancer_unavailable', `the tcp proxy does not answer ${START_LIMIT_MS / 1000} s after its start`);
    }
    await delay(POLL_MS);
  }
  return child.pid!;
}

function isProxy(pid: number, directory: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replace(/\0+$/, '') === `reactor-tcp: ${directory}`;
  } catch {
    return false;
  }
}

function proxiesOf(directory: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isProxy(pid, directory));
}
