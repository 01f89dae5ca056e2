import type { InstanceRecord, InstanceReport } from '@reactor/core';
import { aContainerConfig } from '@reactor/testkit';

/** Records of an instance of `pyex` on `host-a`, ready, as the first endpoint of a fresh API meets it. */

export const anInstance = (id: string, change: Partial<InstanceRecord> = {}): InstanceRecord => ({
  id,
  endpoint: 'pyex',
  endpointUid: 'uid-1',
  host: 'host-a',
  slots: 10,
  cpus: 0,
  memoryBytes: 0,
  hostPort: null,
  hash: 'h',
  container: aContainerConfig(),
  port: 5000,
  healthCheck: { path: null, intervalMs: 2_000, timeoutMs: 1_000 },
  startTimeoutMs: 60_000,
  stopTimeoutMs: 10_000,
  errorMarks: 1,
  phase: 'run',
  createdAtMs: 1,
  drainedAtMs: null,
  errored: false,
  replaces: null,
  epoch: 1,
  ...change,
});

export const aReport = (id: string, change: Partial<InstanceReport> = {}): InstanceReport => ({
  id,
  endpoint: 'pyex',
  host: 'host-a',
  state: 'ready',
  containerId: `c-${id}`,
  startedAtMs: 2,
  readyAtMs: 3,
  address: { host: '10.0.0.1', port: 20_000 },
  marks: 0,
  wasReady: true,
  error: null,
  ...change,
});
