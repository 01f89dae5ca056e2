import { KEYS, type LeaderRecord, LOGS, type Meter, readCluster, type StateStore, TOPICS, unpackDecision } from '@reactor/core';
import { aHost, anEndpointConfig, aRule, createFakeStore } from '@reactor/testkit';
import { createCandidate } from '../src/leadership.js';
import { createRound, type RoundOptions } from '../src/round.js';
import { scriptedClock } from './scripted-clock.js';

const silent: Meter = { add: () => undefined, set: () => undefined, observe: () => undefined };

function roundOptions(
  store: StateStore,
  clock: ReturnType<typeof scriptedClock>,
  change: Partial<RoundOptions> = {},
): RoundOptions {
  let ids = 0;
  return {
    store,
    clock,
    meter: silent,
    log: () => undefined,
    resolve: () => ({ config: anEndpointConfig(), hash: 'h' }),
    random: () => 0,
    diary: { tell: () => undefined },
    muster: { note: () => undefined },
    alarms: { settle: () => undefined, forget: () => undefined, open: () => [] },
    newId: () => {
      ids += 1;
      return `i${ids}`;
    },
    ...change,
  };
}

function candidate(store: StateStore, clock: ReturnType<typeof scriptedClock>, host: string, steady: () => boolean = () => true) {
  return createCandidate({ store, host, clock, steady });
}

/** The store's methods as plain functions, for a test to put its own in the place of one. */
function bound(store: StateStore): StateStore {
  const { read, commit, watch, lease, append, tail, publish, latest, settled, close } = store;
  return Object.fromEntries(
    Object.entries({ read, commit, watch, lease, append, tail, publish, latest, settled, close }).map(([name, method]) => [
      name,
      method.bind(store),
    ]),
  ) as unknown as StateStore;
}

async function seed(store: StateStore): Promise<void> {
  const endpoint = { name: 'web', uid: 'u', document: {}, state: 'RUNNING', changedAtMs: 0 };
  await store.commit({
    expect: [],
    write: [
      { key: KEYS.endpoint('web'), value: endpoint },
      { key: KEYS.host('vm1'), value: { ...aHost('vm1') } as never },
    ],
  });
}

describe('leadership', () => {
  test('one candidate leads, the other waits until the lease has ended, and the epoch grows', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    const first = candidate(store, clock, 'vm1');
    const second = candidate(store, clock, 'vm2');
    expect(await first.lead()).toMatchObject({ epoch: 1 });
    expect(await second.lead()).toBeNull();
    clock.pass(16_000);
    store.tick();
    expect(await second.lead()).toMatchObject({ epoch: 2 });
    expect(await first.lead()).toBeNull();
  });

  test('a leader that keeps its lease goes on leading in the same epoch', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    const leader = candidate(store, clock, 'vm1');
    await leader.lead();
    for (let i = 0; i < 20; i += 1) {
      clock.pass(5_000);
      expect(await leader.lead()).toMatchObject({ epoch: 1 });
    }
  });

  test('a leader that could not renew in time ends its term before its lease does, and gives it back at once', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    const leader = candidate(store, clock, 'vm1');
    const former = (await leader.lead())!;
    clock.pass(10_001);
    const next = (await leader.lead())!;
    expect(next.epoch).toBe(2);
    // What was under way in the former term is refused.
    expect(next.revision).not.toBe(former.revision);
  });

  test('resigning lets another lead at once', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    const first = candidate(store, clock, 'vm1');
    await first.lead();
    await first.resign();
    const view = await store.read(KEYS.leader);
    expect(view.entries.get(KEYS.leader)?.value as unknown as LeaderRecord).toBeUndefined();
    expect(await candidate(store, clock, 'vm2').lead()).toMatchObject({ epoch: 2 });
  });
});

describe('a round', () => {
  test('commits the planned instances and logs why, then has nothing more to do', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    await seed(store);
    const leadership = (await candidate(store, clock, 'vm1').lead())!;
    const round = createRound(roundOptions(store, clock));
    expect(await round(leadership)).toBe('planned');
    const cluster = readCluster(await store.read(''));
    expect([...cluster.instances.keys()]).toEqual(['i1']);
    expect((await store.tail('endpoint/web', 0, 10)).map((entry) => entry.event)).toEqual(['SCALE_UPDATE', 'LAUNCH_INSTANCE']);

    await round(leadership);
    const { revision } = store;
    expect(await round(leadership)).toBe('idle');
    expect(store.revision).toBe(revision);
  });

  test('forgets a removed host, unless it comes back in between', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    await seed(store);
    const removed = { key: KEYS.hostConfig('vm9'), value: { draining: false, removed: true } };
    const balancer = { host: 'vm9', revision: 1, serving: [], setAside: {}, error: null };
    await store.commit({ expect: [], write: [removed, { key: KEYS.balancer('vm9'), value: balancer }] });
    const leadership = (await candidate(store, clock, 'vm1').lead())!;
    const { commit, ...rest } = bound(store);
    let returns = true;
    const crossed: StateStore = {
      ...rest,
      commit: async (change) => {
        const back = { key: KEYS.host('vm9'), value: { ...aHost('vm9') } as never };
        if (returns && change.write.some(({ key }) => key === removed.key)) await commit({ expect: [], write: [back] });
        return commit(change);
      },
    };
    const left = async () => [...(await store.read('')).entries.keys()].filter((key) => key.endsWith('/vm9'));
    expect(await createRound(roundOptions(crossed, clock))(leadership)).toBe('conflict');
    expect(await left()).toContain(removed.key);
    returns = false;
    await commit({ expect: [], write: [{ key: KEYS.host('vm9'), value: null }] });
    await createRound(roundOptions(crossed, clock))(leadership);
    expect(await left()).toEqual([]);
  });

  test('a deposed leader that does not know it yet is refused by the store', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    await seed(store);
    const stale = (await candidate(store, clock, 'vm1').lead())!;
    let revision = 0;
    const meanwhile: StateStore = {
      ...bound(store),
      latest: async (prefix) => {
        clock.pass(16_000);
        store.tick();
        await candidate(store, clock, 'vm2').lead();
        revision = store.revision;
        return store.latest(prefix);
      },
    };
    expect(await createRound(roundOptions(meanwhile, clock))({ ...stale, holds: () => true })).toBe('conflict');
    expect(store.revision).toBe(revision);
  });

  test('what a candidate wants is measured and published, and its figure ends with it', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    await seed(store);
    const leadership = (await candidate(store, clock, 'vm1').lead())!;
    let shadowRules = [aRule('rate', { below: 20 })];
    const figures: number[] = [];
    const set: Meter['set'] = (name, _labels, value) => {
      if (name === 'reactor_endpoint_shadow_target') figures.push(value);
    };
    const resolve = () => ({ config: anEndpointConfig({ shadowRules }), hash: 'h' });
    const round = createRound(roundOptions(store, clock, { resolve, meter: { ...silent, set } }));
    await round(leadership);
    expect((await store.latest(TOPICS.decision('web'))).get(TOPICS.decision('web'))).toMatchObject({ shadow: { target: 1 } });
    shadowRules = [];
    for (let again = 0; again < 3; again += 1) await round(leadership);
    expect(figures).toEqual([1, Number.NaN]);
    expect(await store.tail('endpoint/web', 0, 10)).toContainEqual(expect.objectContaining({ event: 'SHADOW_UPDATE' }));
  });

  test.each([
    ['ask for more than max_instances', aRule('instances', { above: 9 }), { max: 1, no_data: 0 }],
    ['have no data', aRule('rate', { below: 1 }), { max: 0, no_data: 1 }],
    ['have their way', aRule('instances', { above: 0 }), { max: 0, no_data: 0 }],
  ])('rules that %s are counted so', async (_, rule, expected) => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    await seed(store);
    const leadership = (await candidate(store, clock, 'vm1').lead())!;
    const limited: Record<string, number> = {};
    const set: Meter['set'] = (name, { by = '' }, value) => {
      if (name === 'reactor_limited') limited[by] = value;
    };
    const resolve = () => ({ config: anEndpointConfig({ scaling: { maxInstances: 5, rules: [rule] } }), hash: 'h' });
    await createRound(roundOptions(store, clock, { resolve, meter: { ...silent, set } }))(leadership);
    expect(limited).toEqual(expected);
  });

  test('a configuration changed meanwhile voids the plan', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    await seed(store);
    const leadership = (await candidate(store, clock, 'vm1').lead())!;
    const changing: StateStore = {
      ...bound(store),
      latest: async (prefix) => {
        await seed(store);
        return store.latest(prefix);
      },
    };
    expect(await createRound(roundOptions(changing, clock))(leadership)).toBe('conflict');
    expect(readCluster(await store.read('')).instances.size).toBe(0);
  });

  test('decisions that change something are kept, in the order of the cluster, and those that change nothing are not', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    await seed(store);
    const leadership = (await candidate(store, clock, 'vm1').lead())!;
    const round = createRound(roundOptions(store, clock));
    for (let i = 0; i < 5; i += 1) {
      await round(leadership);
      clock.pass(1_000);
    }
    const kept = (await store.tail(LOGS.decisions, 0, 10)).map(unpackDecision);
    expect(kept).toMatchObject([
      { endpoint: 'web', instances: 0, target: 1, reproduced: true, report: { steps: [{ kind: 'start' }] } },
      { endpoint: 'web', instances: 1, target: 1, reproduced: true },
    ]);
  });

  test('one endpoint whose configuration cannot be used does not hold up another', async () => {
    const clock = scriptedClock();
    const store = createFakeStore({ now: clock.now });
    await seed(store);
    await store.commit({
      expect: [],
      write: [{ key: KEYS.endpoint('bad'), value: { name: 'bad', uid: 'b', document: {}, state: 'RUNNING', changedAtMs: 0 } }],
    });
    const leadership = (await candidate(store, clock, 'vm1').lead())!;
    const told: string[] = [];
    const round = createRound(
      roundOptions(store, clock, {
        resolve: (record) => (record.value.name === 'bad' ? { error: 'no such key' } : { config: anEndpointConfig(), hash: 'h' }),
        log: (_level, message) => void told.push(message),
      }),
    );
    await round(leadership);
    await round(leadership);
    expect(readCluster(await store.read('')).instances.size).toBe(1);
    expect(told).toEqual(['endpoint bad: its stored configuration cannot be used: no such key']);
  });
});
