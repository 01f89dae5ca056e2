import { installLightAbort } from './light-abort.js';
import { simulate } from './simulation.js';

/** A process that simulates the seeds it is told and answers with what came of each. Argument: minutes of faults. */
interface Task {
  readonly from: number;
  readonly to: number;
}

const FEW_LINES = 40;

installLightAbort();
// Thousands of errors are made and none is printed with its stack; bugs are told by their first lines.
Error.stackTraceLimit = 4;
const faultyMs = Number(process.argv[2]) * 60_000;

process.on('message', async ({ from, to }: Task) => {
  for (let seed = from; seed < to; seed += 1) {
    const outcome = await simulate({ seed, faultyMs });
    process.send?.({ ...outcome, journal: to - from === 1 ? outcome.journal : outcome.journal.slice(-FEW_LINES) });
  }
  process.send?.('idle');
});
process.on('disconnect', () => process.exit(0));
