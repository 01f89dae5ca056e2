import type { BalancerKind, HostRecord } from '@reactor/core';
import { KEYS } from '@reactor/core';
import { createFakeEngine, createFakeStore } from '@reactor/testkit';
import { createAdvertisement, HOST_LEASE_MS } from '../src/advertisement.js';

/** Sleeping passes the time that was slept. */
function fastClock() {
  let nowMs = 1_700_000_000_000;
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { now: () => nowMs, monotonic: () => nowMs, sleep: async (ms: number) => pass(ms), pass };
}

test('a Docker that hangs does not cost the host its lease, and is asked once', async () => {
  const clock = fastClock();
  const store = createFakeStore({ now: clock.now });
  const engine = createFakeEngine();
  let asked = 0;
  let hangs = false;
  const facts = async () => {
    asked += 1;
    return hangs ? new Promise<never>(() => undefined) : engine.facts();
  };
  const host = {
    host: 'vm1',
    name: 'vm1',
    address: '10.0.0.1',
    advertisedUrl: 'http://10.0.0.1:8080',
    slots: 1000,
    overcommit: 0,
    labels: {},
    version: '1',
    epochSeen: () => null,
    stored: () => null,
  };
  const advertisement = createAdvertisement({ ...host, store, clock, engine: { ...engine, facts } });
  await advertisement.round();
  hangs = true;
  for (let elapsedMs = 0; elapsedMs < 4 * HOST_LEASE_MS; elapsedMs += 2_000) {
    clock.pass(1_000);
    await advertisement.round();
    expect([...(await store.read(KEYS.host('vm1'))).entries.keys()]).toEqual([KEYS.host('vm1')]);
  }
  expect(asked).toBe(2);
});

test('the load balancers that are there are told, and one that was installed meanwhile with the next look', async () => {
  const clock = fastClock();
  const store = createFakeStore({ now: clock.now });
  let there: readonly BalancerKind[] = ['tcp'];
  const about = { host: 'vm1', name: 'vm1', address: '10.0.0.1', advertisedUrl: null, slots: 1, overcommit: 0, labels: {} };
  const seen = { version: '1', epochSeen: () => null, stored: () => null, balancers: () => there };
  const advertisement = createAdvertisement({ ...about, ...seen, store, clock, engine: createFakeEngine() });
  const told = async () => {
    await advertisement.round();
    const entry = (await store.read(KEYS.host('vm1'))).entries.get(KEYS.host('vm1'))!;
    return (entry.value as unknown as HostRecord).balancers;
  };
  expect(await told()).toEqual(['tcp']);
  there = ['nginx', 'tcp'];
  clock.pass(HOST_LEASE_MS);
  expect(await told()).toEqual(['nginx', 'tcp']);
});

test('a clock that is set back does not cost the host its lease', async () => {
  const clock = fastClock();
  let passedMs = 0;
  const monotonic = () => passedMs;
  const store = createFakeStore({ now: monotonic });
  const about = {
    slots: 1000,
    overcommit: 0,
    labels: {},
    version: '1',
    advertisedUrl: null,
    epochSeen: () => null,
    stored: () => null,
  };
  const host = { host: 'vm1', name: 'vm1', address: '10.0.0.1', ...about };
  const advertisement = createAdvertisement({ ...host, store, clock: { ...clock, monotonic }, engine: createFakeEngine() });
  await advertisement.round();
  clock.pass(-60_000);
  while (passedMs < 2 * HOST_LEASE_MS) {
    clock.pass(1_000);
    passedMs += 1_000;
    await advertisement.round();
    expect([...(await store.read(KEYS.host('vm1'))).entries.keys()]).toEqual([KEYS.host('vm1')]);
  }
});

test('what a former daemon of this host wrote late, and what a failover brought back, is written anew; nothing else is', async () => {
  const clock = fastClock();
  const store = createFakeStore({ now: clock.now });
  const key = KEYS.host('vm1');
  const look = () => ({
    record: (store.view(key).entries.get(key)?.value ?? null) as HostRecord | null,
    askedAtMs: clock.monotonic(),
  });
  let seen: ReturnType<typeof look> | null = null;
  const about = { slots: 1000, overcommit: 0, labels: {}, version: '1', advertisedUrl: null, epochSeen: () => null };
  const host = { host: 'vm1', name: 'vm1', address: '10.0.0.1', ...about, stored: () => seen };
  const advertisement = createAdvertisement({ ...host, store, clock, engine: createFakeEngine() });
  const former = await store.lease(HOST_LEASE_MS);
  const stale = look();
  await advertisement.round();
  const own = look().record;

  seen = stale;
  const { revision } = store;
  await advertisement.round();
  expect(store.revision).toBe(revision);

  await store.commit({
    expect: [],
    write: [{ key, value: { ...own, epochSeen: { epoch: 1, host: 'vm2' } } as never, lease: former.id }],
  });
  clock.pass(1_000);
  seen = look();
  await advertisement.round();
  expect(look().record).toEqual(own);
  clock.pass(HOST_LEASE_MS - 2_000);
  await advertisement.round();
  clock.pass(2_000);
  seen = look();
  await advertisement.round();
  expect(look().record).toEqual(own);
});
