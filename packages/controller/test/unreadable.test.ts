import { type Alarm, type Json, KEYS, type Meter, readCluster } from '@reactor/core';
import { aHost, anEndpointConfig, createFakeStore } from '@reactor/testkit';
import { createCandidate } from '../src/leadership.js';
import { createRound } from '../src/round.js';
import { scriptedClock } from './scripted-clock.js';

/** A leader whose store holds what is no record: nothing is started, retired or counted as missing because of it. */

const silent: Meter = { add: () => undefined, set: () => undefined, observe: () => undefined };

let store: ReturnType<typeof createFakeStore>;
let raised: readonly Alarm[];
const clock = scriptedClock();

const put = async (key: string, value: unknown): Promise<void> => {
  await store.commit({ expect: [], write: [{ key, value: value as Json }] });
};
const instances = async (): Promise<readonly string[]> => [...readCluster(await store.read('')).instances.keys()];
const lead = () => createCandidate({ store, host: 'vm1', clock, steady: () => true }).lead();

function aRound() {
  let ids = 0;
  return createRound({
    store,
    clock,
    meter: silent,
    log: () => undefined,
    resolve: () => ({ config: anEndpointConfig({ scaling: { minInstances: 2 } }), hash: 'h' }),
    random: () => 0,
    newId: () => `i${++ids}`,
    diary: { tell: () => undefined },
    muster: { note: () => undefined },
    alarms: {
      settle: (alarms) => {
        raised = alarms;
      },
      forget: () => undefined,
      open: () => [],
    },
  });
}

beforeEach(async () => {
  store = createFakeStore({ now: clock.now });
  raised = [];
  await put(KEYS.endpoint('web'), { name: 'web', uid: 'u', document: {}, state: 'RUNNING', changedAtMs: 0 });
  await put(KEYS.host('vm1'), { ...aHost('vm1') });
});

test.each([
  [KEYS.instance('evil'), { image: 'evil', privileged: true }],
  [KEYS.instance('evil'), 'x'.repeat(500_000)],
  [KEYS.report('vm1', 'i1'), []],
  [KEYS.host('vm2'), { id: 'vm3' }],
])('while it is not known what %s is, a leader starts nothing and says so in a line', async (key, value) => {
  const leadership = (await lead())!;
  await put(key, value);
  const before = store.revision;
  expect(await aRound()(leadership)).toBe('idle');
  expect(store.revision).toBe(before);
  expect(raised).toEqual([{ kind: 'unreadable', text: expect.stringContaining(`${key} (`) }]);
  expect(raised[0]!.text.length).toBeLessThan(300);
  await put(key, null);
  expect(await aRound()(leadership)).toBe('planned');
  expect(raised).toEqual([]);
});

test('a record that was readable before goes on counting as it was', async () => {
  const leadership = (await lead())!;
  const round = aRound();
  await round(leadership);
  expect(await instances()).toEqual(['i1', 'i2']);
  await round(leadership);
  await put(KEYS.instance('i1'), { phase: 'remove' });
  await put(KEYS.host('vm1'), 'gone');
  const before = store.revision;
  for (let minute = 0; minute < 3; minute++) {
    expect(await round(leadership)).toBe('idle');
    clock.pass(1_000);
  }
  expect([store.revision, await instances()]).toEqual([before, ['i1', 'i2']]);
  expect(raised).toEqual([
    { kind: 'unreadable', text: expect.stringMatching(/instances\/i1 .*hosts\/vm1|hosts\/vm1 .*instances\/i1/) },
  ]);
});

test.each([
  ['what is said of the newest term', KEYS.epoch, { epoch: 'seven' }],
  ['a host, which may have obeyed a higher one', KEYS.host('vm2'), { epochSeen: 9 }],
])('nobody takes a term without knowing %s', async (_what, key, value) => {
  await put(key, value);
  const candidate = createCandidate({ store, host: 'vm1', clock, steady: () => true });
  expect(await candidate.lead()).toBeNull();
  expect(candidate.problem()).toMatch(/^not leading: records .*cannot be read/);
  await put(key, null);
  expect(await candidate.lead()).not.toBeNull();
  expect(candidate.problem()).toBeNull();
});
