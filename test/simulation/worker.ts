import { simulate } from './simulation.js';

/** A process that simulates the seeds it is told and answers with what came of each. Arguments: minutes. */
interface Task {
  readonly from: number;
  readonly to: number;
}

const minutes = Number(process.argv[2]);

process.on('message', async ({ from, to }: Task) => {
  for (let seed = from; seed < to; seed += 1) {
    const outcome = await simulate({ seed, faultyMs: minutes * 60_000 });
    process.send?.({ ...outcome, journal: outcome.violation === null ? [] : outcome.journal.slice(-40) });
  }
  process.send?.('idle');
});
process.on('disconnect', () => process.exit(0));
