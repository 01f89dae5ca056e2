/** A process that writes an access log at a steady pace: live-log.mjs FILE LINES_PER_SECOND SECONDS FLUSH_MS. */
import { appendFileSync } from 'node:fs';
import { linesOf } from './access-log.mjs';

const [path, perSecond, seconds, flushMs] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const perFlush = (perSecond * flushMs) / 1000;
const flushes = (seconds * 1000) / flushMs;
const startedMs = performance.now();

for (let done = 0; done < flushes; done++) {
  appendFileSync(path, linesOf(Math.floor(Date.now() / 1000), perFlush));
  await new Promise((resolve) => setTimeout(resolve, startedMs + (done + 1) * flushMs - performance.now()));
}
