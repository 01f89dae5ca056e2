// Loaded into a reactord before its own code (node --import): on SIGUSR2 it does to the process what the file
// REACTOR_TEST_TROUBLE says, as JSON. Only this process is troubled; the clock of the machine is never touched.
//   { "clockMs": N }   the wall clock is N ms off from now on, as after a step of it; timers go by the other clock, as ever
//   { "blockMs": N }   nothing else runs for N ms: no timer fires, no answer is read
import { readFileSync } from 'node:fs';

const file = process.env.REACTOR_TEST_TROUBLE;
const RealDate = Date;
let offsetMs = 0;

globalThis.Date = class SetDate extends RealDate {
  constructor(...words) {
    if (words.length === 0) super(RealDate.now() + offsetMs);
    else super(...words);
  }
  static now() {
    return RealDate.now() + offsetMs;
  }
};

const read = () => JSON.parse(readFileSync(file, 'utf8'));
const begin = ({ clockMs, blockMs }) => {
  if (clockMs !== undefined) offsetMs = clockMs;
  if (blockMs !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
};

try {
  // The clock of a machine that boots may be off from the first moment.
  begin({ clockMs: read().clockMs });
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
process.on('SIGUSR2', () => begin(read()));
