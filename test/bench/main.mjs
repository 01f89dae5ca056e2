/**
 * Runs the benchmarks, prints their figures as one table. Those that need a host run in the sandbox, all in one; each of the
 * others runs in a process of its own, so that none meets the memory or the compiled code of another.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { plainTable } from './figure.mjs';
import { withFigures } from './readme-table.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BENCHMARK = join(ROOT, 'test/bench/benchmark.mjs');
const README = join(ROOT, 'README.md');

const ON_MACHINE = ['log-reader', 'plan', 'round', 'simulation', 'start-up', 'explain'];
/** Makes hosts of its own: namespaces beside each other, which a sandbox has no room for. */
const ON_HOSTS = ['cluster'];
// Idle first: what the others leave behind for a minute, thousands of sockets that wait out their time, is counted every second.
const IN_SANDBOX = ['idle', 'spike', 'balancer', 'tcp', 'scale-events', 'two-balancers', 'ui'];
const ALL = [...ON_MACHINE, ...IN_SANDBOX, ...ON_HOSTS];
/** A good run of either takes a third of it; nothing here may hang for ever. */
const MACHINE_LIMIT_MS = 180_000;
const SANDBOX_LIMIT_MS = 1_200_000;
const HOSTS_LIMIT_MS = 900_000;
/** What the sandbox needs to end its engine and its containers. */
const CLEAN_UP_MS = 60_000;

const { names, json, readme } = readOptions();
const directory = mkdtempSync(join(tmpdir(), 'reactor-bench-out-'));
const out = join(directory, 'figures.jsonl');
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const alone = async (which, limitMs) => {
  for (const name of which.filter((each) => names.includes(each))) await run(process.execPath, [BENCHMARK, out, name], limitMs);
};
await alone(ON_MACHINE, MACHINE_LIMIT_MS);
const sandboxed = IN_SANDBOX.filter((name) => names.includes(name));
if (sandboxed.length > 0) {
  await run(join(ROOT, 'scripts/sandbox'), ['--', process.execPath, BENCHMARK, out, ...sandboxed], SANDBOX_LIMIT_MS);
}
await alone(ON_HOSTS, HOSTS_LIMIT_MS);
report(results());

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      options: { json: { type: 'string' }, readme: { type: 'boolean' } },
      allowPositionals: true,
    });
    const stranger = positionals.find((name) => !ALL.includes(name));
    if (stranger !== undefined) throw new Error(`no benchmark is called '${stranger}'; expected ${ALL.join(', ')}`);
    return { names: positionals.length > 0 ? positionals : ALL, json: values.json ?? null, readme: values.readme ?? false };
  } catch (error) {
    console.error(`bench: ${error.message}`);
    process.exit(2);
  }
}

/** Runs to its end or its limit; a signal to us goes to it first, so that it cleans up. */
function run(command, words, limitMs) {
  return new Promise((resolve) => {
    const child = spawn(command, words, { stdio: 'inherit' });
    const end = () => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), CLEAN_UP_MS).unref();
    };
    const stopped = () => {
      process.exitCode = 130;
      end();
    };
    process.once('SIGINT', stopped).once('SIGTERM', stopped);
    const limit = setTimeout(() => {
      console.error(`bench: ended after ${limitMs / 1000} s`);
      end();
    }, limitMs);
    child.once('exit', () => {
      clearTimeout(limit);
      process.off('SIGINT', stopped).off('SIGTERM', stopped);
      if (process.exitCode === 130) process.exit();
      resolve();
    });
  });
}

function results() {
  if (!existsSync(out)) return [];
  const lines = readFileSync(out, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line));
}

function report(results) {
  const figures = results.flatMap((result) => result.figures ?? []);
  const missing = names.filter((name) => !results.some((result) => result.name === name && result.figures));
  if (figures.length > 0) console.log(`\n${plainTable(figures)}\n\n${machine()}`);
  if (json !== null)
    writeFileSync(json, `${JSON.stringify({ machine: machine(), atMs: Date.now(), figures, missing }, null, 2)}\n`);
  if (readme) rewriteReadme(results.filter((result) => result.figures));
  if (missing.length === 0) return;
  console.error(`bench: no figures from ${missing.join(', ')}`);
  process.exitCode = 1;
}

/** What failed is not told to be as it was. */
function rewriteReadme(done) {
  try {
    const groups = names.length < ALL.length ? ', run in groups' : '';
    writeFileSync(README, withFigures(readFileSync(README, 'utf8'), done, machine().replace(/\.$/, `${groups}.`)));
  } catch (error) {
    console.error(`bench: README.md is left as it is: ${error.message}`);
    process.exitCode = 1;
  }
}

function machine() {
  const all = cpus();
  return `${new Date().toISOString().slice(0, 10)}, ${all.length} x ${all[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}.`;
}
