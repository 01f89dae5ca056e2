import { ReactorError } from '@reactor/core';
import type { Daemon } from '../src/daemon.js';
import { type PatienceOptions, startPatiently } from '../src/patience.js';

const DAEMON: Daemon = { stop: async () => undefined };

/** A start that fails with each of these first, on a clock whose waits are only noted. */
function attempts(failures: readonly Error[], change: Partial<PatienceOptions> = {}) {
  const said: string[] = [];
  const waitsMs: number[] = [];
  let tries = 0;
  const options: PatienceOptions = {
    start: async () => {
      const failure = failures[tries];
      tries += 1;
      if (failure) throw failure;
      return DAEMON;
    },
    sharedState: true,
    clock: { now: () => 0, monotonic: () => 0, sleep: async (ms) => void waitsMs.push(ms) },
    log: (level, message) => void said.push(`${level}: ${message}`),
    signal: new AbortController().signal,
    ...change,
  };
  return { options, said, waitsMs, tries: () => tries };
}

const away = (reason: string): ReactorError => new ReactorError('state_unavailable', reason);

test('a state that answers is not waited for, and nothing is said', async () => {
  const { options, said, waitsMs } = attempts([]);
  expect(await startPatiently(options)).toBe(DAEMON);
  expect({ said, waitsMs }).toEqual({ said: [], waitsMs: [] });
});

test('a shared state that is away is tried again, with one line per reason and one at the end', async () => {
  const { options, said, waitsMs } = attempts([
    away('refused'),
    away('refused'),
    away('loading'),
    away('loading'),
    away('loading'),
  ]);
  expect(await startPatiently(options)).toBe(DAEMON);
  expect(said).toEqual([
    'error: cannot start yet, trying again until it works: refused',
    'error: cannot start yet, trying again until it works: loading',
    'info: the cluster state can be reached',
  ]);
  expect(waitsMs).toEqual([250, 500, 1_000, 2_000, 2_000]);
});

test.each([
  ['a state of this host only', away('its directory is in use'), false],
  ['a state that is another one', new ReactorError('state_foreign', 'is empty'), true],
  ['a mistake in the configuration', new ReactorError('config_invalid', 'no program nginx'), true],
  ['a bug', new Error('undefined is not a function'), true],
])('%s fails at once', async (_what, failure, sharedState) => {
  const { options, tries } = attempts([failure], { sharedState });
  await expect(startPatiently(options)).rejects.toBe(failure);
  expect(tries()).toBe(1);
});

test('told to stop while it waits, it does not try again', async () => {
  const stopping = new AbortController();
  const clock = { now: () => 0, monotonic: () => 0, sleep: async () => stopping.abort() };
  const { options, tries } = attempts([away('refused'), away('refused')], { clock, signal: stopping.signal });
  expect(await startPatiently(options)).toBeNull();
  expect(tries()).toBe(1);
});
