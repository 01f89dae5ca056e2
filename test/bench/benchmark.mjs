/**
 * Runs benchmarks one after the other in this process: benchmark.mjs OUT NAME... Their figures go to the file OUT, one JSON
 * line per benchmark, so that those done are kept when a later one fails or is ended.
 */
import { appendFileSync } from 'node:fs';

const [out, ...names] = process.argv.slice(2);

for (const name of names) {
  const say = (text) => console.error(`bench: ${name}: ${text}`);
  try {
    const { measure } = await import(`./${name}.mjs`);
    appendFileSync(out, `${JSON.stringify({ name, figures: await measure(say) })}\n`);
  } catch (error) {
    say(`failed: ${error.stack}`);
    appendFileSync(out, `${JSON.stringify({ name, error: error.message })}\n`);
  }
}
// A connection or a timer that a failed benchmark left behind must not keep the process.
process.exit();
