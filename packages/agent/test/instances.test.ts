import { getEventListeners } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Cluster,
  type ContainerSpec,
  hashToken,
  type InstanceRecord,
  type InstanceReport,
  KEYS,
  ReactorError,
  readCluster,
  type StateEntry,
} from '@reactor/core';
import { aContainerConfig, createFakeEngine, type FakeEngine, until } from '@reactor/testkit';
import { createInstances, type Instances } from '../src/instances.js';
import { createPortPool } from '../src/port-pool.js';
import { probe } from '../src/probe.js';

/** The agent's instances against an engine in memory; the "service" is a real socket on the one port of its range. */

let service: Server;
let port: number;
let engine: FakeEngine;
let instances: Instances;
let told: string[];
let stop: AbortController;
let reports: Map<string, InstanceReport>;
/** What the load balancer says of the instance. */
let refusals: number;
/** Checks that are made but not answered; null answers them. */
let held: number | null;

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
  reports = new Map();
  refusals = 0;
  held = null;
  agent();
});

afterEach(async () => {
  stop.abort();
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
});

/** A new agent on the same engine and state, as after a restart. */
function agent(): void {
  stop?.abort();
  stop = new AbortController();
  told = [];
  instances = createInstances({
    engine,
    clock,
    host: 'vm1',
    address: '127.0.0.1',
    apiUrl: 'http://127.0.0.1:8080',
    linked: async () => ({ environment: [], hostNames: [] }),
    ports: createPortPool({ first: port, last: port }, 0, { read: () => null, write: () => undefined }),
    startLimit: 2,
    meter: { add: () => undefined, set: () => undefined, observe: () => undefined },
    log: (_level, message) => void told.push(message),
    tell: (_endpoint, _level, event) => void told.push(event),
    newToken: () => 'token-of-the-test',
    wake: () => undefined,
    refusals: () => refusals,
    probe: (...asked) => {
      if (held === null) return probe(...asked);
      held += 1;
      return new Promise(() => undefined);
    },
    signal: stop.signal,
  });
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

function cluster(...records: InstanceRecord[]): Cluster {
  const entries = new Map<string, StateEntry>();
  for (const one of records) entries.set(KEYS.instance(one.id), { value: { ...one } as never, revision: 1 });
  for (const [key, report] of reports) entries.set(key, { value: { ...report }, revision: 1 });
  return readCluster({ clusterId: 'test', revision: 1, entries });
}

/** One round, its commit carried out. Answers whether there was anything to report. */
async function round(...records: InstanceRecord[]): Promise<boolean> {
  const commit = instances.reconcile(cluster(...records), await engine.list(), true);
  for (const { key, value } of commit?.write ?? []) {
    if (value === null) reports.delete(key);
    else reports.set(key, value as unknown as InstanceReport);
  }
  return commit !== null;
}

const report = (id = 'i1'): InstanceReport | undefined => reports.get(KEYS.report('vm1', id));

async function untilState(state: InstanceReport['state'], ...records: InstanceRecord[]): Promise<void> {
  await until(`it is ${state}`, 5_000, async () => {
    await round(...records);
    return report()?.state === state;
  });
}

test('a record becomes a container that answers, and its report says where', async () => {
  await untilState('ready', record());
  expect(report()).toMatchObject({ address: { host: '127.0.0.1', port }, wasReady: true, error: null });
  expect(told).toContain('LAUNCH_SUCCESS');
  expect(engine.calls.filter((call) => call.method === 'start')).toEqual([{ method: 'start', subject: 'reactor-web-i1' }]);
});

test('a settled instance is reported once and not again', async () => {
  const meant = record();
  await untilState('ready', meant);
  await round(meant);
  expect(await round(meant)).toBe(false);
});

test('a new agent takes over what runs: the same report, no call that changes anything', async () => {
  const meant = record();
  await untilState('ready', meant);
  const before = report();
  const calls = engine.calls.length;
  agent();
  expect(await round(meant)).toBe(false);
  expect(report()).toEqual(before);
  expect(engine.calls.slice(calls).filter((call) => call.method !== 'list')).toEqual([]);
});

test('only a record that says remove stops a container, its absence does not', async () => {
  const meant = record();
  await untilState('ready', meant);
  await round();
  expect(await engine.list()).toHaveLength(1);
  expect(told.join()).toMatch(/left alone/);
  reports.clear();
  await untilState('gone', record({ phase: 'remove' }));
  expect(await engine.list()).toEqual([]);
});

test('a container that a listing from before its end still names is told as gone once', async () => {
  await untilState('ready', record());
  const before = await engine.list();
  const removed = (): number => engine.calls.filter(({ method }) => method === 'remove').length;
  for (const times of [1, 2]) {
    await until(`it was removed ${times} times`, 5_000, () => {
      instances.reconcile(cluster(record({ phase: 'remove' })), before, true);
      return removed() >= times;
    });
    await untilState('gone', record({ phase: 'remove' }));
  }
  expect(told.filter((event) => event === 'CLEAN_INSTANCE')).toHaveLength(1);
});

test('a draining instance is still checked, and stays', async () => {
  await untilState('ready', record());
  await untilState('ready', record({ phase: 'drain', drainedAtMs: 1 }));
  expect(await engine.list()).toHaveLength(1);
});

test('a start that fails for good is told with its reason', async () => {
  engine.failNext('start', new ReactorError('docker_refused', 'no space left on device'));
  await untilState('exited', record());
  expect(report()).toMatchObject({ error: 'no space left on device', wasReady: false });
  expect(told).toContain('LAUNCH_FAILURE');
});

test('an image that is not to be had is told with its reason', async () => {
  await untilState('exited', record({ container: aContainerConfig({ image: 'nowhere:1' }) }));
  expect(report()?.error).toMatch(/nowhere:1/);
});

test('any number of starts costs the signal of the agent one listener, and all of them end with it', async () => {
  const given: AbortSignal[] = [];
  engine.prepare = (_image, _progress, signal) => {
    given.push(signal);
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  };
  agent();
  await round(...Array.from({ length: 12 }, (_, index) => record({ id: `i${index}` })));
  expect(given).toHaveLength(12);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
  stop.abort();
  expect(given.every(({ aborted }) => aborted)).toBe(true);
});

describe('an instance that the load balancer cannot connect to', () => {
  /** Ready, and no check of its own passes from then on, which would begin the row anew. */
  const ready = async (errorMarks: number): Promise<InstanceRecord> => {
    const instance = record({ errorMarks });
    await untilState('ready', instance);
    held = 0;
    await until('its next check is under way', 5_000, () => held !== 0);
    return instance;
  };
  const refuse = async (times: number, instance: InstanceRecord): Promise<void> => {
    refusals = times;
    await round(instance);
    await round(instance);
  };

  test.each([1, 2])(
    'fails a check with every third refusal in a row, and is unhealthy after error_marks = %i',
    async (errorMarks) => {
      const instance = await ready(errorMarks);
      for (let marks = 1; marks <= errorMarks; marks++) {
        await refuse(3 * marks - 1, instance);
        expect(report()).toMatchObject({ state: 'ready', marks: marks - 1 });
        await refuse(3 * marks, instance);
        expect(report()).toMatchObject({ marks });
      }
      const error = `the load balancer of vm1 could not connect ${3 * errorMarks} times in a row`;
      expect(report()).toMatchObject({ state: 'unhealthy', error });
      expect(told).toContain('UNHEALTHY_INSTANCE');
    },
  );

  test('is as good as new after an answer, and what a former daemon has counted says nothing', async () => {
    const instance = await ready(1);
    for (const times of [2, 0, 2, 1, 0]) await refuse(times, instance);
    expect(report()).toMatchObject({ state: 'ready', marks: 0 });
    refusals = 5;
    agent();
    await refuse(5, instance);
    expect(report()).toMatchObject({ state: 'ready', marks: 0 });
    await refuse(8, instance);
    expect(report()).toMatchObject({ state: 'unhealthy' });
  });
});

test('a Docker that is silent for a moment fails no start', async () => {
  engine.failNext('start', new ReactorError('docker_unavailable', 'no answer'));
  await untilState('ready', record());
  expect(told).not.toContain('LAUNCH_FAILURE');
});

test('a container that ended is told with how', async () => {
  await untilState('ready', record());
  engine.exit('i1', 137, true);
  await untilState('exited', record());
  expect(report()?.error).toMatch(/memory/);
});

test('a container that somebody removed is told as gone and not started again', async () => {
  const meant = record();
  await untilState('ready', meant);
  engine.vanish('i1');
  await untilState('gone', meant);
  await round(meant);
  expect(await engine.list()).toEqual([]);
});

test('instances placed on other hosts are none of its business', async () => {
  expect(await round(record({ host: 'vm2' }))).toBe(false);
  expect(engine.calls.filter((call) => call.method !== 'list')).toEqual([]);
});

test('a container is given a token, and only its hash is labelled and reported', async () => {
  const started: ContainerSpec[] = [];
  const start = engine.start.bind(engine);
  engine.start = (spec) => {
    started.push(spec);
    return start(spec);
  };
  await untilState('ready', record());
  expect(started[0]?.environment).toContainEqual(['REACTOR_TOKEN', 'token-of-the-test']);
  expect(report()?.tokenHash).toBe(hashToken('token-of-the-test'));
  expect(JSON.stringify([...reports.values(), ...(await engine.list())])).not.toContain('token-of-the-test');
});
