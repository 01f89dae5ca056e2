import { aHost, anEndpointConfig, createWorld, type World } from '@reactor/testkit';

/** What is done about instances that somebody dropped or wants to leave. */

const config = anEndpointConfig({
  unregisteredTimeoutMs: 20_000,
  decommissionedTimeoutMs: 1_000,
  scaling: { minInstances: 2, rules: [] },
});

function twoRunning(): World {
  const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1')] });
  world.run(5);
  return world;
}
const meant = (world: World): readonly string[] => world.instances('web', 'run').map(({ id }) => id);

test('one that is registered again in time stays', () => {
  const world = twoRunning();
  const before = meant(world);
  world.wishFor(before[0]!, 'drop');
  world.run(19);
  world.wishFor(before[0]!, null);
  world.run(60);
  expect(meant(world)).toEqual(before);
});

test('one that is not is replaced, and never taken back', () => {
  const world = twoRunning();
  const [first, second] = meant(world);
  world.wishFor(first!, 'drop');
  const plans = world.run(30);
  expect(meant(world)).toEqual([second, expect.not.stringMatching(first!)]);
  expect(world.steps(plans, 'start')).toMatchObject([
    { why: expect.stringContaining('which was dropped 20 s ago and not registered again') },
  ]);
  expect(world.steps(plans, 'recommission')).toEqual([]);
  world.run(30);
  expect(world.instances('web').map(({ id }) => id)).not.toContain(first);
});

test('one that is to leave is replaced first, and the count is never missed', () => {
  const world = twoRunning();
  const [first] = meant(world);
  world.wishFor(first!, 'disassociate');
  for (let round = 0; round < 30; round++) {
    world.run(1);
    expect(meant(world).length).toBeGreaterThanOrEqual(2);
  }
  expect(meant(world)).toHaveLength(2);
  expect(world.instances('web').map(({ id }) => id)).not.toContain(first);
});

test('load that falls takes a dropped one first', () => {
  const world = twoRunning();
  const [first, second] = meant(world);
  world.wishFor(first!, 'drop');
  world.set('web', { config: { ...config, scaling: { ...config.scaling, minInstances: 1, maxInstances: 1 } } });
  world.run(3);
  expect(meant(world)).toEqual([second]);
});

test('a paused endpoint is left alone', () => {
  const world = twoRunning();
  const before = meant(world);
  world.set('web', { state: 'PAUSED' });
  world.wishFor(before[0]!, 'disassociate');
  world.wishFor(before[1]!, 'drop');
  expect(world.run(60).flatMap((plan) => plan.endpoints.flatMap(({ report }) => report.steps))).toEqual([]);
});
