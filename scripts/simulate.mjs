#!/usr/bin/env node
// Simulates whole clusters from seeds, see README: "Simulation".
//   simulate.mjs [--seed N] [--seeds M] [--minutes T] [--profile NAME] [--mutant NAME] [--journal] [--mutants] [--coverage] [--report FILE]
// One line per 100 seeds; for a seed that fails its number, the rule it broke and the end of its journal. The first few seeds
// run twice, and must be the same to the bit. --profile runs every seed in that world instead of the one it has by itself, which
// is what each mutant names to be met soon. --mutants --mutant NAME goes on with that one. --coverage tells what happened in
// how many seeds, --report writes passes and failures as Jest does. Exits 1 when a seed fails, when something the faults should
// bring about happened too rarely in many seeds, or when a mutant escapes.
import { fork } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { MUTANTS } from '../test/simulation/mutants.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Of this run alone, for several may go on at a time. */
const OUT = join(ROOT, '.cache/simulation', String(process.pid));
/** As many as the smallest machine has cores that runs this. */
const PROCESSES = 2;
const SEEDS_AT_A_TIME = 10;
const TWICE = 5;
/** Fewer seeds need not have met everything. */
const COVERAGE_SEEDS = 500;
/** A mistake that so many seeds do not show is no mistake, or the simulation is blind to it. */
const MUTANT_SEEDS = 300;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    profile: { type: 'string', default: '' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    journal: { type: 'boolean', default: false },
    coverage: { type: 'boolean', default: false },
    report: { type: 'string' },
  },
});
const number = (name, text, fallback) => {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value >= 0) return value;
  console.error(`simulate: --${name}: expected a number, got '${text}'`);
  process.exit(2);
};
const first = number('seed', values.seed, 1);
const count = number('seeds', values.seeds, values.seed === undefined ? 200 : 1);
const minutes = number('minutes', values.minutes, 1);

const text = (file) => readFileSync(join(ROOT, file), 'utf8');

/** A mutant's changed file; throws unless each of its places is there exactly once. */
function mutated({ name, file, find, replace, also = [] }) {
  let source = text(file);
  for (const change of [{ find, replace }, ...also]) {
    const places = source.split(change.find).length - 1;
    if (places !== 1) throw new Error(`mutant ${name}: its text occurs ${places} times in ${file}`);
    source = source.replace(change.find, () => change.replace);
  }
  return source;
}

async function bundle(mutant) {
  const outfile = join(OUT, `${mutant?.name ?? 'production'}-${process.pid}.mjs`);
  const alias = Object.fromEntries(
    readdirSync(join(ROOT, 'packages')).map((name) => [`@reactor/${name}`, join(ROOT, `packages/${name}/src/index.ts`)]),
  );
  const plugin = {
    name: 'mutant',
    setup({ onLoad }) {
      if (mutant === null) return;
      const contents = mutated(mutant);
      onLoad({ filter: /\.ts$/ }, ({ path }) => (path === join(ROOT, mutant.file) ? { contents, loader: 'ts' } : null));
    },
  };
  await build({
    absWorkingDir: ROOT,
    entryPoints: [join(ROOT, 'test/simulation/worker.ts')],
    outfile,
    alias,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    plugins: [plugin],
    // Bundled CommonJS libraries ask for Node's own modules by `require`, which an ES module does not have.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return outfile;
}

/** Hands the seeds out; `each` may answer true to have enough. Resolves with whether all were run. */
function runSeeds(program, from, to, each, profile = values.profile) {
  let next = from;
  let running = 0;
  let enough = false;
  const mine = [];
  return new Promise((resolve, reject) => {
    const feed = (worker) => {
      if (next >= to || enough) return worker.disconnect();
      const end = Math.min(to, next + SEEDS_AT_A_TIME);
      worker.send({ from: next, to: end });
      next = end;
    };
    for (let index = 0; index < Math.min(PROCESSES, to - from); index += 1) {
      const worker = fork(program, [String(minutes), profile], { execArgv: ['--max-semi-space-size=64'] });
      running += 1;
      worker.on('message', (message) => {
        if (message === 'idle') return feed(worker);
        if (enough) return;
        enough = each(message) === true;
        if (enough) for (const other of mine) other.kill();
      });
      worker.on('exit', (code) => {
        if (code !== 0 && !enough) reject(new Error(`a simulating process ended with ${code}`));
        running -= 1;
        if (running === 0) resolve(!enough);
      });
      mine.push(worker);
      workers.push(worker);
      feed(worker);
    }
  });
}

const workers = [];
const leave = () => {
  for (const worker of workers) worker.kill();
  rmSync(OUT, { recursive: true, force: true });
};
process.on('exit', leave);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

const inProfile = values.profile === '' ? '' : ` --profile '${values.profile}'`;

function tell(outcome) {
  console.log(`simulate: seed ${outcome.seed} FAILED after ${(outcome.virtualMs / 1000).toFixed(1)} s: ${outcome.violation}`);
  for (const line of outcome.journal) console.log(`  ${line}`);
  console.log(`simulate: again with: npm run simulate -- --seed ${outcome.seed} --minutes ${minutes}${inProfile} --journal`);
}

async function seeds(program) {
  const began = Date.now();
  const covered = new Map();
  const hashes = new Map();
  let [done, failed, virtualMs, events] = [0, 0, 0, 0];
  const note = (outcome) => {
    done += 1;
    virtualMs += outcome.virtualMs;
    events += outcome.events;
    hashes.set(outcome.seed, outcome.hash);
    for (const what of outcome.covered) covered.set(what, (covered.get(what) ?? 0) + 1);
    if (values.journal && outcome.violation === null) for (const line of outcome.journal) console.log(line);
    if (outcome.violation !== null) {
      failed += 1;
      tell(outcome);
    }
    if (done % 100 === 0 || done === count) {
      const speed = Math.round(virtualMs / (Date.now() - began));
      console.log(
        `simulate: ${done} seeds, ${failed} failed, ${events} events, ${Math.round((Date.now() - began) / 1000)} s, ${speed} x real time`,
      );
    }
  };
  await runSeeds(program, first, first + count, note);
  await runSeeds(program, first, first + Math.min(TWICE, count), ({ seed, hash }) => {
    if (hashes.get(seed) === hash) return;
    failed += 1;
    console.log(`simulate: seed ${seed} FAILED: run twice, it was not the same`);
  });
  const counts = [...covered].sort(([a], [b]) => (a < b ? -1 : 1));
  if (values.coverage)
    for (const [what, seedsWith] of counts) console.log(`simulate: met in ${seedsWith} of ${count} seeds: ${what}`);
  failed += count >= COVERAGE_SEEDS ? uncovered(covered) : 0;
  return { passed: Math.max(0, count - failed), failed };
}

/** What the faults should bring about in so many of a thousand seeds, and did not. */
function uncovered(covered) {
  let missing = 0;
  for (const [what, perThousand] of Object.entries(JSON.parse(text('test/simulation/coverage.json')))) {
    const [met, least] = [covered.get(what) ?? 0, Math.floor((perThousand * count) / 1000)];
    if (met >= least && met > 0) continue;
    missing += 1;
    console.log(`simulate: FAILED: "${what}" happened in ${met} of ${count} seeds, expected ${Math.max(1, least)}`);
  }
  return missing;
}

/** The first outcome among the seeds that breaks a rule; null when none does. */
async function firstViolation(program, from, to, profile) {
  let found = null;
  const note = (outcome) => {
    if (outcome.violation !== null) found = outcome;
    return found !== null;
  };
  await runSeeds(program, from, to, note, profile);
  return found;
}

/** A seed that the mutant fails and that production code passes; null when there is none. */
async function catchMutant(program, production, from, to, profile) {
  for (let next = from; next < to; ) {
    const found = await firstViolation(program, next, to, profile);
    if (found === null) return null;
    if ((await firstViolation(production, found.seed, found.seed + 1, profile)) === null) return found;
    next = found.seed + 1;
  }
  return null;
}

async function mutants() {
  for (const mutant of MUTANTS) mutated(mutant);
  const production = await bundle(null);
  let escaped = 0;
  const asked = MUTANTS.slice(Math.max(0, MUTANTS.indexOf(chosen)));
  for (const mutant of asked) {
    const began = Date.now();
    const program = await bundle(mutant);
    // The seed that showed it last time is asked first; when the code has changed since, another one will show it.
    const within = (from, seedsOf) => catchMutant(program, production, from, from + seedsOf, mutant.profile);
    const pinned = mutant.seed === undefined ? null : await within(mutant.seed, 1);
    const caught = pinned ?? (await within(first, MUTANT_SEEDS));
    if (caught === null) escaped += 1;
    const what = caught === null ? 'ESCAPED' : `seed ${caught.seed}: ${caught.violation.slice(0, 110)}`;
    console.log(`simulate: mutant ${mutant.name}: ${what} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  }
  console.log(`simulate: ${asked.length - escaped} of ${asked.length} mutants caught`);
  return { passed: asked.length - escaped, failed: escaped };
}

mkdirSync(OUT, { recursive: true });
const chosen = values.mutant === undefined ? null : MUTANTS.find(({ name }) => name === values.mutant);
if (chosen === undefined) {
  console.error(`simulate: no mutant '${values.mutant}'; there is ${MUTANTS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const results = [];
if (!values.mutants || values.seeds !== undefined) results.push(await seeds(await bundle(chosen)));
if (values.mutants) results.push(await mutants());
const sum = (what) => results.reduce((total, result) => total + result[what], 0);
if (values.report !== undefined) {
  // Of the shape that Jest's reports have, so that they are summed up together.
  const report = { numPassedTests: sum('passed'), numFailedTests: sum('failed'), numRuntimeErrorTestSuites: 0, testResults: [] };
  writeFileSync(values.report, JSON.stringify(report));
}
process.exitCode = sum('failed') === 0 ? 0 : 1;
