import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.js';

const STOPPED_WITHIN_MS = 10_000;

/** SIGSTOP, and waits until it has reached every thread: on a busy machine one may still answer after the signal was sent. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const stopped = (thread: string): boolean => /\) [Tt] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'));
  await until(`process ${pid} has stopped`, STOPPED_WITHIN_MS, () => readdirSync(`/proc/${pid}/task`).every(stopped));
}
