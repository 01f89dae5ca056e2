import { installLightAbort } from './light-abort.js';
import { profileNamed } from './profiles.js';
import { simulate } from './simulation.js';

/**
 * A process that simulates the seeds it is told and answers with what came of each. Arguments: minutes of faults, and a profile
 * unless each seed has its own.
 */
interface Task {
  readonly from: number;
  readonly to: number;
}

const FEW_LINES = 40;

installLightAbort();
// Thousands of errors are made and none is printed with its stack; bugs are told by their first lines.
Error.stackTraceLimit = 4;
const faultyMs = Number(process.argv[2]) * 60_000;
const profile = process.argv[3] ? profileNamed(process.argv[3]) : null;

process.on('message', async ({ from, to }: Task) => {
  for (let seed = from; seed < to; seed += 1) {
    const outcome = await simulate({ seed, faultyMs, profile });
    process.send?.({ ...outcome, journal: to - from === 1 ? outcome.journal : outcome.journal.slice(-FEW_LINES) });
  }
  process.send?.('idle');
});
process.on('disconnect', () => process.exit(0));
