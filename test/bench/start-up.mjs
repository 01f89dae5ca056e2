import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { figure } from './figure.mjs';
import { alternate, median, timed } from './sample.mjs';

/** How long the command line takes to answer, as whole processes. */

const PAIRS = 20;
const CLI = fileURLToPath(new URL('../../packages/cli/dist/reactor.mjs', import.meta.url));

export async function measure(say) {
  say(`${PAIRS} x against node -e 0`);
  const bare = () => timed(() => run(['-e', '0']));
  const version = await alternate(PAIRS, () => timed(() => run([CLI, 'version'])), bare);
  const help = await alternate(PAIRS / 2, () => timed(() => run([CLI, 'help'])), bare);
  const figureOf = (name, samples, targets) =>
    figure({
      id: 'P8',
      name,
      unit: 'ms',
      ours: median(samples.ours),
      peer: { name: 'node -e 0', value: median(samples.peer) },
      targets,
    });
  return [
    figureOf('reactor version, whole process', version, [{ of: 'ratio', op: '<=', limit: 2 }]),
    figureOf('reactor help, whole process', help, []),
  ];
}

function run(words) {
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${words.join(' ')} ended with status ${status}: ${stderr}`);
}
