import { type EpochRecord, KEYS, type Meter } from '@reactor/core';
import { aHost, anEndpointConfig, createFakeStore } from '@reactor/testkit';
import { type Controller, startController } from '../src/controller.js';
import { type ScriptedClock, scriptedClock } from './scripted-clock.js';

/** The whole controller of one daemon, second by second on a clock the test moves. */

let clock: ScriptedClock;
let store: ReturnType<typeof createFakeStore>;
let controller: Controller;
let told: string[];

beforeEach(() => {
  clock = scriptedClock();
  store = createFakeStore({ now: clock.now });
  told = [];
  const meter: Meter = { add: () => undefined, set: () => undefined, observe: () => undefined };
  controller = startController({
    store,
    clock,
    meter,
    host: 'vm1',
    intervalMs: 1_000,
    log: (_level, message) => void told.push(message),
    resolve: () => ({ config: anEndpointConfig(), hash: 'h' }),
    random: () => 0,
    newId: () => 'i1',
  });
});

afterEach(() => controller.stop());

const entry = async (key: string) => (await store.read(key)).entries.get(key)?.value as unknown;
const leads = async (): Promise<boolean> => (await entry(KEYS.leader)) !== undefined;
const epoch = async (): Promise<number> => ((await entry(KEYS.epoch)) as EpochRecord).epoch;

async function pass(seconds: number): Promise<void> {
  for (let half = 0; half < seconds * 2; half += 1) {
    clock.pass(500);
    // Twice: a wait may be of two sleeps.
    await clock.tick();
    await clock.tick();
  }
}

test('a stand-still costs the leadership at once, and a while later it is taken again', async () => {
  await pass(2);
  expect([await leads(), await epoch(), controller.problems()]).toEqual([true, 1, []]);
  clock.pass(3_000);
  await pass(1);
  expect(await leads()).toBe(false);
  expect(controller.problems()).toEqual([expect.stringMatching(/^this process stood still for 3\.5 s; /)]);
  await pass(10);
  expect([await leads(), await epoch(), controller.problems()]).toEqual([true, 2, []]);
});

test('a host that has obeyed a higher epoch is followed by one above that', async () => {
  await pass(2);
  const vm2 = { ...aHost('vm2'), epochSeen: { epoch: 41, host: 'vm3' } };
  await store.commit({ expect: [], write: [{ key: KEYS.host('vm2'), value: vm2 as never }] });
  await pass(3);
  expect([await leads(), await epoch()]).toEqual([true, 42]);
});

test('the brake is a problem of the leader as long as it lasts', async () => {
  const away = ['vm2', 'vm3'].map((host) => ({
    key: KEYS.balancer(host),
    value: { host, revision: 0, serving: [], setAside: {}, error: null },
  }));
  await store.commit({ expect: [], write: [{ key: KEYS.host('vm1'), value: { ...aHost('vm1') } as never }, ...away] });
  await pass(2);
  expect(controller.problems()).toEqual([expect.stringContaining('brake: 2 of 3 hosts were lost within 60 s (vm2, vm3)')]);
  await store.commit({ expect: [], write: [{ key: KEYS.host('vm2'), value: { ...aHost('vm2') } as never }] });
  await pass(2);
  expect(controller.problems()).toEqual([]);
});
