import { aHost, anEndpointConfig, aRule, createWorld } from '@reactor/testkit';
import {
  type LoggedSecond,
  logTape,
  measure,
  type RecordedRound,
  recordedRound,
  roundTape,
  type Sample,
  type ScalingConfig,
  type SimulationInput,
  sampleTape,
  simulate,
} from '../src/index.js';

/** The load of the past and what a configuration would have done with it. */

const T0 = 1_700_000_000;

function scalingOf(change: Partial<ScalingConfig> = {}): ScalingConfig {
  const rules = [aRule('rate', { above: 0, below: 10 })];
  return { ...anEndpointConfig().scaling, maxInstances: 20, rules, ...change };
}

const samplesOf = (seconds: number, values: (second: number) => Sample['values']): readonly Sample[] =>
  Array.from({ length: seconds }, (_, second) => ({ atMs: (T0 + second) * 1000, values: values(second) }));

function run(samples: readonly Sample[], change: Partial<SimulationInput> = {}) {
  const scaling = change.scaling ?? scalingOf();
  const tape = sampleTape(samples, scaling.windowMs);
  return simulate({ scaling, decommissionedTimeoutMs: 60_000, startMs: 2_000, capacity: null, tape, instances: 1, ...change });
}

test('the simulated counts of recorded rounds are those that the plan had, second by second', () => {
  const config = anEndpointConfig({ scaling: { ...scalingOf(), scaleDownDelayMs: 15_000 }, decommissionedTimeoutMs: 20_000 });
  const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1')], startSeconds: 2 });
  world.run(5);
  const rounds: RecordedRound[] = [];
  for (let second = 0; second < 600; second += 1) {
    world.load('web', Math.max(0, Math.round(70 + 80 * Math.sin(second / 37))));
    rounds.push(recordedRound(world.run(1)[0]!.endpoints[0]!.report));
  }
  const { rounds: simulated } = simulate({
    ...{ scaling: config.scaling, decommissionedTimeoutMs: 20_000, startMs: 2_000, capacity: null },
    ...{ tape: roundTape(rounds), instances: rounds[0]!.instances },
  });
  expect(simulated.map(({ instances }) => instances)).toEqual(rounds.map(({ instances }) => instances));
  expect(simulated.map(({ target }) => target)).toEqual(rounds.map(({ target }) => target));
  expect(Math.max(...rounds.map(({ instances }) => instances))).toBeGreaterThan(14);
});

test('a log is measured as the load balancer that wrote it was', () => {
  const seconds = Array.from({ length: 60 }, (_, index): LoggedSecond => {
    const requests = (index * 7) % 31;
    return {
      second: T0 + index,
      requests,
      bytes: requests * 900,
      timed: requests,
      seconds: requests / 8,
      errors: index % 3,
      times: [300, requests],
    };
  });
  const tells = new Set(['rate', 'bytes', 'response', 'errors', 'p99']);
  const tape = logTape(seconds, { windowMs: 10_000, metrics: tells, quantiles: true });
  for (let second = 20; second < 60; second += 1) {
    const atMs = (T0 + second) * 1000;
    const buckets = seconds.filter((one) => one.second < T0 + second && one.second >= T0 + second - 10);
    const times = [300, buckets.reduce((sum, one) => sum + one.requests, 0)];
    const report = {
      atMs,
      completeSinceMs: 0,
      badLines: 0,
      lagBytes: 0,
      endpoints: { web: { buckets, times, active: 0, backends: {} } },
    };
    const live = measure([report], 'web', { nowMs: atMs, windowMs: 10_000, expectedSources: 1, instances: 1, balancer: 'nginx' });
    const { stable } = tape.at(atMs, 1);
    expect(Object.keys(stable.metrics).sort()).toEqual([...tells].sort());
    for (const name of tells) expect([name, stable.metrics[name]?.value]).toEqual([name, live.metrics[name]?.value]);
  }
});

test('starts count at once and serve later; what drains is taken back first and costs until it is stopped', () => {
  const load = (second: number): Sample['values'] => ({
    rate: second < 60 ? 5 : second < 120 ? 55 : second < 180 ? 25 : second < 220 ? 55 : 25,
  });
  const scaling = scalingOf({ rules: [aRule('rate', { above: 5, below: 10 })], scaleDownDelayMs: 10_000, rampLimit: 20 });
  const { rounds, summary } = run(samplesOf(400, load), { scaling, startMs: 5_000 });
  // The first round after the one that started them.
  const jump = rounds.findIndex(({ instances }) => instances > 1);
  expect([rounds[jump]!.ready, rounds[jump + 3]!.ready, rounds[jump + 4]!.ready]).toEqual([1, 1, rounds[jump]!.instances]);
  expect(summary).toMatchObject({ least: 1, reversals: 3 });
  expect(summary.peak).toBeGreaterThan(5);
  expect(summary.takenBack).toBeGreaterThan(0);
  expect(summary.retired).toBe(summary.started + summary.takenBack - (rounds.at(-1)!.instances - 1));
  const served = rounds.reduce((sum, { instances }) => sum + instances, 0) / 3600;
  expect(summary.instanceHours).toBeGreaterThan(served);
});

test('time outside of the band is counted by what ready instances got', () => {
  const { summary, rounds } = run(
    samplesOf(120, (second) => ({ rate: second < 60 ? 5 : 35 })),
    { startMs: 10_000 },
  );
  const above = rounds.filter(({ band }) => band === 'above');
  expect(summary.aboveSeconds).toBe(above.length);
  expect(above.length).toBeGreaterThan(9);
  expect(above.length).toBeLessThan(25);
  expect(above.every(({ ready }) => ready < 4)).toBe(true);
  expect(summary.belowSeconds).toBe(0);
});

test('what nobody recorded is unknown, and takes nothing away', () => {
  const values = (second: number): Sample['values'] => (second < 30 ? { rate: 55 } : {});
  const { rounds, summary } = run(samplesOf(200, values));
  expect(summary.unknownSeconds).toBeGreaterThan(130);
  expect(rounds.at(-1)!.instances).toBe(6);
});

test('with a capacity requests wait for instances, and the wait is part of the answer', () => {
  const load = (second: number): Sample['values'] => ({ rate: second < 10 ? 5 : 50, response: 0.1 });
  const scaling = scalingOf({ rules: [aRule('response', { below: 0.5 })], windowMs: 5_000 });
  const { summary, rounds } = run(samplesOf(300, load), { scaling, capacity: 10 });
  expect(summary.queuedSeconds).toBeGreaterThan(5);
  expect(summary.longestWaitSeconds).toBeGreaterThan(0.5);
  expect(Math.max(...rounds.map(({ instances }) => instances))).toBeGreaterThanOrEqual(6);
  expect(rounds.at(-1)!.queue).toBe(0);
});

test('a mean that was measured with another count changes in proportion', () => {
  const scaling = scalingOf({ rules: [aRule('queue', { below: 3 })] });
  const { rounds } = run(
    samplesOf(120, () => ({ queue: 10, instances: 2 })),
    { scaling, instances: 2 },
  );
  expect(rounds.at(-1)!.instances).toBe(7);
});
