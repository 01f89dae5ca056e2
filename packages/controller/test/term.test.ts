import {
  createDiary,
  type EpochMark,
  type EpochRecord,
  KEYS,
  type Meter,
  readCluster,
  type StateStore,
  TOPICS,
} from '@reactor/core';
import { aHost, anEndpointConfig, createFakeStore } from '@reactor/testkit';
import { createAlarms } from '../src/alarms.js';
import { type Candidate, createCandidate, LEASE_MS, type Leadership } from '../src/leadership.js';
import { createMuster } from '../src/muster.js';
import { createRound } from '../src/round.js';
import { type ScriptedClock, scriptedClock } from './scripted-clock.js';

/** Terms of leadership when the store forgets, hosts remember, clocks jump and replicas lag. */

const silent: Meter = { add: () => undefined, set: () => undefined, observe: () => undefined };

let clock: ScriptedClock;
let store: ReturnType<typeof createFakeStore>;
let steady: boolean;
let told: string[];

beforeEach(() => {
  clock = scriptedClock();
  store = createFakeStore({ now: clock.now });
  steady = true;
  told = [];
});

const candidate = (host: string, on: StateStore = store): Candidate =>
  createCandidate({ store: on, host, clock, steady: () => steady });

const epoch = async (): Promise<EpochRecord> =>
  (await store.read(KEYS.epoch)).entries.get(KEYS.epoch)?.value as unknown as EpochRecord;

async function hostThatHasSeen(host: string, epochSeen: EpochMark | null): Promise<void> {
  const record = { ...aHost(host), epochSeen };
  await store.commit({ expect: [], write: [{ key: KEYS.host(host), value: record as never }] });
}

async function endpoint(name = 'web'): Promise<void> {
  const web = { name, uid: 'u', document: {}, state: 'RUNNING', changedAtMs: 0 };
  await store.commit({ expect: [], write: [{ key: KEYS.endpoint(name), value: web }] });
}

function aRound(on: StateStore = store) {
  let ids = 0;
  const log = (_level: string, message: string): void => void told.push(message);
  return createRound({
    store: on,
    clock,
    meter: silent,
    log,
    resolve: () => ({ config: anEndpointConfig(), hash: 'h' }),
    random: () => 0,
    newId: () => {
      ids += 1;
      return `i${ids}`;
    },
    alarms: createAlarms({ store: on, clock, host: 'vm1', meter: silent, log }),
    diary: createDiary(on, clock, log),
    muster: createMuster(() => undefined),
  });
}

/** The store, with some of its verbs the test's own. */
function storeWith(change: Partial<StateStore>): StateStore {
  const verbs = ['read', 'commit', 'watch', 'lease', 'append', 'tail', 'publish', 'latest', 'settled', 'close'] as const;
  return { ...Object.fromEntries(verbs.map((verb) => [verb, store[verb].bind(store)])), ...change } as unknown as StateStore;
}

async function instances(): Promise<number> {
  return readCluster(await store.read('')).instances.size;
}

describe('the epoch', () => {
  test('names its holder, and says when it was given back in order', async () => {
    const first = candidate('vm1');
    await first.lead();
    expect(await epoch()).toEqual({ epoch: 1, host: 'vm1', released: false });
    await first.resign();
    expect(await epoch()).toEqual({ epoch: 1, host: 'vm1', released: true });
  });

  test('taken from a store that was reset is above what any live host has obeyed', async () => {
    await hostThatHasSeen('vm2', { epoch: 41, host: 'vm3' });
    expect(await candidate('vm1').lead()).toMatchObject({ epoch: 42 });
  });

  test('is taken anew when a live host turns out to have obeyed a higher one, and until then nothing is committed', async () => {
    await endpoint();
    const one = candidate('vm1');
    const early = (await one.lead())!;
    await hostThatHasSeen('vm2', { epoch: 41, host: 'vm3' });
    const round = aRound();
    expect(await round(early)).toBe('outranked');
    expect(await instances()).toBe(0);
    expect(told).toEqual(['host vm2 has obeyed epoch 41 of vm3, which our epoch 1 of vm1 does not follow: taking a higher one']);
    await one.abandon();
    const next = (await one.lead())!;
    expect(next.epoch).toBe(42);
    expect(await round(next)).toBe('planned');
  });

  test('is taken anew when the same number was obeyed in other hands', async () => {
    await endpoint();
    const one = candidate('vm1');
    const held = (await one.lead())!;
    await hostThatHasSeen('vm2', { epoch: 1, host: 'vm3' });
    expect(await aRound()(held)).toBe('outranked');
    await one.abandon();
    expect(await one.lead()).toMatchObject({ epoch: 2 });
  });

  test('that a failover lost commits nothing, even when another was taken at the very same revision', async () => {
    await endpoint();
    const before = store.dump();
    const lost = (await candidate('vm1').lead())!;
    store.load(before);
    const next = (await candidate('vm2').lead())!;
    expect([next.epoch, next.revision]).toEqual([lost.epoch, lost.revision]);
    expect(await aRound()({ ...lost, holds: () => true })).toBe('outranked');
    expect(await instances()).toBe(0);
    expect(told).toEqual(["the cluster state names epoch 1 of vm2 as the leader's, not our epoch 1 of vm1: giving it up"]);
    expect(await aRound()(next)).toBe('planned');
  });

  test('goes on while hosts have obeyed it or an earlier one', async () => {
    await endpoint();
    await hostThatHasSeen('vm1', null);
    await hostThatHasSeen('vm2', { epoch: 3, host: 'vm3' });
    const held = (await candidate('vm1').lead())!;
    await hostThatHasSeen('vm1', { epoch: held.epoch, host: 'vm1' });
    expect(await aRound()(held)).toBe('planned');
  });

  test('does not count before the replicas have it', async () => {
    let lagging = true;
    const one = candidate('vm1', storeWith({ settled: async () => !lagging }));
    expect(await one.lead()).toBeNull();
    expect(one.problem()).toBe('epoch 1 is not on enough replicas of the cluster state yet: not leading');
    lagging = false;
    expect(await one.lead()).toMatchObject({ epoch: 1 });
    expect(one.problem()).toBeNull();
    lagging = true;
    // Once is enough: what is committed later is the store's own to keep.
    expect(await one.lead()).toMatchObject({ epoch: 1 });
  });
});

describe('the renewal deadline', () => {
  test.each([
    ['by the wall clock', () => clock.jump(10_001)],
    ['by the clock that cannot be set', () => [clock.pass(10_001), clock.jump(-10_001)]],
  ])('ends the term, judged %s', async (_how, move) => {
    const held = (await candidate('vm1').lead())!;
    expect(held.holds()).toBe(true);
    move();
    expect(held.holds()).toBe(false);
  });

  test('a round in flight commits nothing once it has passed', async () => {
    await endpoint();
    await hostThatHasSeen('vm1', null);
    const slow = storeWith({
      latest: async (prefix) => {
        clock.pass(10_001);
        return store.latest(prefix);
      },
    });
    const held = (await candidate('vm1', slow).lead())!;
    expect(await aRound(slow)(held)).toBe('abandoned');
    expect(await instances()).toBe(0);
    expect((await store.latest(TOPICS.decisions)).size).toBe(0);
  });

  test('nor does one that was halfway through', async () => {
    await endpoint('api');
    await endpoint('web');
    await hostThatHasSeen('vm1', null);
    const slow = storeWith({
      commit: async (change) => {
        const result = await store.commit(change);
        if (change.write.some(({ key }) => key.startsWith(KEYS.instances))) clock.pass(10_001);
        return result;
      },
    });
    const held = (await candidate('vm1', slow).lead())!;
    expect(await aRound(slow)(held)).toBe('abandoned');
    expect(await instances()).toBe(1);
  });

  test('a term that was given up does not hold, even when it is taken again', async () => {
    const one = candidate('vm1');
    const first = (await one.lead())!;
    await one.abandon();
    const second = (await one.lead())!;
    expect([first.holds(), second.holds()]).toEqual([false, true]);
  });
});

describe('a process that is not steady', () => {
  test('gives its term up, so that another leads at once, and takes none', async () => {
    const one = candidate('vm1');
    const held = (await one.lead())!;
    steady = false;
    expect(held.holds()).toBe(false);
    expect(await one.lead()).toBeNull();
    expect(await one.lead()).toBeNull();
    steady = true;
    expect(await candidate('vm2').lead()).toMatchObject({ epoch: 2 });
  });

  test('does not say that it gave its term back in order', async () => {
    const one = candidate('vm1');
    await one.lead();
    steady = false;
    await one.resign();
    expect(await epoch()).toMatchObject({ released: false });
  });
});

describe('the lock delay', () => {
  const quietMs = (term: Leadership | null): number => Math.max(0, term!.quietUntilMs - clock.now());

  async function dead(host: string): Promise<void> {
    await candidate(host).lead();
    clock.pass(LEASE_MS + 1_000);
    store.tick();
  }

  test('is one lease after a leader on another host that vanished', async () => {
    await dead('vm1');
    expect(quietMs(await candidate('vm2').lead())).toBe(LEASE_MS);
  });

  test.each([
    ['when nobody led before', async () => undefined],
    ['after this very host', () => dead('vm2')],
    [
      'after a leader that gave its term back in order',
      async () => {
        const one = candidate('vm1');
        await one.lead();
        await one.resign();
      },
    ],
  ])('is none %s', async (_when, before) => {
    await before();
    expect(quietMs(await candidate('vm2').lead())).toBe(0);
  });

  test('is one lease when a host has obeyed a term the store knows nothing of, our own even', async () => {
    await hostThatHasSeen('vm2', { epoch: 41, host: 'vm1' });
    expect(quietMs(await candidate('vm1').lead())).toBe(LEASE_MS);
  });

  test('goes on when the term has to be taken again, and is passed on by who resigns within it', async () => {
    await dead('vm1');
    const two = candidate('vm2');
    await two.lead();
    clock.pass(5_000);
    await two.abandon();
    expect(quietMs(await two.lead())).toBe(LEASE_MS - 5_000);
    await two.resign();
    expect(quietMs(await candidate('vm3').lead())).toBe(LEASE_MS);
  });

  test('goes on for another daemon of the host that had to keep it, never longer than one lease, and is over when it is over', async () => {
    await dead('vm1');
    const two = candidate('vm2');
    await two.lead();
    clock.pass(5_000);
    await two.resign();
    const restarted = candidate('vm2');
    expect(quietMs(await restarted.lead())).toBe(LEASE_MS - 5_000);
    await restarted.abandon();
    const later = { epoch: 9, host: 'vm2', released: false, quietUntilMs: clock.now() + 10 * LEASE_MS };
    await store.commit({ expect: [], write: [{ key: KEYS.epoch, value: later }] });
    const again = candidate('vm2');
    expect(quietMs(await again.lead())).toBe(LEASE_MS);
    await again.abandon();
    clock.pass(LEASE_MS);
    const last = candidate('vm2');
    expect(quietMs(await last.lead())).toBe(0);
    expect(await epoch()).toEqual({ epoch: 11, host: 'vm2', released: false });
  });
});

test('an alarm is told once when it begins, once when it is over, and is open meanwhile', async () => {
  const log = (_level: string, message: string): void => void told.push(message);
  const alarms = createAlarms({ store, clock, host: 'vm1', meter: silent, log });
  const brake = [{ kind: 'brake', text: 'brake: 3 of 4 hosts were lost' }] as const;
  alarms.settle(brake);
  alarms.settle(brake);
  expect(alarms.open()).toEqual(['brake: 3 of 4 hosts were lost']);
  alarms.settle([]);
  alarms.settle([]);
  expect(alarms.open()).toEqual([]);
  expect(told).toEqual(['brake: 3 of 4 hosts were lost', 'over: brake: 3 of 4 hosts were lost']);
  await new Promise((resolve) => setImmediate(resolve));
  expect((await store.tail('manager/vm1', 0, 10)).map(({ event }) => event)).toEqual(['ALARM_BRAKE', 'ALARM_BRAKE_ENDED']);
});
