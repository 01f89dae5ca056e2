import { createDiary, type InstanceReport, type Json, KEYS, keptNotices, LOGS, type Meter, parseRules } from '@reactor/core';
import { aHost, anEndpointConfig, createFakeStore } from '@reactor/testkit';
import { createCandidate } from '../src/leadership.js';
import { createMuster } from '../src/muster.js';
import { createRound, type RoundOptions } from '../src/round.js';
import { scriptedClock } from './scripted-clock.js';

/** What a leader writes into the logs of endpoints and into its own: each thing once. */

const silent: Meter = { add: () => undefined, set: () => undefined, observe: () => undefined };
const clock = scriptedClock();
let store: ReturnType<typeof createFakeStore>;
let diary: ReturnType<typeof createDiary>;

beforeEach(async () => {
  store = createFakeStore({ now: clock.now });
  diary = createDiary(store, clock, () => undefined);
  await put(KEYS.endpoint('web'), { name: 'web', uid: 'u', document: {}, state: 'RUNNING', changedAtMs: 0 });
});

async function put(key: string, value: unknown): Promise<void> {
  await store.commit({ expect: [], write: [{ key, value: value as Json }] });
}

async function events(log: string): Promise<readonly string[]> {
  await diary.written();
  return (await store.tail(log, 0, 100)).map(({ level, event, message }) => `${level} ${event} ${message}`);
}

const leadership = async () => (await createCandidate({ store, host: 'vm1', clock, steady: () => true }).lead())!;

function aRound(change: Partial<RoundOptions> = {}) {
  let ids = 0;
  return createRound({
    store,
    clock,
    meter: silent,
    log: () => undefined,
    resolve: () => ({ config: anEndpointConfig(), hash: 'h' }),
    random: () => 0,
    newId: () => `i${++ids}`,
    alarms: { settle: () => undefined, forget: () => undefined, open: () => [] },
    diary,
    muster: createMuster((event, message) => diary.tell(LOGS.manager('vm1'), 'info', event, message)),
    ...change,
  });
}

test('who is there, when it begins to lead and whenever one comes or goes', async () => {
  await put(KEYS.host('vm1'), { ...aHost('vm1') });
  const term = await leadership();
  const round = aRound();
  for (let each = 0; each < 3; each++) await round(term);
  await put(KEYS.host('vm2'), { ...aHost('vm2') });
  await round(term);
  await put(KEYS.host('vm2'), null);
  await put(KEYS.endpoint('web'), { name: 'web', uid: 'u', document: {}, state: 'REMOVED', changedAtMs: 0 });
  await round(term);
  expect(await events(LOGS.manager('vm1'))).toEqual([
    'info MANAGERS_CHANGED managers: vm1',
    'info ENDPOINTS_CHANGED endpoints: web',
    'info MANAGERS_CHANGED managers: vm1, vm2; came: vm2',
    'info MANAGERS_CHANGED managers: vm1; left: vm2',
    'info ENDPOINTS_CHANGED endpoints: none; left: web',
  ]);
});

test('of many only some are named', () => {
  const told: string[] = [];
  const names = Array.from({ length: 50 }, (_, index) => [`vm${10 + index}`, { value: {}, revision: 1 }] as const);
  createMuster((_event, message) => told.push(message)).note({ hosts: new Map(names), endpoints: new Map() } as never);
  expect(told).toEqual([expect.stringMatching(/^managers: vm10, .*, vm29 and 30 more$/), 'endpoints: none']);
});

test('that a stored configuration cannot be used', async () => {
  const term = await leadership();
  const round = aRound({ resolve: () => ({ error: "endpoint.port: 'many' is not a port" }) });
  for (let each = 0; each < 3; each++) await round(term);
  expect(await events(LOGS.endpoint('web'))).toEqual([
    "error UPDATE_ERROR its stored configuration cannot be used: endpoint.port: 'many' is not a port",
  ]);
});

test('that no host takes another instance', async () => {
  const term = await leadership();
  const round = aRound();
  for (let each = 0; each < 3; each++) await round(term);
  const told = await events(LOGS.endpoint('web'));
  expect(told.filter((line) => line.includes('NO_MANAGER'))).toEqual([
    expect.stringMatching(/^error NO_MANAGER_AVAILABLE no host takes another instance: ./),
  ]);
});

test('that rules contradict each other', async () => {
  await put(KEYS.host('vm1'), { ...aHost('vm1') });
  const parsed = parseRules('4 <= instances, instances <= 2');
  const rules = parsed.ok ? parsed.value : [];
  const term = await leadership();
  const round = aRound({ resolve: () => ({ config: anEndpointConfig({ scaling: { rules } }), hash: 'h' }) });
  for (let each = 0; each < 3; each++) await round(term);
  const told = await events(LOGS.endpoint('web'));
  expect(told.filter((line) => line.includes('METRICS_CONFLICT'))).toEqual([
    expect.stringMatching(/^warning METRICS_CONFLICT rule 2 'instances <= 2' contradicts earlier rules/),
  ]);
});

const notices = async () => keptNotices(await store.read(KEYS.notices)).map(({ notice }) => notice);

test('receivers of a scale event, a failed start and the loss and return of a host, in the commits that make them so', async () => {
  await put(KEYS.host('vm1'), { ...aHost('vm1') });
  await put(KEYS.host('vm2'), { ...aHost('vm2', { slots: 0 }) });
  await put(KEYS.balancer('vm2'), { host: 'vm2', revision: 0, serving: [], setAside: {}, error: null });
  const term = await leadership();
  const round = aRound({ notifies: true });
  await round(term);
  expect(await notices()).toEqual([
    {
      ...{ id: expect.any(String), event: 'scale', atMs: clock.now(), endpoint: 'web', instance: null, host: null },
      ...{ from: 0, to: 1, text: expect.stringMatching(/^1 instance wanted \(0 now\)/) },
    },
  ]);
  const [instance] = (await store.read(KEYS.instances)).entries.keys();
  const id = instance!.slice(KEYS.instances.length);
  await put(KEYS.report('vm1', id), { ...aReport(id), state: 'exited', error: 'no such image' });
  await put(KEYS.host('vm2'), null);
  await round(term);
  await round(term);
  await put(KEYS.host('vm2'), { ...aHost('vm2', { slots: 0 }) });
  await round(term);
  const told = (await notices()).slice(1).map((notice) => [notice?.event, notice?.endpoint, notice?.host, notice?.text]);
  expect(told).toEqual(
    expect.arrayContaining([
      ['failure', 'web', 'vm1', 'an instance could not be started'],
      ['host_lost', null, 'vm2', 'host vm2 is not heard any more'],
      ['host_recovered', null, 'vm2', 'host vm2 is back'],
    ]),
  );
  expect(told.filter(([event]) => event !== 'scale')).toHaveLength(3);
});

test('nobody, where nobody is to be told', async () => {
  await put(KEYS.host('vm1'), { ...aHost('vm1') });
  await aRound()(await leadership());
  expect(await notices()).toEqual([]);
});

const aReport = (id: string): InstanceReport => ({
  ...{ id, endpoint: 'web', host: 'vm1', state: 'starting', containerId: null, startedAtMs: null, readyAtMs: null },
  ...{ address: null, marks: 0, wasReady: false, error: null },
});
