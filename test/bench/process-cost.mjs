import { readdirSync, readFileSync } from 'node:fs';

/** What a process costs, by /proc. */

/** Resident memory, bytes. */
export function memoryOf(pid) {
  return statusBytes(pid, 'VmRSS');
}

/** The most it ever was, bytes. */
export function peakMemoryOf(pid) {
  return statusBytes(pid, 'VmHWM');
}

function statusBytes(pid, key) {
  const kilobytes = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kilobytes) * 1024;
}

/** Seconds on a processor so far, all threads that live: in nanoseconds there, where `stat` counts hundredths of seconds. */
export function processorSecondsOf(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  return (
    threads.reduce(
      (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]),
      0,
    ) / 1e9
  );
}
