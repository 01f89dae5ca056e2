import type { Container, InstanceRecord, InstanceReport } from '@reactor/core';
import { aContainerConfig } from '@reactor/testkit';
import { type Health, UNREADY } from '../src/health.js';
import { type Evidence, rememberedHealth, reportOf } from '../src/instance-report.js';

const record: InstanceRecord = {
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
  healthCheck: { path: null, intervalMs: 2000, timeoutMs: 1000 },
  startTimeoutMs: 60_000,
  stopTimeoutMs: 10_000,
  errorMarks: 1,
  phase: 'run',
  createdAtMs: 0,
  drainedAtMs: null,
  errored: false,
  replaces: null,
  epoch: 1,
};

const container: Container = {
  id: 'c1',
  name: 'reactor-web-i1',
  instance: 'i1',
  endpoint: 'web',
  slots: 10,
  hash: 'h',
  tokenHash: null,
  status: 'running',
  startedAtMs: 5,
  exitCode: null,
  oomKilled: false,
  address: { host: '10.0.0.1', port: 20_001 },
};

const ready: Health = { ready: true, wasReady: true, readyAtMs: 9, marks: 0, failed: false, error: null };
const nothing: Evidence = { record, container: null, known: null, health: UNREADY, task: null, startFailure: null };
const known = reportOf({ ...nothing, container, health: ready });

test.each<[string, Partial<Evidence>, Partial<InstanceReport>]>([
  ['not begun yet', {}, { state: 'starting', containerId: null }],
  ['its image is being pulled', { task: 'pulling' }, { state: 'pulling' }],
  ['its container is being created', { task: 'starting' }, { state: 'starting' }],
  ['it could not be started', { startFailure: 'no such image' }, { state: 'exited', error: 'no such image', wasReady: false }],
  ['it runs but has not passed a check', { container }, { state: 'starting', containerId: 'c1' }],
  ['it runs and passes its check', { container, health: ready }, { state: 'ready', address: { host: '10.0.0.1', port: 20_001 } }],
  [
    'its check fails',
    { container, health: { ...ready, ready: false, failed: true, error: 'refused' } },
    { state: 'unhealthy', error: 'refused' },
  ],
  ['its container is paused', { container: { ...container, status: 'paused' }, health: ready }, { state: 'unhealthy' }],
  [
    'its container ended',
    { container: { ...container, status: 'exited', exitCode: 1 }, health: ready },
    { state: 'exited', address: null, wasReady: true },
  ],
  ['somebody removed its container', { known }, { state: 'gone', wasReady: true, readyAtMs: 9 }],
  ['it was drained before it began', { record: { ...record, phase: 'drain' } }, { state: 'gone' }],
  [
    'it is to be removed and its container is still there',
    { record: { ...record, phase: 'remove' }, container, known },
    { state: 'ready' },
  ],
  [
    'it is to be removed while its container is being created',
    { record: { ...record, phase: 'remove' }, task: 'starting' },
    { state: 'starting' },
  ],
  [
    'its container was created, and starting it was given up',
    { container: { ...container, status: 'created', startedAtMs: null, address: null }, startFailure: 'no answer' },
    { state: 'exited', error: 'no answer', containerId: 'c1' },
  ],
  ['it is to be removed and nothing is left', { record: { ...record, phase: 'remove' }, known }, { state: 'gone', error: null }],
])('%s', (_what, evidence, expected) => {
  expect(reportOf({ ...nothing, ...evidence })).toMatchObject(expected);
});

test('what was known of the very same container still holds after a restart of the agent', () => {
  expect(rememberedHealth(known, container)).toEqual(ready);
});

test.each([
  ['another container', { id: 'c2' }],
  ['the same container started again', { startedAtMs: 6 }],
])('%s begins unready', (_what, change) => {
  expect(rememberedHealth(known, { ...container, ...change })).toEqual(UNREADY);
});

describe('an instance that a session has used up', () => {
  const used = reportOf({ ...nothing, container, known, health: ready, spent: true });

  test('is unhealthy from then on, for good, whatever a load balancer that was restarted knows of it', () => {
    expect(used).toMatchObject({ state: 'unhealthy', spent: true, wasReady: true, error: expect.stringContaining('used up') });
    expect(reportOf({ ...nothing, container, known: used, health: ready })).toEqual(used);
  });

  test('says nothing about another container', () => {
    const fresh = reportOf({ ...nothing, container: { ...container, id: 'c2' }, known: used, health: ready });
    expect(fresh).toMatchObject({ state: 'ready' });
    expect(fresh).not.toHaveProperty('spent');
  });
});
