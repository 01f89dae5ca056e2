import type { HostRecord, PlacementConfig, Plan } from '@reactor/core';
import { aHost, anEndpointConfig, createWorld, type World } from '@reactor/testkit';
import fc from 'fast-check';
import { parseExpressions } from '../src/placement-expression.js';

/** Hosts that join get their share, on paper: one round per second, hosts that do as they are told. */

const expressions = (text: string): PlacementConfig['constraints'] => {
  const read = parseExpressions(text, 'constraint');
  if (!read.ok) throw new Error(read.fault.message);
  return read.value;
};

const gradual = (count: number, placement: Partial<PlacementConfig> = {}) =>
  anEndpointConfig({
    scaling: { minInstances: count, maxInstances: count, rampLimit: 50 },
    decommissionedTimeoutMs: 5_000,
    placement: { slots: 10, strategy: 'spread', constraints: [], affinity: [], rebalance: 'gradual', ...placement },
  });

function crowded(count: number, placement: Partial<PlacementConfig> = {}): World {
  const world = createWorld({ endpoints: { web: gradual(count, placement) }, hosts: [aHost('vm1')] });
  world.run(5);
  return world;
}

const perHost = (world: World, endpoint = 'web'): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const { host } of world.instances(endpoint, 'run')) counts[host] = (counts[host] ?? 0) + 1;
  return counts;
};
const ready = (world: World): number =>
  world.instances('web', 'run').filter(({ id }) => world.cluster().reports.get(id)?.value.state === 'ready').length;
const starts = (world: World, plans: readonly Plan[]): number => world.steps(plans, 'start').length;

test('a host that joins gets its share, one instance after the other, and the count never falls', () => {
  const world = crowded(6);
  world.returnHost(aHost('vm2'));
  for (let second = 0; second < 30; second += 1) {
    expect(starts(world, world.run(1))).toBeLessThanOrEqual(1);
    expect(ready(world)).toBeGreaterThanOrEqual(6);
  }
  expect(perHost(world)).toEqual({ vm1: 3, vm2: 3 });
  expect(starts(world, world.run(120))).toBe(0);
});

test('without the key nothing moves', () => {
  const world = crowded(6, { rebalance: 'off' });
  world.returnHost(aHost('vm2'));
  expect(starts(world, world.run(60))).toBe(0);
});

test('a difference of one instance is left alone, a difference of two is not', () => {
  const one = crowded(1);
  one.returnHost(aHost('vm2'));
  expect(starts(one, one.run(60))).toBe(0);
  const two = crowded(2);
  two.returnHost(aHost('vm2'));
  two.run(60);
  expect(perHost(two)).toEqual({ vm1: 1, vm2: 1 });
});

test('a host of half the size gets half as many', () => {
  const world = crowded(9);
  world.returnHost(aHost('vm2', { slots: 500 }));
  world.run(60);
  expect(perHost(world)).toEqual({ vm1: 6, vm2: 3 });
});

test('a host that the constraints refuse gets nothing, and one that meets fewer soft rules neither', () => {
  const hard = createWorld({
    endpoints: { web: gradual(6, { constraints: expressions('region==eu') }) },
    hosts: [aHost('vm1', { labels: { region: 'eu' } })],
  });
  hard.run(5);
  hard.returnHost(aHost('vm2', { labels: { region: 'us' } }));
  expect(starts(hard, hard.run(60))).toBe(0);
  const soft = createWorld({
    endpoints: { web: gradual(6, { constraints: expressions('disk==~ssd') }) },
    hosts: [aHost('vm1', { labels: { disk: 'ssd' } })],
  });
  soft.run(5);
  soft.returnHost(aHost('vm2'));
  expect(starts(soft, soft.run(60))).toBe(0);
});

test('hosts that are packed on purpose stay packed', () => {
  const world = crowded(6, { strategy: 'binpack' });
  world.returnHost(aHost('vm2'));
  expect(starts(world, world.run(60))).toBe(0);
});

test('many endpoints of one instance each move as well, one in the whole cluster at a time', () => {
  const names = Array.from({ length: 6 }, (_, index) => `web${index}`);
  const world = createWorld({ endpoints: Object.fromEntries(names.map((name) => [name, gradual(1)])), hosts: [aHost('vm1')] });
  world.run(5);
  world.returnHost(aHost('vm2'));
  for (let second = 0; second < 40; second += 1) expect(starts(world, world.run(1))).toBeLessThanOrEqual(1);
  const all = names.map((name) => Object.keys(perHost(world, name))[0]);
  expect(all.filter((host) => host === 'vm2')).toHaveLength(3);
});

test('nothing moves while a load balancer is not heard of, or has not taken up what was done before', () => {
  const world = crowded(6);
  world.returnHost(aHost('vm2'));
  world.mute(true);
  expect(starts(world, world.run(30))).toBe(0);
  world.mute(false);
  world.run(1);
  // One of the load balancers lags from here on: it goes on serving what it served.
  world.lag('vm1', true);
  expect(starts(world, world.run(30))).toBe(0);
  world.lag('vm1', false);
  world.run(40);
  expect(perHost(world)).toEqual({ vm1: 3, vm2: 3 });
});

test('a new host where nothing starts is given up, and its instances stay where they were', () => {
  const world = crowded(6);
  world.returnHost(aHost('vm2'));
  world.breakStarts('web', true);
  world.run(120);
  world.breakStarts('web', false);
  expect(world.instances('web', 'run').filter(({ host }) => host === 'vm1').length).toBeGreaterThanOrEqual(6);
  world.run(400);
  expect(perHost(world)).toEqual({ vm1: 3, vm2: 3 });
});

test('it ends, whatever the hosts, strategies, slots and constraints, and nothing is left to even out', () => {
  const labelled = (id: string, slots: number, eu: boolean): HostRecord =>
    aHost(id, { slots, labels: { region: eu ? 'eu' : 'us' } });
  const host = fc.record({ slots: fc.constantFrom(40, 100, 250, 1000), eu: fc.boolean(), late: fc.boolean() });
  const endpoint = fc.record({
    count: fc.integer({ min: 0, max: 8 }),
    slots: fc.constantFrom(5, 10, 30),
    strategy: fc.constantFrom('spread' as const, 'random' as const, 'binpack' as const),
    constraint: fc.constantFrom('', 'region==eu', 'region==~eu'),
  });
  fc.assert(
    fc.property(
      fc.array(host, { minLength: 1, maxLength: 5 }),
      fc.array(endpoint, { minLength: 1, maxLength: 3 }),
      (hosts, configs) => {
        const records = hosts.map(({ slots, eu }, index) => labelled(`vm${index}`, slots, eu));
        const early = records.filter((_, index) => hosts[index]?.late === false);
        const endpoints = Object.fromEntries(
          configs.map(({ count, slots, strategy, constraint }, index) => [
            `web${index}`,
            gradual(count, { slots, strategy, constraints: constraint === '' ? [] : expressions(constraint) }),
          ]),
        );
        const world = createWorld({ endpoints, hosts: early });
        world.run(5);
        for (const record of records) if (!early.includes(record)) world.returnHost(record);
        // Each of at most 24 instances moves less often than there are hosts, and a move takes a few rounds.
        world.run(300);
        expect(starts(world, world.run(30))).toBe(0);
        const taken = new Map(records.map(({ id }) => [id, 0]));
        for (const { value } of world.cluster().instances.values())
          taken.set(value.host, (taken.get(value.host) ?? 0) + value.slots);
        for (const { id, slots } of records) expect(taken.get(id)).toBeLessThanOrEqual(slots);
      },
    ),
    { numRuns: 20 },
  );
});
