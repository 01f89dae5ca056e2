import { aHost, anEndpointConfig, aRule, createWorld } from '@reactor/testkit';
import { packDecision, unpackDecision } from '../src/index.js';

const HOUR_S = 3_600;

test('of an hour of rounds, with all that happens in one, every decision that is kept gives the same bytes when made again', () => {
  const rules = [aRule('rate', { above: 3, below: 10 }), aRule('response', { below: 0.4 })];
  const world = createWorld({
    endpoints: {
      web: anEndpointConfig({ scaling: { maxInstances: 30, rules, scaleDownDelayMs: 20_000 } }),
      quiet: anEndpointConfig({ scaling: { minInstances: 2 } }),
    },
    hosts: ['vm1', 'vm2'].map((id) => aHost(id)),
    startSeconds: 2,
  });
  let rounds = 0;
  let longest = 0;
  const kept: number[] = [];
  const live = (seconds: number): void => {
    for (const made of world.run(seconds)) {
      for (const { report, changed } of made.endpoints) {
        rounds += 1;
        const packed = packDecision(report);
        const { report: again, reproduced } = unpackDecision({ ...packed, seq: rounds });
        expect([JSON.stringify(again?.record), reproduced]).toEqual([JSON.stringify(report.record), true]);
        if (changed) kept.push(JSON.stringify(packed.message).length);
        longest = Math.max(longest, JSON.stringify(packed.message).length);
      }
    }
  };
  // A day in an hour: load comes and goes, answers get slow, a host falls silent, the operator takes the wheel.
  for (let minute = 0; minute < HOUR_S / 60; minute += 1) {
    const wave = 60 * (1 + Math.sin(minute / 5));
    world.load('web', minute % 13 === 12 ? 0 : wave, minute % 17 === 16 ? 0.9 : 0.05);
    if (minute === 20) world.hear(['vm1']);
    if (minute === 22) world.hear(['vm1', 'vm2']);
    if (minute === 30) world.set('web', { hold: { count: 4, untilMs: world.nowMs() + 90_000 } });
    if (minute === 40) world.set('web', { state: 'PAUSED' });
    if (minute === 42) world.set('web', { state: 'RUNNING' });
    live(60);
  }
  expect(rounds).toBe(2 * HOUR_S);
  expect(kept.length).toBeGreaterThan(100);
  expect(longest).toBeLessThanOrEqual(4_000);
  const mean = Math.round(kept.reduce((sum, length) => sum + length, 0) / kept.length);
  console.log(`${rounds} decisions made again, ${kept.length} of them kept, ${mean} bytes each, ${longest} at most`);
});
