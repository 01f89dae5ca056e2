import { aHost, anEndpointConfig, aRule, createWorld, type World } from '@reactor/testkit';
import fc from 'fast-check';
import { type FollowingCount, followTarget } from '../src/following-count.js';
import { asIfCount, type DecisionRecord, type EndpointHistory, type Plan, type Rule } from '../src/index.js';

/** A candidate's rules beside the live ones, over time and on paper. */

const LIVE = [aRule('rate', { above: 0, below: 10 })];
const SCALING = { maxInstances: 20, rules: LIVE, windowMs: 4_000, scaleDownDelayMs: 5_000 };

function worldWith(shadowRules: readonly Rule[], scaling = {}): World {
  const config = anEndpointConfig({ scaling: { ...SCALING, ...scaling }, shadowRules, decommissionedTimeoutMs: 3_000 });
  return createWorld({ endpoints: { web: config }, hosts: [aHost('vm1')] });
}

interface Phase {
  readonly perSecond: number;
  readonly seconds: number;
}

function play(world: World, phases: readonly Phase[]): readonly Plan[] {
  return phases.flatMap(({ perSecond, seconds }) => {
    world.load('web', perSecond);
    return world.run(seconds);
  });
}

const PHASES = [
  { perSecond: 5, seconds: 10 },
  { perSecond: 60, seconds: 20 },
  { perSecond: 15, seconds: 40 },
  { perSecond: 90, seconds: 10 },
  { perSecond: 0, seconds: 40 },
];
const webOf = (made: Plan) => made.endpoints.find(({ endpoint }) => endpoint.value.name === 'web')!;
const liveTargets = (plans: readonly Plan[]): readonly number[] => plans.map((made) => webOf(made).report.record.target);
const shadowTargets = (plans: readonly Plan[]) => plans.map((made) => webOf(made).report.shadow?.target ?? null);

test('nothing leaves a candidate: steps, instances, targets and logs are those of a plan without it', () => {
  const phases = fc.array(fc.record({ perSecond: fc.nat(150), seconds: fc.integer({ min: 1, max: 25 }) }), { maxLength: 6 });
  const bounds = fc.record({ above: fc.nat(5), below: fc.integer({ min: 6, max: 100 }) });
  const done = (plans: readonly Plan[]): string =>
    JSON.stringify(
      plans.map((made) => {
        const { instances, report, events } = webOf(made);
        return {
          instances,
          steps: report.steps,
          record: report.record,
          events: events.filter(({ event }) => event !== 'SHADOW_UPDATE'),
        };
      }),
    );
  fc.assert(
    fc.property(phases, bounds, (load, candidate) => {
      const without = done(play(worldWith([]), load));
      expect(done(play(worldWith([aRule('rate', candidate)]), load))).toBe(without);
    }),
    { numRuns: 25 },
  );
});

test('a candidate with the live rules wants what they want, round by round', () => {
  const plans = play(worldWith(LIVE), PHASES);
  expect(shadowTargets(plans)).toEqual(liveTargets(plans));
  expect(Math.max(...liveTargets(plans))).toBeGreaterThan(6);
});

test('a candidate shares the measured load by its own count, and keeps to its own delay', () => {
  const plans = play(worldWith([aRule('rate', { above: 0, below: 30 })]), PHASES);
  const during = shadowTargets(plans).slice(20, 30);
  expect(new Set(during)).toEqual(new Set([3]));
  expect(new Set(liveTargets(plans).slice(20, 30))).toEqual(new Set([7]));
  expect(shadowTargets(plans).at(-1)).toBe(1);
});

test('its log says what it wants when that changes, and only then', () => {
  const plans = play(worldWith([aRule('rate', { above: 0, below: 30 })]), PHASES);
  const said = plans.flatMap((made) => webOf(made).events.filter(({ event }) => event === 'SHADOW_UPDATE'));
  const targets = shadowTargets(plans);
  const changes = targets.filter((target, index) => target !== targets[index - 1]);
  expect(said).toHaveLength(changes.length);
  expect(said.some(({ message }) => message.startsWith('shadow_rules want 3, the rules want 7: '))).toBe(true);
});

test('it is remembered only when there is something new, and begins anew with other rules', () => {
  const world = worldWith([aRule('rate', { below: 30 })]);
  play(world, [{ perSecond: 60, seconds: 20 }]);
  const known = () => world.cluster().histories.get('web')!.value as unknown as EndpointHistory;
  expect(known().shadow).toMatchObject({ rules: ['rate < 30'], instances: 3 });
  const { revision } = world.cluster().histories.get('web')!;
  play(world, [{ perSecond: 60, seconds: 5 }]);
  expect(world.cluster().histories.get('web')!.revision).toBe(revision);
  const scaling = { ...anEndpointConfig().scaling, ...SCALING };
  world.set('web', { config: anEndpointConfig({ scaling, shadowRules: [aRule('rate', { below: 20 })] }) });
  expect(webOf(world.run(1)[0]!).report.shadow).toMatchObject({ rules: ['rate < 20'], instances: 7 });
  world.set('web', { config: anEndpointConfig({ scaling }) });
  expect(webOf(world.run(1)[0]!).report.shadow).toBeUndefined();
  expect(known().shadow).toBeNull();
});

test('an endpoint that does not scale has no candidate', () => {
  const world = worldWith([aRule('rate', { below: 30 })]);
  play(world, [{ perSecond: 60, seconds: 10 }]);
  world.set('web', { state: 'PAUSED' });
  expect(webOf(world.run(1)[0]!).report.shadow).toBeUndefined();
});

test('a mean is taken to fall as the count grows, a load is what it is', () => {
  const sources = { reported: 1, expected: 1 };
  const reading = (kind: 'total' | 'average' | 'direct', value: number) => ({ kind, value, ageMs: 0, sources });
  const metrics = { rate: reading('total', 60), response: reading('average', 0.4), instances: reading('direct', 2) };
  const asked = asIfCount({ metrics, requests: 600, partial: false, settled: 2 }, 2, 8);
  expect(Object.fromEntries(Object.entries(asked.metrics).map(([name, { value }]) => [name, value]))).toEqual({
    rate: 60,
    response: 0.1,
    instances: 8,
  });
  expect(asked.settled).toBe(8);
});

test('what is remembered of retirements stays small, however long they can be taken back', () => {
  const input = { scaling: { ...anEndpointConfig().scaling, windowMs: 1_000, maxInstances: 500 }, state: 'RUNNING', kinds: [] };
  let count: FollowingCount = { instances: 400, drained: [] };
  for (let second = 0; second < 300; second += 1) {
    const record = { ...input, atMs: second * 1_000, instances: count.instances, target: count.instances - 1 };
    count = followTarget(count, record as unknown as DecisionRecord, 86_400_000);
  }
  expect(count.drained.length).toBeLessThanOrEqual(64);
  expect(count.drained.reduce((sum, [, left]) => sum + left, 0)).toBe(400 - count.instances);
});
