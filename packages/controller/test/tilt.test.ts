import type { Meter } from '@reactor/core';
import { startTilt, type Tilt } from '../src/tilt.js';
import { type ScriptedClock, scriptedClock } from './scripted-clock.js';

/** A process that stood still or whose clock jumped keeps still for a while. */

let clock: ScriptedClock;
let tilt: Tilt;
let told: string[];
let changes: number;
let counted: string[];
let stop: AbortController;

beforeEach(() => {
  clock = scriptedClock();
  told = [];
  counted = [];
  changes = 0;
  stop = new AbortController();
  const meter: Meter = { add: (name) => void counted.push(name), set: () => undefined, observe: () => undefined };
  tilt = startTilt({
    clock,
    signal: stop.signal,
    meter,
    log: (_level, message) => void told.push(message),
    changed: () => {
      changes += 1;
    },
  });
});

afterEach(async () => {
  stop.abort();
  await tilt.done;
});

/** Time goes by as it should: half a second at a time. */
async function steadily(seconds: number): Promise<void> {
  for (let half = 0; half < seconds * 2; half += 1) {
    clock.pass(500);
    await clock.tick();
  }
}

/** How long it keeps still from now on. */
async function heldSeconds(): Promise<number> {
  for (let seconds = 0; seconds < 100; seconds += 0.5) {
    if (tilt.problem() === null) return seconds;
    await steadily(0.5);
  }
  return Number.POSITIVE_INFINITY;
}

test('a steady clock is none, and neither are a second of delay and a clock that is set by a second', async () => {
  await steadily(10);
  clock.pass(1_400);
  await clock.tick();
  clock.jump(-1_000);
  await steadily(5);
  expect(tilt.problem()).toBeNull();
  expect(told).toEqual([]);
});

test.each([
  [2_500, 5],
  [2_001, 4.5],
  [10_000, 20],
  [60_000, 30],
])('a stand-still of %i ms is noticed before any timer and held for %d s', async (gapMs, seconds) => {
  clock.pass(gapMs);
  expect(tilt.problem()).toMatch(/^this process stood still for /);
  expect(await heldSeconds()).toBe(seconds);
});

test.each([-60_000, 2_100, 3_600_000])('a wall clock that jumps by %i ms is held against it for 30 s', async (jumpMs) => {
  await steadily(1);
  clock.jump(jumpMs);
  expect(tilt.problem()).toMatch(/^the clock of this machine jumped /);
  expect(await heldSeconds()).toBe(30);
});

test('says so once when it begins and once when it ends, counts it, and wakes whoever leads', async () => {
  clock.pass(3_000);
  await clock.tick();
  await steadily(20);
  expect(told).toEqual([
    'this process stood still for 3.0 s: neither leading nor changing anything for 6.0 s',
    'the clocks are steady again: may lead',
  ]);
  expect(counted).toEqual(['reactor_tilt_total']);
  expect(changes).toBe(2);
});

test('another stand-still meanwhile prolongs it', async () => {
  clock.pass(10_000);
  tilt.problem();
  await steadily(15);
  clock.pass(10_000);
  expect(await heldSeconds()).toBe(20);
});
