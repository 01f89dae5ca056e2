#!/usr/bin/env node
// Sums JSON reports of Jest's shape up for scripts/test.
//   test-summary.mjs [--quiet] PROBLEMS REPORT...
// PROBLEMS is a count of failures outside of Jest. A report that is missing counts nothing here: whoever ran Jest knows
// that it failed. Exits 1 when anything failed or a test of a `real` report was skipped.
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const args = process.argv.slice(2);
const quiet = args[0] === '--quiet';
if (quiet) args.shift();

let passed = 0;
let failed = Number(args.shift());
let skipped = 0;
const complaints = [];

for (const file of args) {
  if (!existsSync(file)) continue;
  const report = JSON.parse(readFileSync(file, 'utf8'));
  passed += report.numPassedTests;
  // A suite that could not be loaded has no tests to fail, so it counts as one.
  failed += report.numFailedTests + report.numRuntimeErrorTestSuites;
  for (const suite of report.testResults) {
    if (suite.status === 'failed' && suite.assertionResults.length === 0) complaints.push(`could not run: ${suite.name}`);
    for (const test of suite.assertionResults) {
      if (test.status === 'failed') complaints.push(`failed: ${test.fullName}  (${suite.name})`);
      if (test.status !== 'pending' && test.status !== 'todo' && test.status !== 'disabled') continue;
      skipped += 1;
      if (basename(file).startsWith('real')) complaints.push(`SKIPPED: ${test.fullName}  (${suite.name})`);
    }
  }
}

if (!quiet) {
  for (const complaint of complaints) console.log(`test: ${complaint.replace(`${process.cwd()}/`, '')}`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
}
process.exitCode = failed > 0 || complaints.length > 0 ? 1 : 0;
