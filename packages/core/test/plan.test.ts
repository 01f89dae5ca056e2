import { aHost, anEndpointConfig, aRule, createWorld, type World } from '@reactor/testkit';

/** What is decided and done over time, on paper: one round per second, hosts that do as they are told. Long, but one thing: the plan. */

const oneHost = [aHost('vm1')];

function started(config = anEndpointConfig(), startSeconds = 1): World {
  const world = createWorld({ endpoints: { web: config }, hosts: oneHost, startSeconds });
  world.run(5);
  return world;
}

const running = (world: World): number => world.instances('web', 'run').length;

describe('starting', () => {
  test('an endpoint without traffic is brought to its minimum', () => {
    const world = started(anEndpointConfig({ scaling: { minInstances: 2 } }));
    expect(running(world)).toBe(2);
  });

  test('a burst is answered within two rounds, up to the maximum', () => {
    const world = started();
    world.load('web', 33);
    world.run(2);
    expect(running(world)).toBe(5);
  });

  test('load is not answered twice while containers come up', () => {
    const world = started(anEndpointConfig({ scaling: { maxInstances: 50, rules: [aRule('rate', { below: 10 })] } }), 5);
    world.load('web', 45);
    world.run(12);
    expect(running(world)).toBe(5);
  });

  test('a slow service doubles once per window, not once per round', () => {
    const world = started(
      anEndpointConfig({ scaling: { maxInstances: 64, rampLimit: 64, rules: [aRule('response', { below: 0.3 })] } }),
    );
    world.run(10);
    world.load('web', 10, 3);
    world.run(3);
    expect(running(world)).toBe(2);
    world.run(6);
    expect(running(world)).toBe(2);
    world.run(8);
    expect(running(world)).toBe(4);
  });

  test('at most ramp_limit instances start in one round', () => {
    const world = started(anEndpointConfig({ scaling: { maxInstances: 40, rampLimit: 3 } }));
    world.load('web', 30);
    for (const made of world.run(4)) expect(world.steps([made], 'start').length).toBeLessThanOrEqual(3);
  });

  test('a lost host that still reports does not stand in for a live one that is silent', () => {
    const world = createWorld({ endpoints: { web: anEndpointConfig() }, hosts: ['vm1', 'vm2', 'vm3'].map((id) => aHost(id)) });
    world.load('web', 33);
    world.run(5);
    expect(running(world)).toBe(5);
    world.load('web', 0);
    world.loseHost('vm3');
    world.hear(['vm1', 'vm3']);
    expect(world.steps(world.run(60), 'retire')).toEqual([]);
    world.hear(['vm1', 'vm2']);
    expect(world.steps(world.run(60), 'retire')).not.toEqual([]);
  });

  test('a paused endpoint is left alone', () => {
    const world = started();
    world.set('web', { state: 'PAUSED' });
    world.load('web', 100);
    const plans = world.run(10);
    expect(plans.flatMap((p) => p.endpoints.flatMap((e) => e.report.steps))).toEqual([]);
  });

  test('a full host refuses with the reason, and takes no more than its slots', () => {
    const world = createWorld({
      endpoints: { web: anEndpointConfig({ scaling: { minInstances: 3, maxInstances: 3 } }) },
      hosts: [aHost('vm1', { slots: 25 })],
    });
    const plans = world.run(3);
    expect(running(world)).toBe(2);
    expect(world.steps(plans.slice(-1), 'wait')).toEqual([
      expect.objectContaining({ on: expect.stringContaining('vm1: needs 10 slots, 5 free') }),
    ]);
  });
});

describe('scaling down', () => {
  function loaded(): World {
    const world = started();
    world.load('web', 33);
    world.run(10);
    expect(running(world)).toBe(5);
    world.load('web', 0);
    return world;
  }

  test('waits for the window and the delay, then drains, one in four per window', () => {
    const world = loaded();
    world.run(30);
    expect(running(world)).toBe(5);
    world.run(15);
    expect(running(world)).toBe(4);
    world.run(30);
    expect(running(world)).toBe(1);
    expect(world.instances('web', 'drain')).toHaveLength(4);
  });

  test('a draining instance is removed after the decommission period, and forgotten when it is gone', () => {
    const world = loaded();
    world.run(50);
    world.run(35);
    expect(world.instances('web', 'drain')).toHaveLength(4);
    world.run(50);
    expect(world.instances('web')).toHaveLength(1);
  });

  test('load that returns takes draining instances back instead of starting new ones', () => {
    const world = loaded();
    world.run(50);
    const draining = world.instances('web', 'drain').map((i) => i.id);
    world.load('web', 33);
    const plans = world.run(5);
    expect(world.steps(plans, 'start')).toEqual([]);
    expect(
      world
        .steps(plans, 'recommission')
        .map((step) => 'instance' in step && step.instance)
        .sort(),
    ).toEqual(draining.sort());
  });

  test('an open connection keeps a draining instance until drain_timeout', () => {
    const world = loaded();
    world.run(50);
    const held = world.instances('web', 'drain')[0]!.id;
    world.hold(held, 1);
    world.run(100);
    expect(world.instances('web', 'drain').map((i) => i.id)).toEqual([held]);
    world.run(200);
    expect(world.instances('web')).toHaveLength(1);
  });

  test('nothing is stopped while no load balancer is heard', () => {
    const world = loaded();
    world.mute(true);
    world.run(200);
    expect(world.instances('web')).toHaveLength(5);
  });
});

describe('scaling down over several hosts', () => {
  test('takes from the fullest host each time, so that what is left is spread', () => {
    const hosts = [aHost('vm1'), aHost('vm2'), aHost('vm3')];
    const config = (count: number) => anEndpointConfig({ scaling: { minInstances: count, maxInstances: count, rules: [] } });
    const world = createWorld({ endpoints: { web: config(12) }, hosts });
    world.run(10);
    world.set('web', { config: config(6) });
    world.run(10);
    const left = world.instances('web', 'run').map((i) => i.host);
    expect(left.toSorted()).toEqual(['vm1', 'vm1', 'vm2', 'vm2', 'vm3', 'vm3']);
  });
});

describe('failures', () => {
  test('a dead instance is replaced at once, and its seat counts meanwhile', () => {
    const world = started(anEndpointConfig({ scaling: { minInstances: 1, rules: [] } }));
    const [first] = world.instances('web', 'run');
    world.run(120);
    world.report(first!.id, { state: 'exited', error: 'killed by SIGKILL (exit code 137)' });
    world.run(3);
    expect(running(world)).toBe(1);
    expect(world.instances('web', 'run')[0]!.id).not.toBe(first!.id);
  });

  test('starts that fail are tried again ever more slowly', () => {
    const world = createWorld({ endpoints: { web: anEndpointConfig() }, hosts: oneHost });
    world.breakStarts('web', true);
    const starts = world.steps(world.run(600), 'start').length;
    expect(starts).toBeGreaterThan(5);
    expect(starts).toBeLessThan(20);
  });

  test('a repaired image comes up after the back-off', () => {
    const world = createWorld({ endpoints: { web: anEndpointConfig() }, hosts: oneHost });
    world.breakStarts('web', true);
    world.run(100);
    world.breakStarts('web', false);
    world.run(70);
    expect(world.instances('web', 'run').filter((i) => world.cluster().reports.get(i.id)?.value.state === 'ready')).toHaveLength(
      1,
    );
  });

  test('an unhealthy instance is retired as errored and never taken back', () => {
    const world = started();
    const [sick] = world.instances('web', 'run');
    world.report(sick!.id, { state: 'unhealthy', marks: 1, error: 'GET /health answered 500' });
    world.run(1);
    expect(world.instances('web', 'drain')).toEqual([expect.objectContaining({ id: sick!.id, errored: true })]);
    world.report(sick!.id, { state: 'ready', marks: 0, error: null });
    world.load('web', 33);
    expect(world.steps(world.run(3), 'recommission')).toEqual([]);
  });

  test('a lost host keeps its instances until unknown_timeout, then they are replaced elsewhere', () => {
    const world = createWorld({ endpoints: { web: anEndpointConfig() }, hosts: [aHost('vm1'), aHost('vm2')] });
    world.run(5);
    const [lost] = world.instances('web', 'run');
    world.loseHost(lost!.host);
    world.run(55);
    expect(world.instances('web', 'run').map((i) => i.id)).toEqual([lost!.id]);
    world.run(10);
    const [replacement] = world.instances('web', 'run');
    expect(replacement!.host).not.toBe(lost!.host);
    expect(world.cluster().instances.get(lost!.id)?.value.phase).toBe('remove');
  });

  test('a new leader counts the absence of a host anew: nobody saw whether it was back in between', () => {
    const world = createWorld({ endpoints: { web: anEndpointConfig() }, hosts: [aHost('vm1'), aHost('vm2')] });
    world.run(5);
    const [lost] = world.instances('web', 'run');
    world.loseHost(lost!.host);
    world.run(55);
    world.quiet(0);
    world.run(55);
    expect(world.instances('web', 'run').map((i) => i.id)).toEqual([lost!.id]);
    world.run(10);
    expect(world.instances('web', 'run').map((i) => i.host)).not.toContain(lost!.host);
  });

  test('an instance on a lost host goes only when its successor is ready: it may still be served', () => {
    const config = anEndpointConfig({ scaling: { minInstances: 1, rules: [] } });
    const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1'), aHost('vm2')], startSeconds: 4 });
    world.run(8);
    const [lost] = world.instances('web', 'run');
    world.loseHost(lost!.host);
    world.run(61);
    expect(world.instances('web', 'run')).toHaveLength(2);
    expect(world.instances('web', 'run').map((i) => i.id)).toContain(lost!.id);
    const plans = world.run(8);
    expect(world.steps(plans, 'start')).toEqual([]);
    expect(world.instances('web', 'run').map((i) => i.replaces)).toEqual([lost!.id]);
    expect(world.cluster().instances.get(lost!.id)?.value.phase).toBe('remove');
  });

  test('a successor that fails is followed by one for the same seat', () => {
    const config = anEndpointConfig({ scaling: { minInstances: 1, rules: [] } });
    const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1'), aHost('vm2')] });
    world.run(5);
    const [lost] = world.instances('web', 'run');
    world.breakStarts('web', true);
    world.loseHost(lost!.host);
    world.run(80);
    expect(world.instances('web', 'run').map((i) => i.id)).toContain(lost!.id);
    expect(running(world)).toBeLessThanOrEqual(2);
    world.breakStarts('web', false);
    world.run(90);
    expect(running(world)).toBe(1);
    expect(world.instances('web', 'run')[0]!.host).not.toBe(lost!.host);
  });

  test('a host that returns drops the instances replaced meanwhile', () => {
    const config = anEndpointConfig({ scaling: { minInstances: 2, maxInstances: 2, rules: [] } });
    const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1'), aHost('vm2')] });
    world.run(5);
    world.loseHost('vm1');
    world.run(80);
    expect(world.instances('web', 'run').map((i) => i.host)).toEqual(['vm2', 'vm2']);
    world.returnHost(aHost('vm1'));
    world.run(5);
    expect(world.instances('web').map((i) => i.host)).toEqual(['vm2', 'vm2']);
  });

  test('a daemon that was away for a moment loses nothing', () => {
    const world = started();
    world.loseHost('vm1');
    world.run(20);
    world.returnHost(oneHost[0]!);
    const plans = world.run(10);
    expect(plans.flatMap((p) => p.endpoints.flatMap((e) => e.report.steps))).toEqual([]);
    expect(world.cluster().losses.size).toBe(0);
  });
});

describe('changes by the operator', () => {
  test('stopping drains everything, starting again takes it back', () => {
    const world = started(anEndpointConfig({ scaling: { minInstances: 3, maxInstances: 9, rampLimit: 1 } }));
    world.run(5);
    world.set('web', { state: 'STOPPED' });
    world.run(1);
    expect(world.instances('web', 'drain')).toHaveLength(3);
    world.set('web', { state: 'RUNNING' });
    const plans = world.run(1);
    expect(world.steps(plans, 'recommission')).toHaveLength(3);
  });

  test('a removed endpoint ends its instances without a decommission period', () => {
    const world = started();
    world.set('web', { state: 'REMOVED' });
    world.run(5);
    expect(world.instances('web')).toEqual([]);
  });

  test('a new container configuration replaces instances start-first, never below the count', () => {
    const world = started(anEndpointConfig({ scaling: { minInstances: 4, maxInstances: 8, rules: [] } }), 3);
    world.run(10);
    world.set('web', { hash: 'hash-2' });
    for (let second = 0; second < 40; second += 1) {
      world.run(1);
      const ready = world.instances('web', 'run').filter((i) => world.cluster().reports.get(i.id)?.value.state === 'ready');
      expect(ready.length).toBeGreaterThanOrEqual(4);
      expect(running(world)).toBeLessThanOrEqual(5);
    }
    expect(world.instances('web', 'run').map((i) => i.hash)).toEqual(['hash-2', 'hash-2', 'hash-2', 'hash-2']);
  });

  test('a configuration that changes again while successors come up never has three share a seat', () => {
    const world = started(anEndpointConfig({ scaling: { minInstances: 5, maxInstances: 5, rampLimit: 1, rules: [] } }), 5);
    world.run(15);
    world.set('web', { hash: 'hash-2' });
    world.run(1);
    world.set('web', { hash: 'hash-3' });
    for (let second = 0; second < 60; second += 1) {
      world.run(1);
      const successors = new Map(world.instances('web', 'run').map((i) => [i.id, i.replaces]));
      const third = [...successors].filter(([, first]) => first !== null && successors.has(successors.get(first) ?? ''));
      expect(third).toEqual([]);
    }
    expect(world.instances('web', 'run').map((i) => i.hash)).toEqual(Array(5).fill('hash-3'));
  });

  test('a new configuration that cannot start leaves the old instances serving', () => {
    const world = started(anEndpointConfig({ scaling: { minInstances: 2, maxInstances: 4, rules: [] } }));
    world.run(5);
    world.breakStarts('web', true);
    world.set('web', { hash: 'hash-2' });
    world.run(300);
    const ready = world.instances('web', 'run').filter((i) => world.cluster().reports.get(i.id)?.value.state === 'ready');
    expect(ready.map((i) => i.hash)).toEqual(['hash-1', 'hash-1']);
  });
});

describe('a count held by the operator', () => {
  const config = anEndpointConfig({ scaling: { minInstances: 1, maxInstances: 8, rampLimit: 2 } });

  test('is reached at the pace of the ramp and kept, whatever the load', () => {
    const world = started(config);
    world.set('web', { hold: { count: 4, untilMs: null } });
    world.run(1);
    expect(running(world)).toBe(3);
    world.load('web', 100);
    world.run(60);
    expect(running(world)).toBe(4);
    world.load('web', 0);
    world.run(60);
    expect(running(world)).toBe(4);
  });

  test('runs out by itself, and then nothing shrinks before a whole scale-down delay', () => {
    const world = started(config);
    world.set('web', { hold: { count: 4, untilMs: world.nowMs() + 60_000 } });
    world.run(60);
    expect(running(world)).toBe(4);
    world.run(25);
    expect(running(world)).toBe(4);
    world.run(40);
    expect(running(world)).toBe(1);
  });

  test('handed back while load needs more, the rules take over at once', () => {
    const world = started(config);
    world.set('web', { hold: { count: 1, untilMs: null } });
    world.load('web', 33);
    world.run(20);
    expect(running(world)).toBe(1);
    world.set('web', { hold: null });
    world.run(5);
    expect(running(world)).toBe(8);
  });

  test('of 0 drains everything', () => {
    const world = started(config);
    world.set('web', { hold: { count: 0, untilMs: null } });
    world.run(2);
    expect(running(world)).toBe(0);
  });

  test('needs no write while it is kept', () => {
    const world = started(config);
    world.set('web', { hold: { count: 3, untilMs: null } });
    world.run(30);
    for (const made of world.run(20)) expect(made.endpoints.map((e) => [e.instances, e.history])).toEqual([[[], null]]);
  });
});

describe('a host the operator drains', () => {
  const fixed = anEndpointConfig({ scaling: { minInstances: 4, maxInstances: 8, rules: [] } });
  const away = { draining: true, removed: false };
  const onHost = (world: World, host: string) => world.instances('web', 'run').filter((i) => i.host === host);
  const ready = (world: World) =>
    world.instances('web', 'run').filter((i) => world.cluster().reports.get(i.id)?.value.state === 'ready');

  function spread(hosts: readonly string[], config = fixed, startSeconds = 3): World {
    const world = createWorld({ endpoints: { web: config }, hosts: hosts.map((id) => aHost(id)), startSeconds });
    world.run(10);
    return world;
  }

  test('gives its instances away, each replaced before it goes, never below the count', () => {
    const world = spread(['vm1', 'vm2', 'vm3']);
    expect(onHost(world, 'vm1').length).toBeGreaterThan(0);
    world.wish('vm1', away);
    for (let second = 0; second < 30; second += 1) {
      world.run(1);
      expect(ready(world).length).toBeGreaterThanOrEqual(4);
      expect(running(world)).toBeLessThanOrEqual(5);
    }
    expect(world.instances('web').filter((i) => i.host === 'vm1')).toEqual([]);
    expect(running(world)).toBe(4);
  });

  test('says why in the step that starts the successor', () => {
    const world = spread(['vm1', 'vm2']);
    world.wish('vm1', away);
    expect(world.steps(world.run(1), 'start')).toEqual([
      expect.objectContaining({ host: 'vm2', why: expect.stringMatching(/^in place of i\d+, whose host vm1 is draining$/) }),
    ]);
  });

  test('keeps what it has while no other host has room, and the wait says so', () => {
    const world = spread(['vm1']);
    world.wish('vm1', away);
    const plans = world.run(60);
    expect(ready(world).map((i) => i.host)).toEqual(['vm1', 'vm1', 'vm1', 'vm1']);
    expect(world.steps(plans.slice(-1), 'wait')).toEqual([
      { kind: 'wait', instance: null, on: 'a host with room: vm1: draining' },
    ]);
    world.returnHost(aHost('vm2'));
    world.run(30);
    expect(ready(world).map((i) => i.host)).toEqual(['vm2', 'vm2', 'vm2', 'vm2']);
  });

  test('an instance that dies while its successor comes up gets no second one', () => {
    const world = spread(['vm1', 'vm2'], anEndpointConfig({ scaling: { minInstances: 1, maxInstances: 1, rules: [] } }), 5);
    const [old] = world.instances('web', 'run');
    world.wish(old!.host, away);
    expect(world.steps(world.run(1), 'start')).toHaveLength(1);
    world.report(old!.id, { state: 'exited', address: null });
    expect(world.steps(world.run(15), 'start')).toEqual([]);
    expect(running(world)).toBe(1);
    expect(ready(world).map((i) => i.host)).not.toContain(old!.host);
  });

  test('a successor that fails with the one it follows is followed by one for the seat, not by two', () => {
    const world = spread(
      ['vm1', 'vm2', 'vm3'],
      anEndpointConfig({ scaling: { minInstances: 1, maxInstances: 1, rules: [] } }),
      5,
    );
    const [old] = world.instances('web', 'run');
    world.wish(old!.host, away);
    world.run(3);
    const successor = world.instances('web', 'run').find((i) => i.replaces === old!.id);
    // Long after it became ready, so that no back-off stands in the way of a second start.
    world.report(successor!.id, { state: 'exited', address: null, wasReady: true, readyAtMs: 0 });
    expect(world.steps(world.run(1), 'start')).toHaveLength(1);
    world.run(40);
    expect(running(world)).toBe(1);
  });

  test('keeps an instance beside its successor while the host of another is lost', () => {
    const world = spread(['vm1', 'vm2', 'vm3'], anEndpointConfig({ scaling: { minInstances: 2, maxInstances: 4, rules: [] } }));
    const [moving, lost] = world.instances('web', 'run').map((i) => i.host);
    world.wish(moving!, away);
    world.loseHost(lost!);
    const plans = world.run(20);
    const live = (): readonly string[] =>
      ready(world)
        .filter((i) => i.host !== lost)
        .map((i) => i.host);
    expect(live()).toHaveLength(2);
    expect(world.steps(plans.slice(-1), 'wait')).toContainEqual(expect.objectContaining({ on: 'more than 2 ready instances' }));
    world.run(80);
    expect(live()).toHaveLength(2);
    expect(live()).not.toContain(moving);
  });

  test('gets nothing new and takes nothing back', () => {
    const world = spread(['vm1', 'vm2'], anEndpointConfig(), 1);
    world.load('web', 33);
    world.run(10);
    world.load('web', 0);
    world.run(45);
    expect(world.instances('web', 'drain').some((i) => i.host === 'vm1')).toBe(true);
    world.wish('vm1', away);
    world.load('web', 33);
    world.run(20);
    expect(world.instances('web', 'run').map((i) => i.host)).toEqual(['vm2', 'vm2', 'vm2', 'vm2', 'vm2']);
  });

  test('is the first to lose instances when the count falls', () => {
    const world = spread(['vm1', 'vm2', 'vm3']);
    world.wish('vm1', away);
    world.set('web', { hold: { count: 3, untilMs: null } });
    const [first] = world.steps(world.run(1), 'retire');
    expect(first).toMatchObject({ host: 'vm1', why: '3 instances are enough' });
  });

  test('keeps the rest when it is activated again', () => {
    const world = spread(['vm1', 'vm2'], anEndpointConfig({ scaling: { minInstances: 8, maxInstances: 8, rules: [] } }), 5);
    world.wish('vm1', away);
    world.run(3);
    world.wish('vm1', null);
    world.run(60);
    expect(onHost(world, 'vm1').length).toBeGreaterThan(0);
    expect(ready(world)).toHaveLength(8);
  });

  test('keeps the instances of a paused endpoint', () => {
    const world = spread(['vm1', 'vm2']);
    world.set('web', { state: 'PAUSED' });
    world.wish('vm1', away);
    const plans = world.run(10);
    expect(plans.flatMap((p) => p.endpoints.flatMap((e) => e.report.steps))).toEqual([]);
  });
});

describe('a lost host the operator removes', () => {
  const gone = { draining: false, removed: true };
  const fixed = anEndpointConfig({ scaling: { minInstances: 1, maxInstances: 8, rules: [] } });

  function lostOne(config = fixed): World {
    const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1'), aHost('vm2')] });
    world.set('web', { hold: { count: 4, untilMs: null } });
    world.run(10);
    world.set('web', { hold: null });
    world.loseHost('vm1');
    world.run(1);
    return world;
  }
  const traces = (world: World, host: string): readonly string[] => {
    const { instances, reports, balancers, losses, hostConfigs } = world.cluster();
    return [
      ...[...instances.values(), ...reports.values()].filter(({ value }) => value.host === host).map(({ value }) => value.id),
      ...[balancers, losses, hostConfigs].flatMap((map) => [...map.keys()].filter((key) => key === host)),
    ];
  };

  test('has its instances replaced at once, their count kept, and leaves no trace', () => {
    const world = lostOne();
    expect(traces(world, 'vm1').length).toBeGreaterThan(2);
    world.wish('vm1', gone);
    const plans = world.run(1);
    expect(world.steps(plans, 'start').map((step) => 'why' in step && step.why)).toEqual([
      expect.stringMatching(/^in place of i\d+: host vm1 was removed by the operator$/),
      expect.stringMatching(/^in place of i\d+: host vm1 was removed by the operator$/),
    ]);
    world.run(5);
    expect(world.instances('web', 'run').map((i) => i.host)).toEqual(['vm2', 'vm2', 'vm2', 'vm2']);
    expect(traces(world, 'vm1')).toEqual([]);
  });

  test('gives no instance up that cannot be replaced', () => {
    const world = createWorld({ endpoints: { web: fixed }, hosts: [aHost('vm1'), aHost('vm2', { slots: 0 })] });
    world.run(5);
    world.loseHost('vm1');
    world.wish('vm1', gone);
    world.run(10);
    expect(running(world)).toBe(1);
    world.returnHost(aHost('vm3'));
    world.run(5);
    expect(world.instances('web', 'run').map((i) => i.host)).toEqual(['vm3']);
    expect(traces(world, 'vm1')).toEqual([]);
  });

  test('that comes back first is a host as before: only the wish is struck out', () => {
    const world = lostOne();
    world.wish('vm1', gone);
    world.returnHost(aHost('vm1'));
    const plans = world.run(3);
    expect(plans.flatMap((p) => p.endpoints.flatMap((e) => e.report.steps))).toEqual([]);
    expect(world.cluster().hostConfigs.size).toBe(0);
    expect(running(world)).toBe(4);
  });
});

describe('rest', () => {
  test('a settled endpoint has nothing to write, round after round', () => {
    const world = started();
    world.run(60);
    for (const made of world.run(20)) {
      expect(made.endpoints.map((e) => [e.instances, e.history])).toEqual([[[], null]]);
    }
  });

  test('a steady load settles and then needs no write either', () => {
    const world = started(anEndpointConfig({ scaling: { maxInstances: 20, rules: [aRule('rate', { above: 2, below: 10 })] } }));
    world.load('web', 45);
    world.run(60);
    const settled = running(world);
    for (const made of world.run(30)) expect(made.endpoints[0]!.instances).toEqual([]);
    expect(running(world)).toBe(settled);
  });
});

describe('an instance that a session has used up', () => {
  test('is replaced at once, and that counts as no failed start', () => {
    const world = started(anEndpointConfig({ loadBalancer: 'tcp', scaling: { minInstances: 1 } }));
    for (let session = 1; session <= 4; session += 1) {
      const [before] = world.instances('web', 'run');
      world.report(before!.id, { state: 'unhealthy', spent: true, error: 'used up by a session (disposable)' });
      world.run(4);
      // A failed start would have been followed by a pause that doubles each time.
      expect(world.instances('web', 'run').map(({ id }) => id)).toEqual([expect.not.stringMatching(before!.id)]);
    }
  });
});
