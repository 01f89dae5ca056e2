import { aHost, anEndpointConfig, aRule, createWorld, type World } from '@reactor/testkit';
import type { Plan } from '../src/plan.js';

/** What is held back, on paper: after a takeover, when most hosts seem lost, and when too much would go at once. */

const ids = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `vm${index + 1}`);
const fixed = (count: number) => anEndpointConfig({ scaling: { minInstances: count, maxInstances: count + 4, rules: [] } });

function spread(hosts: number, config = fixed(hosts), startSeconds = 1): World {
  const world = createWorld({ endpoints: { web: config }, hosts: ids(hosts).map((id) => aHost(id)), startSeconds });
  world.run(20);
  return world;
}

const running = (world: World): number => world.instances('web', 'run').length;
const waits = (plans: readonly Plan[]): readonly string[] =>
  plans.flatMap((made) =>
    made.endpoints.flatMap((e) => e.report.steps.flatMap((step) => (step.kind === 'wait' ? [step.on] : []))),
  );
const taking = (world: World, plans: readonly Plan[]) =>
  (['retire', 'remove', 'forget'] as const).flatMap((kind) => world.steps(plans, kind));
const alarms = (plans: readonly Plan[]): readonly string[] => plans.at(-1)!.alarms.map(({ text }) => text);

describe('after a takeover', () => {
  test('nothing shrinks for one lease, and each instance says for what it waits', () => {
    const world = spread(1, fixed(4));
    world.set('web', { hold: { count: 2, untilMs: null } });
    world.quiet(15);
    const plans = world.run(14);
    expect(taking(world, plans)).toEqual([]);
    expect(waits(plans.slice(-1))).toEqual([
      'the lock delay after a takeover, 1 s left; then it is retired',
      'the lock delay after a takeover, 1 s left; then it is retired',
    ]);
    world.run(3);
    expect(running(world)).toBe(2);
  });

  test('a need for more is answered at once', () => {
    const world = spread(
      1,
      anEndpointConfig({ scaling: { minInstances: 1, maxInstances: 9, rules: [aRule('rate', { below: 10 })] } }),
    );
    world.quiet(15);
    world.load('web', 45);
    world.run(3);
    expect(running(world)).toBe(5);
  });

  test('what was draining is neither removed nor forgotten, and may be taken back', () => {
    const world = spread(1, fixed(2));
    world.set('web', { state: 'STOPPED' });
    world.run(58);
    world.quiet(15);
    expect(taking(world, world.run(14))).toEqual([]);
    world.set('web', { state: 'RUNNING' });
    expect(world.steps(world.run(1), 'recommission')).toHaveLength(2);
  });

  test('what is gone is not forgotten yet', () => {
    const world = spread(1, fixed(2));
    world.set('web', { state: 'REMOVED' });
    while (world.instances('web', 'remove').length === 0) world.run(1);
    world.quiet(15);
    expect(taking(world, world.run(14))).toEqual([]);
    expect(world.steps(world.run(2), 'forget')).toHaveLength(2);
  });

  test('a removed host is not struck out yet', () => {
    const world = spread(2, fixed(1));
    const empty = world.instances('web')[0]!.host === 'vm1' ? 'vm2' : 'vm1';
    world.loseHost(empty);
    world.wish(empty, { draining: false, removed: true });
    world.quiet(15);
    world.run(14);
    expect(world.cluster().hostConfigs.has(empty)).toBe(true);
    world.run(6);
    expect(world.cluster().hostConfigs.has(empty)).toBe(false);
  });

  test('a dead instance is replaced and its record cleared all the same', () => {
    const world = spread(1, fixed(2));
    world.run(120);
    const [first] = world.instances('web', 'run');
    world.quiet(15);
    world.report(first!.id, { state: 'exited', error: 'killed by SIGKILL (exit code 137)' });
    world.run(3);
    expect(world.instances('web', 'run').map((i) => i.id)).not.toContain(first!.id);
    expect(running(world)).toBe(2);
  });

  test('an unhealthy instance gets one successor beside it, however often that one fails too', () => {
    const world = spread(1, fixed(2));
    world.run(120);
    const [sick] = world.instances('web', 'run');
    world.quiet(600);
    const fail = (id: string) => world.report(id, { state: 'unhealthy', marks: 1, wasReady: true, error: 'GET / answered 500' });
    fail(sick!.id);
    world.run(3);
    const successor = world.instances('web', 'run').find((i) => i.replaces === sick!.id);
    expect(running(world)).toBe(3);
    fail(successor!.id);
    world.run(120);
    expect(running(world)).toBe(3);
    world.quiet(0);
    world.run(5);
    expect(world.instances('web', 'run').map((i) => i.id)).not.toContain(sick!.id);
    expect(running(world)).toBe(2);
  });

  test('a roll-over begins with a quarter and goes on when the old ones may leave', () => {
    const world = spread(1, fixed(8));
    world.quiet(15);
    world.set('web', { hash: 'hash-2' });
    const plans = world.run(14);
    expect(world.steps(plans, 'start')).toHaveLength(2);
    expect(taking(world, plans)).toEqual([]);
    world.run(30);
    expect(world.instances('web', 'run').map((i) => i.hash)).toEqual(Array(8).fill('hash-2'));
  });
});

describe('when more than half of all hosts are lost together', () => {
  function cut(world: World, hosts: readonly string[]): void {
    for (const host of hosts) world.loseHost(host);
  }

  test('nothing is replaced, retired or removed, and an alarm says why', () => {
    const world = spread(4, fixed(8));
    const before = world.instances('web').map((i) => i.id);
    cut(world, ['vm2', 'vm3', 'vm4']);
    const plans = world.run(300);
    expect(world.steps(plans, 'start')).toEqual([]);
    expect(taking(world, plans)).toEqual([]);
    expect(world.instances('web').map((i) => i.id)).toEqual(before);
    expect(alarms(plans)).toEqual([
      'brake: 3 of 4 hosts were lost within 60 s (vm2, vm3, vm4); no instance is replaced or retired until enough of them are back, or removed by the operator',
    ]);
    expect(waits(plans.slice(-1))[0]).toBe('the brake, for 3 of 4 hosts were lost within 60 s; then it is replaced');
  });

  test('it acts in the very first round, before any loss is noted', () => {
    const world = spread(3, fixed(6));
    world.set('web', { hold: { count: 2, untilMs: null } });
    cut(world, ['vm2', 'vm3']);
    expect(taking(world, world.run(1))).toEqual([]);
  });

  test('hosts without instances count', () => {
    const world = spread(5, fixed(1));
    cut(world, ['vm3', 'vm4', 'vm5']);
    expect(alarms(world.run(2))).toEqual([expect.stringContaining('3 of 5 hosts')]);
  });

  test('it ends as soon as the operator removes those that will not be back', () => {
    const world = spread(4, fixed(8));
    cut(world, ['vm2', 'vm3', 'vm4']);
    world.run(10);
    for (const host of ['vm2', 'vm3']) world.wish(host, { draining: false, removed: true });
    expect(alarms(world.run(1))).toEqual([]);
  });

  test('it ends when enough hosts are back, and the rest is replaced', () => {
    const world = spread(4, fixed(8));
    cut(world, ['vm2', 'vm3', 'vm4']);
    world.run(100);
    const before = world.instances('web').map((i) => i.id);
    world.returnHost(aHost('vm2'));
    // The others may be a moment behind: they are as if lost just now.
    const plans = world.run(59);
    expect(alarms(plans)).toEqual([]);
    expect(world.instances('web').map((i) => i.id)).toEqual(before);
    world.run(10);
    expect(world.instances('web', 'run').map((i) => i.host)).not.toContain('vm3');
    expect(running(world)).toBe(8);
  });

  test('half of them is a loss like any other, and so are losses minutes apart', () => {
    const world = spread(4, fixed(8));
    cut(world, ['vm1', 'vm2']);
    world.run(70);
    expect(new Set(world.instances('web', 'run').map((i) => i.host))).toEqual(new Set(['vm3', 'vm4']));
    world.loseHost('vm3');
    expect(alarms(world.run(2))).toEqual([]);
    expect(running(world)).toBe(8);
  });

  test('growing load still gets instances, and a stop by the operator is obeyed', () => {
    const rules = [aRule('rate', { below: 10 })];
    const world = spread(3, anEndpointConfig({ scaling: { minInstances: 3, maxInstances: 9, rules } }));
    cut(world, ['vm2', 'vm3']);
    world.run(5);
    world.load('web', 65);
    world.run(5);
    expect(running(world)).toBe(7);
    world.set('web', { state: 'STOPPED' });
    world.run(2);
    expect(running(world)).toBe(0);
  });
});

describe('the ceiling', () => {
  test('instances of a lost host count until unknown_timeout: load gets no more than max_instances allows', () => {
    const config = anEndpointConfig({ scaling: { minInstances: 3, maxInstances: 3, rules: [aRule('rate', { below: 1 })] } });
    const world = spread(3, config);
    world.load('web', 50);
    world.loseHost('vm1');
    const plans = world.run(58);
    expect(world.steps(plans, 'start')).toEqual([]);
    expect(running(world)).toBe(3);
    world.run(10);
    expect(running(world)).toBe(3);
    expect(world.instances('web', 'run').map((i) => i.host)).not.toContain('vm1');
  });
});

describe('how much load may take away', () => {
  const falling = (count: number, change = {}) =>
    anEndpointConfig({
      scaling: { minInstances: 1, maxInstances: 2 * count, rules: [aRule('rate', { above: 5, below: 10 })], ...change },
    });
  const hold = (world: World, endpoint: string, count: number | null) =>
    world.set(endpoint, { hold: count === null ? null : { count, untilMs: null } });

  test('is a quarter of an endpoint in one window', () => {
    const world = createWorld({ endpoints: { web: falling(40, { rampLimit: 50 }) }, hosts: [aHost('vm1')] });
    hold(world, 'web', 40);
    world.run(10);
    hold(world, 'web', null);
    const counts = Array.from({ length: 90 }, () => {
      world.run(1);
      return running(world);
    });
    expect(Math.min(...counts)).toBeLessThan(10);
    counts.forEach((count, second) => {
      const before = second < 10 ? 40 : counts[second - 10]!;
      expect(before - count).toBeLessThanOrEqual(Math.max(1, Math.floor(before / 4)));
    });
  });

  test('is a hundred instances of the whole cluster in five seconds, and hitting that raises an alarm', () => {
    const names = Array.from({ length: 20 }, (_, index) => `web${index}`);
    const one = falling(40, { rampLimit: 50 });
    const endpoints = Object.fromEntries(names.map((name) => [name, one]));
    const world = createWorld({ endpoints, hosts: [aHost('vm1', { slots: 100_000 })] });
    for (const name of names) hold(world, name, 40);
    world.run(10);
    for (const name of names) hold(world, name, null);
    world.run(25);
    const drained: number[] = [];
    let raised = 0;
    for (let second = 0; second < 12; second += 1) {
      const plans = world.run(1);
      drained.push(world.steps(plans, 'retire').length);
      raised += alarms(plans).filter((text) => text.startsWith('at most 100 instances')).length;
    }
    for (let from = 0; from + 5 <= drained.length; from += 1) {
      expect(drained.slice(from, from + 5).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(100);
    }
    expect(drained.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100);
    expect(raised).toBeGreaterThan(0);
  });

  test('does not bind the operator: a count held, a lower maximum and a stop act at the pace of the ramp', () => {
    const world = createWorld({ endpoints: { web: falling(20, { rampLimit: 20 }) }, hosts: [aHost('vm1')] });
    hold(world, 'web', 20);
    world.run(5);
    hold(world, 'web', 12);
    world.run(1);
    expect(running(world)).toBe(12);
    hold(world, 'web', null);
    world.set('web', { config: falling(20, { rampLimit: 20, maxInstances: 4 }) });
    world.run(1);
    expect(running(world)).toBe(4);
  });
});
