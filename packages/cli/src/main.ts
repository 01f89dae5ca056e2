#!/usr/bin/env node
/**
 * The executable. `version` and `--version`, which scripts and prompts call most, are answered before anything is
 * loaded; all else is `run`.
 */
import { versionText } from './version.js';

const argv = process.argv.slice(2);
const [word] = argv;

if (argv.length === 1 && (word === 'version' || word === '--version')) {
  process.stdout.on('error', () => {});
  process.stdout.write(`${versionText()}\n`);
} else {
  await keepCompiled(process.env['HOME']);
  const [{ run }, { processIo }] = await Promise.all([import('./run.js'), import('./io.js')]);
  // Only the status is set: exiting here would cut off what a pipe has not taken yet.
  process.exitCode = await run(argv, processIo());
}

/**
 * Node 22.1 and later keep compiled code between runs. Below the user's home, not in /tmp, where somebody else could
 * have put code for root to run.
 */
async function keepCompiled(home: string | undefined): Promise<void> {
  const module: object = await import('node:module');
  if (home?.startsWith('/') !== true || !('enableCompileCache' in module)) return;
  if (typeof module.enableCompileCache === 'function') module.enableCompileCache(`${home}/.cache/reactor`);
}
