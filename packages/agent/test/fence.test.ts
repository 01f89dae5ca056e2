import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type EpochMark,
  type InstanceRecord,
  KEYS,
  type LoadBalancer,
  type MarkKeeper,
  ReactorError,
  readCluster,
  type Service,
} from '@reactor/core';
import { aContainerConfig, anEndpointConfig, createFakeEngine, createFakeStore, until } from '@reactor/testkit';
import { type Agent, startAgent } from '../src/agent.js';
import { createFence } from '../src/fence.js';

/** A whole agent with its engine, its state and its load balancer in memory: what it obeys, and what it does not. */

let service: Server;
let port: number;
let engine: ReturnType<typeof createFakeEngine>;
let store: ReturnType<typeof createFakeStore>;
let keeper: MarkKeeper & { mark: EpochMark | null; fault: ReactorError | null };
let applied: string[];
let told: string[];
let agent: Agent | null;
/** What the engine had been asked to start or remove whenever a mark was written. */
let actsBeforeMark: number[];

const clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, 20));
      if (signal?.aborted) end();
      signal?.addEventListener('abort', end, { once: true });
    }),
};

beforeEach(async () => {
  service = createServer((_request, response) => response.end());
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  port = (service.address() as AddressInfo).port;
  engine = createFakeEngine();
  store = createFakeStore({ now: clock.now });
  applied = [];
  told = [];
  actsBeforeMark = [];
  agent = null;
  keeper = {
    mark: null,
    fault: null,
    read() {
      if (this.fault !== null) throw this.fault;
      return this.mark;
    },
    write(mark) {
      if (this.fault !== null) throw this.fault;
      actsBeforeMark.push(acts());
      this.mark = mark;
    },
  };
});

afterEach(async () => {
  await agent?.stop();
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
});

const acts = (): number => engine.calls.filter(({ method }) => method === 'start' || method === 'remove').length;

const balancer: LoadBalancer = {
  open: async () => undefined,
  apply: async (services: readonly Service[]) => {
    const text = JSON.stringify(services);
    const changed = applied.at(-1) !== text;
    if (changed) applied.push(text);
    return { changed, setAside: {} };
  },
  traffic: async (nowMs) => ({ atMs: nowMs, completeSinceMs: nowMs, endpoints: {}, badLines: 0, lagBytes: 0 }),
  close: async () => undefined,
};

async function start(): Promise<void> {
  agent = await startAgent({
    store,
    engine,
    balancer,
    clock,
    random: () => 0,
    meter: { add: () => undefined, set: () => undefined, observe: () => undefined },
    log: (_level, message) => void told.push(message),
    resolve: () => anEndpointConfig(),
    host: 'vm1',
    name: 'vm1',
    address: '127.0.0.1',
    apiUrl: 'http://127.0.0.1:8080',
    advertisedUrl: null,
    slots: 1000,
    overcommit: 0,
    labels: {},
    newToken: () => 'token',
    portRange: { first: port, last: port },
    startLimit: 2,
    surge: () => undefined,
    version: '1',
    marks: keeper,
    portsHandedOut: { read: () => null, write: () => undefined },
  });
}

async function restart(): Promise<void> {
  await agent?.stop();
  await start();
}

const record = (change: Partial<InstanceRecord> = {}): InstanceRecord => ({
  id: 'i1',
  endpoint: 'web',
  endpointUid: 'u',
  host: 'vm1',
  slots: 10,
  cpus: 0,
  memoryBytes: 0,
  hostPort: null,
  hash: 'h',
  container: aContainerConfig(),
  port: 5000,
  healthCheck: { path: null, intervalMs: 50, timeoutMs: 1_000 },
  startTimeoutMs: 60_000,
  stopTimeoutMs: 1_000,
  errorMarks: 1,
  phase: 'run',
  createdAtMs: Date.now(),
  drainedAtMs: null,
  errored: false,
  replaces: null,
  epoch: 1,
  ...change,
});

const EPOCH_KEY = KEYS.epoch;

/** What a leader of that term means to be, all in one commit. */
async function command(term: EpochMark | null, ...records: InstanceRecord[]): Promise<void> {
  const web = { name: 'web', uid: 'u', document: {}, state: 'RUNNING', changedAtMs: 0 };
  await store.commit({
    expect: [],
    write: [
      { key: KEYS.endpoint('web'), value: web },
      { key: EPOCH_KEY, value: term === null ? null : { ...term, released: false } },
      ...records.map((one) => ({ key: KEYS.instance(one.id), value: { ...one } as never })),
    ],
  });
}

const cluster = async () => readCluster(await store.read(''));
const ready = async (id: string): Promise<boolean> => (await cluster()).reports.get(id)?.value.state === 'ready';
const held = () => until('the fence holds', 5_000, () => agent!.problems().some((problem) => problem.startsWith('fence: ')));
const five: EpochMark = { epoch: 5, host: 'vm2' };

/** One instance runs by the command of epoch 5. */
async function obeying(): Promise<void> {
  await command(five, record());
  await start();
  await until('it runs', 5_000, () => ready('i1'));
  await until('it is served', 5_000, () => applied.some((text) => text.includes('i1')));
}

/** Every loop has seen the newest state several times: between two of them no other loop looks more often. */
async function rounds(): Promise<void> {
  const read = store.read.bind(store);
  let looks = 0;
  store.read = async (prefix, known) => {
    looks += prefix === '' ? 1 : 0;
    return read(prefix, known);
  };
  await until('the state was looked at twenty times', 10_000, () => looks >= 20);
  store.read = read;
}

test('a term is on disk before anything of it is acted on', async () => {
  await obeying();
  expect(keeper.mark).toEqual(five);
  expect(actsBeforeMark).toEqual([0]);
  await command({ epoch: 6, host: 'vm3' }, record({ phase: 'remove' }));
  await until('it is gone', 5_000, async () => (await engine.list()).length === 0);
  expect(actsBeforeMark).toEqual([0, 1]);
  expect(keeper.mark).toEqual({ epoch: 6, host: 'vm3' });
});

test.each([
  ['of a former term', { epoch: 4, host: 'vm3' }, 'is at epoch 4 of vm3'],
  ['of the same number in other hands', { epoch: 5, host: 'vm3' }, 'is at epoch 5 of vm3'],
  ['of no term at all', null, 'knows no epoch'],
])('an order %s changes nothing, is told once, and the host goes on reporting', async (_what, term, words) => {
  await obeying();
  const before = { acts: acts(), applied: applied.length };
  await command(term, record({ phase: 'remove' }), record({ id: 'i2' }));
  await held();
  await rounds();
  expect({ acts: acts(), applied: applied.length }).toEqual(before);
  expect(await engine.list()).toHaveLength(1);
  const complaint = `the cluster state ${words}, but this host has obeyed epoch 5 of vm2`;
  expect(told.filter((line) => line.startsWith(complaint))).toHaveLength(1);
  expect(agent!.problems()).toEqual([expect.stringContaining(complaint)]);
  await until('what is not done is reported', 5_000, async () => (await cluster()).reports.get('i2')?.value.state === 'starting');
  expect((await cluster()).hosts.get('vm1')?.value.epochSeen).toEqual(five);
});

test('a state that lost the records loses neither containers nor reports', async () => {
  await obeying();
  await store.commit({
    expect: [],
    write: [
      { key: KEYS.instance('i1'), value: null },
      { key: EPOCH_KEY, value: { epoch: 2, host: 'vm2', released: true } },
    ],
  });
  await held();
  await rounds();
  expect(await engine.list()).toHaveLength(1);
  expect((await cluster()).reports.has('i1')).toBe(true);
});

test('a restart does not make it forget', async () => {
  await obeying();
  await command({ epoch: 4, host: 'vm3' }, record({ phase: 'remove' }));
  await restart();
  await held();
  await rounds();
  expect(await engine.list()).toHaveLength(1);
  expect(keeper.mark).toEqual(five);
});

test('a reset store is not obeyed until a leader takes a higher epoch', async () => {
  await obeying();
  await agent!.stop();
  store = createFakeStore({ now: clock.now, clusterId: 'another' });
  await command({ epoch: 1, host: 'vm1' }, record({ id: 'i2' }), record({ phase: 'remove' }));
  await start();
  await held();
  await rounds();
  expect(await engine.list()).toHaveLength(1);
  await command({ epoch: 6, host: 'vm1' }, record(), record({ id: 'i2', phase: 'drain' }));
  await until('it is followed again', 5_000, () => agent!.problems().length === 0);
  expect(told).toContain('the cluster state is followed again');
  expect(keeper.mark).toEqual({ epoch: 6, host: 'vm1' });
});

test('a mark that cannot be read holds the host, and is not taken for none', async () => {
  keeper.fault = new ReactorError('mark_unreadable', '/var/lib/reactor/epoch is damaged');
  await command(five, record());
  await start();
  await held();
  await rounds();
  expect(acts()).toBe(0);
  expect(applied).toEqual([]);
  expect(agent!.problems()).toEqual(['fence: /var/lib/reactor/epoch is damaged: nothing is started, stopped or changed here']);
  keeper.fault = null;
  await until('it runs once the file is repaired', 5_000, () => ready('i1'));
});

test('a mark that cannot be written admits nothing of its term', () => {
  let full = true;
  const fence = createFence({
    read: () => null,
    write: () => {
      if (full) throw new ReactorError('mark_unreadable', 'no space left on device');
    },
  });
  const entries = new Map([[EPOCH_KEY, { value: { ...five, released: false }, revision: 1 }]]);
  const view = readCluster({ clusterId: 'c', revision: 1, entries });
  expect([fence.admits(view), fence.mark()]).toEqual([false, null]);
  full = false;
  expect([fence.admits(view), fence.mark()]).toEqual([true, five]);
});

test('while the state holds what cannot be read a host starts and stops nothing, and says which record it is', async () => {
  await store.commit({ expect: [], write: [{ key: KEYS.instance('evil'), value: { image: 'evil', privileged: true } }] });
  await command({ epoch: 1, host: 'vm1' }, record());
  await start();
  const alarm = /instances\/evil \(id: expected a text\); nothing is started/;
  await until('it is told', 10_000, () => told.some((line) => alarm.test(line)));
  expect([acts(), agent?.problems().some((each) => each.includes('instances/evil'))]).toEqual([0, true]);
  await store.commit({ expect: [], write: [{ key: KEYS.instance('evil'), value: null }] });
  await until('it is mended', 10_000, () => engine.calls.some(({ method }) => method === 'start'));
});
