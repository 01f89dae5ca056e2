import type { EndpointHistory, Plan } from '@reactor/core';
import { aHost, anEndpointConfig, createWorld, type World } from '@reactor/testkit';

/** What `explain` tells of the hosts: from rounds of the plan on paper. */

const told = (plans: readonly Plan[]) =>
  plans.flatMap(({ endpoints }) => endpoints.map(({ report }) => report.placement ?? null));
const kept = (world: World) =>
  (world.cluster().histories.get('web')?.value as unknown as EndpointHistory | undefined)?.placement ?? null;
const held = (count: number) => anEndpointConfig({ scaling: { minInstances: count, maxInstances: count, rules: [] } });

test('a round that starts something tells what every host answered, and the next ones do not repeat it', () => {
  const world = createWorld({ endpoints: { web: held(1) }, hosts: [aHost('vm1'), aHost('vm2'), aHost('vm3', { slots: 5 })] });
  const [first, ...later] = told(world.run(5));
  expect(first).toMatchObject({
    host: 'vm1',
    more: {},
    hosts: [
      { host: 'vm1', verdict: 'chosen', filter: null, reason: 'spread: 1.0 % used after placement' },
      { host: 'vm2', verdict: 'fits', filter: null, reason: '1.0 % used after placement, 0 of this endpoint there, 0 in all' },
      { host: 'vm3', verdict: 'refused', filter: 'capacity', reason: 'needs 10 slots, 5 free' },
    ],
  });
  expect(later).toEqual([null, null, null, null]);
  expect(kept(world)).toEqual(first);
});

test('a start that no host takes is kept once, however long it lasts', () => {
  const world = createWorld({ endpoints: { web: held(2) }, hosts: [aHost('vm1', { slots: 10 })] });
  const plans = world.run(3);
  expect(told(plans)[0]).toMatchObject({ host: null, reason: 'vm1: needs 10 slots, 0 free' });
  const first = kept(world);
  expect(first).toMatchObject({ host: null });
  world.run(10);
  expect(kept(world)).toEqual(first);
});

test('a host that is away is told as lost', () => {
  const world = createWorld({ endpoints: { web: held(2) }, hosts: [aHost('vm1'), aHost('vm2')] });
  world.run(5);
  world.loseHost('vm2');
  const newest = told(world.run(70)).filter((report) => report !== null);
  expect(newest[0]?.hosts).toContainEqual({ host: 'vm2', verdict: 'refused', filter: 'health', reason: 'lost' });
});

test('of many hosts twenty are told one by one, the chosen one among them, and the others are counted', () => {
  const hosts = Array.from({ length: 100 }, (_, index) =>
    aHost(`vm${String(index).padStart(2, '0')}`, { slots: index < 95 ? 5 : 1000 }),
  );
  const world = createWorld({ endpoints: { web: held(1) }, hosts });
  const [report] = told(world.run(1));
  expect(report?.hosts).toHaveLength(20);
  expect(report?.hosts.filter(({ verdict }) => verdict === 'chosen').map(({ host }) => host)).toEqual(['vm95']);
  expect(report?.more).toEqual({ capacity: 76, fits: 4 });
  expect(JSON.stringify(report).length).toBeLessThan(3_000);
});
