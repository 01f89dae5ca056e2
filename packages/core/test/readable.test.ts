import {
  createClusterReader,
  type EndpointRecord,
  type InstanceRecord,
  type InstanceReport,
  isBlind,
  type Json,
  type StateEntry,
  type StateView,
  unreadableWords,
} from '@reactor/core';
import { aContainerConfig, aHost } from '@reactor/testkit';

/** What is read from the store is checked before anything is made of it. */

const ENDPOINT: EndpointRecord = {
  name: 'web',
  uid: 'u1',
  document: { endpoint: { port: '80' } },
  state: 'RUNNING',
  changedAtMs: 1,
};
const INSTANCE: InstanceRecord = {
  id: 'i1',
  endpoint: 'web',
  endpointUid: 'u1',
  host: 'vm1',
  slots: 10,
  cpus: 0,
  memoryBytes: 0,
  hostPort: null,
  hash: 'h',
  container: aContainerConfig(),
  port: 80,
  healthCheck: { path: null, intervalMs: 1, timeoutMs: 1 },
  startTimeoutMs: 1,
  stopTimeoutMs: 1,
  errorMarks: 1,
  phase: 'run',
  createdAtMs: 1,
  drainedAtMs: null,
  errored: false,
  replaces: null,
  epoch: 1,
};
const REPORT: InstanceReport = {
  id: 'i1',
  endpoint: 'web',
  host: 'vm1',
  state: 'ready',
  containerId: 'c',
  startedAtMs: 1,
  readyAtMs: 1,
  address: { host: '10.0.0.1', port: 1 },
  marks: 0,
  wasReady: true,
  error: null,
};

/** One of every kind, as it should be. */
const GOOD: Readonly<Record<string, unknown>> = {
  'endpoints/web': ENDPOINT,
  'names/shop': { endpoint: 'web' },
  'metadata/web': { uid: 'u1', values: { any: ['thing'] } },
  'managers-config/vm1': { document: { 'cloud:docker': { slots: '5' } } },
  'instances/i1': INSTANCE,
  'reports/vm1/i1': REPORT,
  'hosts/vm1': aHost('vm1'),
  'hosts-config/vm1': { draining: true, removed: false },
  'wishes/i1': { kind: 'drop', atMs: 1 },
  'balancers/vm1': { host: 'vm1', revision: 1, serving: [], setAside: {}, error: null },
  'losses/vm2': { sinceMs: 1 },
  'histories/web': { targets: { targets: [] }, failures: { count: 0, notBeforeMs: 0, recent: [] }, decision: null },
  'kills/vm1/k1': { id: 'k1', host: 'vm1', endpoint: 'web', client: '10.0.0.9:1', atMs: 1 },
  'controller/leader': { host: 'vm1', epoch: 3 },
  'controller/epoch': { host: 'vm1', epoch: 3, released: false },
  settings: 'is checked where it is read',
};

function viewOf(change: Readonly<Record<string, unknown>> = {}, revision = 1, clusterId = 'c'): StateView {
  const values = Object.entries({ ...GOOD, ...change }).filter(([, value]) => value !== undefined);
  const entry = (key: string, value: unknown): StateEntry => ({ value: value as Json, revision: key in change ? revision : 1 });
  return { clusterId, revision, entries: new Map(values.map(([key, value]) => [key, entry(key, value)])) };
}

test('records as they should be are all there, also with what a newer version adds', () => {
  const cluster = createClusterReader()(viewOf({ 'instances/i1': { ...INSTANCE, colour: 'red' } }));
  expect(cluster.unreadable).toEqual([]);
  expect([cluster.endpoints.size, cluster.instances.size, cluster.reports.size, cluster.hosts.size]).toEqual([1, 1, 1, 1]);
  expect([cluster.leader?.value.epoch, cluster.kills.size, cluster.losses.size]).toEqual([3, 1, 1]);
});

test.each<[key: string, value: unknown, why: RegExp]>([
  ['instances/i1', { image: 'evil', privileged: true }, /^id: expected a text$/],
  [
    'instances/i1',
    { ...INSTANCE, container: { ...INSTANCE.container, environment: 'A=1' } },
    /^container\.environment: expected a list$/,
  ],
  ['instances/i1', { ...INSTANCE, slots: '10' }, /^slots: expected a number$/],
  ['instances/i1', { ...INSTANCE, phase: 'dance' }, /^phase: expected one of run, drain, remove$/],
  ['instances/i1', { ...INSTANCE, id: 'i2' }, /^it says that it is "i2"$/],
  ['instances/i1', '52428800 characters, more than 1048576 bytes', /^expected an object, found "52428800 characters/],
  ['instances/i1', 'x'.repeat(100_000), /^expected an object, found "x{1,80}$/],
  ['instances/i1', [INSTANCE], /^expected an object, found \[/],
  ['instances/i1', null, /^expected an object, found null$/],
  ['endpoints/web', { ...ENDPOINT, document: { endpoint: { port: 80 } } }, /^document\.endpoint\.port: expected a text$/],
  ['endpoints/web', { ...ENDPOINT, name: 'shop' }, /^it says that it is "shop"$/],
  ['endpoints/web', { ...ENDPOINT, hold: { count: 'many', untilMs: null } }, /^hold\.count: expected a number$/],
  ['reports/vm1/i1', { ...REPORT, host: 'vm2' }, /^it says that it is "vm2\/i1"$/],
  ['reports/vm1/i1', { ...REPORT, address: '10.0.0.1' }, /^address: expected an object/],
  ['hosts/vm1', { ...aHost('vm1'), labels: { size: 5 } }, /^labels\.size: expected a text$/],
  ['hosts/vm1', { ...aHost('vm1'), slots: null }, /^slots: expected a number$/],
  ['controller/epoch', { host: 'vm1', epoch: 'three', released: false }, /^epoch: expected a number$/],
  ['histories/web', { targets: [] }, /^targets: expected an object/],
])('%s as %j is passed over, and nothing is decided without it', (key, value, why) => {
  const cluster = createClusterReader()(viewOf({ [key]: value }));
  expect(cluster.unreadable).toEqual([{ key, why: expect.stringMatching(why), blind: true }]);
  expect(isBlind(cluster)).toBe(true);
  expect(unreadableWords(cluster)).toMatch(new RegExp(`${key} \\(.*nothing is started, stopped or changed`));
});

test.each(Object.keys(GOOD).filter((key) => key !== 'settings'))('whatever stands at %s breaks nothing', (key) => {
  for (const value of [null, 0, '', [], {}, { id: {} }, true]) {
    const { unreadable } = createClusterReader()(viewOf({ [key]: value }));
    expect(unreadable.map((each) => each.key)).toEqual([key]);
  }
});

test('what the operator notes, and wishes about clients, is passed over alone', () => {
  const cluster = createClusterReader()(
    viewOf({ 'metadata/web': 5, 'kills/vm1/k1': 5, 'names/shop': 5, 'managers-config/vm1': 5 }),
  );
  expect([cluster.unreadable.length, isBlind(cluster), cluster.metadata.size, cluster.kills.size]).toEqual([4, false, 0, 0]);
  expect(unreadableWords(cluster)).toMatch(/^records .*metadata\/web.* and 1 more; what was last read there stands/);
});

test('what was last readable stands in its place, at its own revision, until it is readable or gone', () => {
  const group = createClusterReader();
  group(viewOf());
  const cluster = group(viewOf({ 'instances/i1': { privileged: true } }, 7));
  expect(cluster.instances.get('i1')).toEqual({ value: INSTANCE, revision: 1 });
  expect([cluster.unreadable.length, isBlind(cluster)]).toEqual([1, false]);
  const mended = group(viewOf({ 'instances/i1': { ...INSTANCE, phase: 'drain' } }, 8));
  expect([mended.unreadable, mended.instances.get('i1')?.value.phase]).toEqual([[], 'drain']);
  const gone = group(viewOf({ 'instances/i1': undefined }, 9));
  expect([gone.unreadable, gone.instances.size]).toEqual([[], 0]);
  expect(isBlind(group(viewOf({ 'instances/i1': {} }, 10)))).toBe(true);
});

test('of another cluster nothing stands in for anything', () => {
  const group = createClusterReader();
  group(viewOf());
  expect(isBlind(group(viewOf({ 'instances/i1': {} }, 2, 'other')))).toBe(true);
});
